# SPDX-License-Identifier: Apache-2.0
"""Run a scenario by its name."""

from __future__ import annotations

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


@click.command(cls=_Listing)
@click.argument("scenario", shell_complete=_scenarios)
@config_options
@running_options
def command(scenario: str, options: Options, running: Running) -> int:
    """Run SCENARIO on one machine and print a line for each check.

    With --repeat it is run again and again, each time on a machine of its own, and a line is
    printed for each run; at the end stand the counts of the verdicts, the rate of passes with its
    95 % confidence interval, and the failures by kind. A run that the environment spoilt (INFRA)
    is made again, twice at most. Ctrl-C ends what goes on and sums up what was run.

    \b
    teecall run smoke --run-dir /tmp/evidence
    teecall run smoke --repeat 200 -j 2
    teecall run smoke --until-fail
    """
    from harness.scenarios.session import SCENARIOS

    if scenario not in SCENARIOS:
        raise UsageError(
            f"no scenario '{scenario}'", f"choose one of: {', '.join(sorted(SCENARIOS))}"
        )
    return run_and_show(scenario, options, running)
