#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turn cove.yaml into the C header, the Python module and the tables.

Run without arguments to write the files, with ``--check`` to fail when one of
them is not what cove.yaml says.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
NOTE = "Generated from firmware/abi/cove.yaml by firmware/abi/generate.py; do not edit."


def number(value: int) -> str:
    """Write small numbers as people read them and large ones in hex."""
    return str(value) if -4096 < value < 4096 else hex(value)


def c_number(value: int) -> str:
    text = number(value)
    if value < 0:
        return f"({text})"
    return text + ("UL" if value > 0x7FFFFFFF else "")


def c_header(abi: dict[str, Any]) -> str:
    out = [
        "/* SPDX-License-Identifier: BSD-2-Clause */",
        f"/* {NOTE} */",
        "#ifndef TEECALL_COVE_H",
        "#define TEECALL_COVE_H",
        "",
    ]

    def define(name: str, value: int) -> None:
        out.append(f"#define {name:<44} {c_number(value)}")

    define("TEECALL_ABI_VERSION", abi["abi_version"])
    out.append("\n/* Error codes in a0 */")
    for name, item in abi["errors"].items():
        define(f"COVE_{'SUCCESS' if name == 'SUCCESS' else 'ERR_' + name}", item["value"])
    out.append("\n/* Extensions (a7) and functions (a6) */")
    for name, item in abi["extensions"].items():
        define(f"COVE_EID_{name}", item["eid"])
        for function, fid in item["functions"].items():
            define(f"COVE_{name}_{function.upper()}", fid)
    out.append("\n/* Fields of a6 in COVH and COVI calls */")
    for name, value in abi["a6"].items():
        define(f"COVE_A6_{name.upper()}", value)
    out.append("\n/* Constants */")
    for name, value in abi["constants"].items():
        define(f"COVE_{name}", value)
    for group, prefix, title in (
        ("events", "TEE_EVENT_", "Kinds of crossing events"),
        ("page_states", "PAGE_", "Page states"),
    ):
        out.append(f"\n/* {title} */")
        for name, item in abi[group].items():
            out.append(f"/* {item['doc']} */")
            define(f"{prefix}{name}", item["value"])
    define("PAGE_STATES", len(abi["page_states"]))
    return "\n".join([*out, "", "#endif", ""])


def python_module(abi: dict[str, Any]) -> str:
    out = [
        f'"""Numbers of the ABI. {NOTE}"""',
        "",
        "from __future__ import annotations",
        "",
        "from enum import IntEnum",
        "",
        f"ABI_VERSION = {abi['abi_version']}",
    ]

    def enum(name: str, doc: str, members: dict[str, tuple[int, str]]) -> None:
        out.extend(["", "", f"class {name}(IntEnum):", f'    """{doc}"""', ""])
        for member, (value, comment) in members.items():
            out.append(f"    {member} = {number(value)}" + (f"  # {comment}" if comment else ""))

    docs = lambda group: {k: (v["value"], v["doc"]) for k, v in abi[group].items()}  # noqa: E731
    enum("Error", "SBI and CoVE error codes (a0).", docs("errors"))
    enum(
        "Eid", "SBI extension ids (a7).", {k: (v["eid"], "") for k, v in abi["extensions"].items()}
    )
    for name, item in abi["extensions"].items():
        if item["functions"]:
            enum(
                name.capitalize(),
                f"Functions of {name} (a6).",
                {f.upper(): (n, "") for f, n in item["functions"].items()},
            )
    enum("Event", "Kinds of crossing events.", docs("events"))
    enum("PageState", "States of a page of the confidential pool.", docs("page_states"))
    out.extend(["", "", "FUNCTIONS: dict[Eid, type[IntEnum]] = {"])
    out.extend(
        f"    Eid.{name}: {name.capitalize()},"
        for name, item in abi["extensions"].items()
        if item["functions"]
    )
    out.extend(["}", ""])
    for name, value in abi["a6"].items():
        out.append(f"A6_{name.upper()} = {number(value)}")
    out.append("")
    for name, value in abi["constants"].items():
        out.append(f"{name} = {number(value)}")
    return "\n".join([*out, ""])


def tables(abi: dict[str, Any]) -> str:
    out = [
        "# ABI tables",
        "",
        NOTE,
        "",
        "## Errors",
        "",
        "| name | value | meaning |",
        "|---|---|---|",
    ]
    for name, item in abi["errors"].items():
        out.append(
            f"| {name}{' (private)' if item.get('private') else ''} | {item['value']} | {item['doc']} |"
        )
    for name, item in abi["extensions"].items():
        out.extend(
            ["", f"## {name}: EID {item['eid']:#010x}{' (private)' if item.get('private') else ''}"]
        )
        if item["functions"]:
            out.extend(["", "| FID | function |", "|---|---|"])
        out.extend(f"| {fid} | {function} |" for function, fid in item["functions"].items())
    for group, title in (("events", "Crossing events"), ("page_states", "Page states")):
        out.extend(["", f"## {title}", "", "| value | name | meaning |", "|---|---|---|"])
        out.extend(
            f"| {item['value']} | {name} | {item['doc']} |" for name, item in abi[group].items()
        )
    out.extend(["", "## Constants", "", "| name | value |", "|---|---|"])
    out.extend(f"| {name} | {number(value)} |" for name, value in abi["constants"].items())
    return "\n".join([*out, ""])


def main() -> int:
    abi = yaml.safe_load((HERE / "cove.yaml").read_text())
    files = {
        HERE / "cove.h": c_header(abi),
        HERE.parent.parent / "harness" / "abi.py": python_module(abi),
        HERE / "README.md": tables(abi),
    }
    if "--check" in sys.argv[1:]:
        stale = [
            path.name
            for path, text in files.items()
            if not path.exists() or path.read_text() != text
        ]
        if stale:
            print(
                f"{', '.join(stale)}: not what cove.yaml says; run python3 firmware/abi/generate.py",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
