# SPDX-License-Identifier: Apache-2.0
"""Run a scenario by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness import scenarios
from harness.cli._options import Options, config_options
from harness.cli._running import Running, run_and_show, running_options
from harness.cli.main import summary
from harness.errors import UsageError


class _Listing(click.Command):
    """A command whose help ends with the scenarios, read as text: none is imported for it."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from harness.scenarios.session import SCENARIOS

        folder = Path(scenarios.__file__).parent
        rows = [(name, summary(folder / f"{SCENARIOS[name]}.py")) for name in sorted(SCENARIOS)]
        with formatter.section("Scenarios"):
            formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


def _scenarios(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a scenario."""
    from harness.scenarios.session import SCENARIOS

    return [name for name in sorted(SCENARIOS) if name.startswith(incomplete)]


def _replayed(scenario: str, file: Path | None, options: Options) -> tuple[str, Options]:
    """Return what `replay FILE` stands for: conformance with the calls of a file."""
    if (scenario == "replay") != (file is not None):
        raise UsageError(
            f"'{scenario}' takes {'a' if file is None else 'no'} file",
            "teecall run replay FILE makes the calls of a script",
        )
    if file is None:
        return scenario, options
    return "conformance", replace(options, sets=(*options.sets, f"conformance.script={file}"))


@click.command(cls=_Listing)
@click.argument("scenario", shell_complete=_scenarios)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_options
@running_options
def command(scenario: str, file: Path | None, options: Options, running: Running) -> int:
    """Run SCENARIO on one machine and print a line for each check.

    With --repeat it is run again and again, each time on a machine of its own, and a line is
    printed for each run; at the end stand the counts of the verdicts, the rate of passes with its
    95 % confidence interval, and the failures by kind. A run that the environment spoilt (INFRA)
    is made again, twice at most. Ctrl-C ends what goes on and sums up what was run.

    \b
    teecall run smoke --run-dir /tmp/evidence
    teecall run smoke --repeat 200 -j 2
    teecall run smoke --until-fail

    `replay` makes the calls of a script, FILE, and compares the answers with the reference model:
    what `conformance` leaves behind when a TSM differs from it.

    \b
    teecall run replay conformance.calls
    """
    from harness.scenarios.session import SCENARIOS

    scenario, options = _replayed(scenario, file, options)
    if scenario not in SCENARIOS:
        raise UsageError(
            f"no scenario '{scenario}'", f"choose one of: {', '.join(sorted(SCENARIOS))}"
        )
    return run_and_show(scenario, options, running)
