# SPDX-License-Identifier: Apache-2.0
"""List every tool with the version found, the version needed and how to install it."""

from __future__ import annotations

from dataclasses import dataclass

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.tools import QEMU, TOOLS, Tool, Version, parse_version, shown, version_line
from harness.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one tool."""

    tool: Tool
    found: bool
    version: Version

    @property
    def good(self) -> bool:
        """Whether the tool will do."""
        return self.found and self.version >= self.tool.minimum

    @property
    def mark(self) -> str:
        """The first column: ok, old, missing, or - when it is optional."""
        if self.good:
            return "ok"
        if self.found:
            return "old"
        return "-" if self.tool.optional else "missing"


@click.command()
@config_options
@json_option("Write the tools, found and needed, to FILE too.")
def command(options: Options, result: Result) -> int:
    """Check that everything teecall needs is installed.

    Exit code 0 when it is, 99 when something is missing or too old.

    \b
    teecall doctor
    teecall doctor --json tools.json
    """
    config = options.load().value
    tools = _configured(config.qemu.binary, config.build.cross_compile)
    findings = [_find(tool) for tool in tools]
    result.give([_value(finding) for finding in findings])
    for finding in findings:
        if not options.quiet or not finding.good:
            click.echo(_line(finding))
    bad = [finding for finding in findings if not finding.good and not finding.tool.optional]
    if not bad:
        click.echo("everything is here")
        return Verdict.PASS.exit_code
    click.echo(f"{len(bad)} missing or too old; scripts/setup installs them on Debian", err=True)
    return Verdict.INFRA.exit_code


def _configured(qemu: str, cross: str) -> list[Tool]:
    """Return the tools with the programs that the configuration names."""
    from dataclasses import replace

    names = {QEMU.program: qemu, "riscv64-linux-gnu-gcc": f"{cross}gcc"}
    return [replace(tool, program=names.get(tool.program, tool.program)) for tool in TOOLS]


def _find(tool: Tool) -> Finding:
    import shutil

    if shutil.which(tool.program) is None:
        return Finding(tool, False, ())
    return Finding(tool, True, parse_version(version_line(tool.program, tool.version_args)))


def _value(finding: Finding) -> dict[str, object]:
    tool = finding.tool
    return {
        "program": tool.program,
        "state": "optional" if finding.mark == "-" else finding.mark,
        "version": shown(finding.version) if finding.found else None,
        "needed": shown(tool.minimum) if tool.minimum else None,
        "purpose": tool.purpose,
        "install": None if finding.good else _install(finding),
    }


def _line(finding: Finding) -> str:
    tool = finding.tool
    needed = f">= {shown(tool.minimum)}" if tool.minimum else ""
    found = shown(finding.version) if finding.found else ""
    columns = f"{finding.mark:<8}{tool.program:<24}{found:<12}{needed:<10}"
    return columns + (tool.purpose if finding.good else f"{tool.purpose}: {_install(finding)}")


def _install(finding: Finding) -> str:
    if finding.tool.package == QEMU.package:
        return "scripts/setup (from backports on Debian 12), or build it from qemu.org"
    return finding.tool.install
