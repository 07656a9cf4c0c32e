# SPDX-License-Identifier: Apache-2.0
"""The fuzzers of the TSM's logic find bugs: one is planted for each, in a copy of its sources.

scripts/test runs them on the sources as they are (`make fuzz`). Here everything is compiled once,
and what a bug changes once more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, teecall

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
FUZZERS = ("decode", "regions", "pages", "gstage", "calls")
# Fuzzer, file, what stands there, what the bug makes of it. The first of each runs always.
BUGS = {
    "c.lw-extends-with-zeros": (
        "decode",
        "run/decode.c",
        "\t\tload(access, 4, true, reg);\n",
        "\t\tload(access, 4, false, reg);\n",
    ),
    "reserved-c.ldsp-is-decoded": (
        "decode",
        "run/decode.c",
        "\t\tload(access, 8, true, rd);\n\t\treturn rd;\n",
        "\t\tload(access, 8, true, rd);\n\t\treturn true;\n",
    ),
    "sign-of-a-narrow-load": (
        "decode",
        "run/decode.c",
        "u64 top = 1UL << (8 * access->size - 1);",
        "u64 top = 1UL << (8 * access->size - 2);",
    ),
    "regions-overlap-by-a-page": (
        "regions",
        "tvm/regions.c",
        "if (at < tvm->region_count && tvm->region[at].base < gpa + size)",
        "if (at < tvm->region_count && tvm->region[at].base < gpa + size - PAGE_SIZE)",
    ),
    "mmio-regions-merge": (
        "regions",
        "tvm/regions.c",
        "return a->kind == b->kind && a->kind != REGION_MMIO &&\n\t       ",
        "return a->kind == b->kind && ",
    ),
    "table-of-regions-overflows": (
        "regions",
        "tvm/regions.c",
        "if (tvm->region_count + 2 > TVM_MAX_REGIONS)",
        "if (tvm->region_count > TVM_MAX_REGIONS)",
    ),
    "owner-list-loses-a-link": (
        "pages",
        "mem/pages.c",
        "\t\tpool.page[newer].older = page->older;\n",
        "\t\t;\n",
    ),
    "refused-claim-keeps-pages": (
        "pages",
        "mem/pages.c",
        "\twhile (!all && done > 0)\n",
        "\twhile (!all && done > 1)\n",
    ),
    "shared-page-is-converted": (
        "pages",
        "mem/pages.c",
        "if (page->state == PAGE_HOST && page->shares)",
        "if (page->state == PAGE_HOST && page->shares > 1)",
    ),
    "promoted-leaf-forgets-the-host": (
        "gstage",
        "tvm/gstage.c",
        "\tbool shared = entry[0] & PTE_SHARED;\n",
        "\tbool shared = false;\n",
    ),
    "table-given-back-unscrubbed": (
        "gstage",
        "tvm/gstage.c",
        "\tpages_scrub(table, 1);\n",
        "",
    ),
    "fence-version-cut-short": (
        "gstage",
        "tvm/gstage.c",
        "\t       version >> 7 << VERSION_HIGH_AT;\n",
        "\t       (version >> 7 & 0x1ff) << VERSION_HIGH_AT;\n",
    ),
    "refused-create-keeps-the-root": (
        "calls",
        "call/build.c",
        "\t\tpages_unclaim(params.page_directory, TVM_DIRECTORY_PAGES);\n\t\treturn answer_error(",
        "\t\treturn answer_error(",
    ),
    "given-up-call-keeps-claims": (
        "calls",
        "call/long.c",
        "\tpages_unclaim(long_next(call), part);\n\treturn !call->done;\n",
        "\tpages_unclaim(long_next(call), part - 1);\n\treturn !call->done;\n",
    ),
}


def always() -> list[str]:
    """Return the first bug of each fuzzer."""
    return [next(name for name, bug in BUGS.items() if bug[0] == each) for each in FUZZERS]


@pytest.fixture(scope="module")
def mbedtls() -> str:
    done = teecall("fetch", "-q", "--path", "mbedtls")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make(tree: Path, output: Path, mbedtls: str, *targets: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", "-j2", f"-C{tree}", f"O={output}", f"MBEDTLS={mbedtls}", *targets]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(mbedtls: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a build of all fuzzers from the sources as they are."""
    output = tmp_path_factory.mktemp("fuzzers")
    targets = [f"{output}/fuzz-{each}" for each in FUZZERS]
    done = make(ROOT / "firmware" / "tsm", output, mbedtls, *targets)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("name", BUGS if NIGHTLY else always())
def test_fuzzer_finds_a_planted_bug(name: str, built: Path, mbedtls: str, tmp_path: Path) -> None:
    fuzzer, file, old, new = BUGS[name]
    tree, output = tmp_path / "firmware" / "tsm", tmp_path / "output"
    # Both copies keep the times of the files, so that make compiles only what is changed.
    shutil.copytree(ROOT / "firmware" / "tsm", tree)
    shutil.copytree(ROOT / "firmware" / "abi", tmp_path / "firmware" / "abi")
    shutil.copytree(built, output)
    text = (tree / file).read_text()
    assert text.count(old) == 1, f"{file}: {old!r} does not stand there exactly once"
    (tree / file).write_text(text.replace(old, new))
    done = make(tree, output, mbedtls, f"fuzz-{fuzzer}")
    assert done.returncode, f"{fuzzer} has not found {name}"
    assert "Test unit written to" in done.stderr, done.stderr[-2000:]


@pytest.mark.parametrize("name", BUGS)
def test_bug_changes_what_it_names(name: str) -> None:
    _, file, old, _ = BUGS[name]
    assert (ROOT / "firmware" / "tsm" / file).read_text().count(old) == 1
