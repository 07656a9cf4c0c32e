# SPDX-License-Identifier: Apache-2.0
"""Run your own tests (pytest) on machines of teecall's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.errors import ToolMissing, UsageError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGS]...")
@config_options
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the logs of the machines, one in it for each [default: runs in the cache].",
)
@json_option("Write each test's outcome, verdict, signature and evidence to FILE.")
def command(
    path: Path,
    pytest_args: tuple[str, ...],
    options: Options,
    run_dir: Path | None,
    result: Result,
) -> int:
    """Run the tests of PATH, a folder, a file or one test (FILE::NAME), with pytest.

    What the machines of the tests need is built once, before the first test. A test asks for a
    machine by one of the fixtures `machine`, `host` (commands and COVH calls) and `tvm` (launches
    TVMs), and says by the marker `teecall` which one: harts, memory_mib, cpu, aia and aia_guests
    as in the configuration, config=FILE, set={KEY: VALUE}; fresh=True shares it with no other
    test. -c and --set lie under what a marker says. Options that are not teecall's are pytest's.

    A test whose machine dies fails with the verdict, the signature, the place and the folder of
    the evidence; what the environment has spoilt (INFRA) is pytest's error and no failure.

    \b
    teecall test tests/examples
    teecall test tests/examples -x -k tvm
    teecall test my-tests --set opensbi.source=path:../opensbi
    pytest my-tests                        # once it is built
    """
    _check(path)
    import pytest

    from harness.testing.tally import Tally

    tally = Tally()
    code = int(pytest.main(_words(path, pytest_args, options, run_dir), plugins=[tally]))
    result.give(tally.as_json())
    exit_code = tally.exit_code(code)
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise UsageError(f"{path}: no test was chosen", "see its names with --collect-only")
    return exit_code


def _check(path: Path) -> None:
    """Check what can be checked before pytest is loaded.

    Raises:
        UsageError: there is no such file.
        ToolMissing: there is no pytest.
    """
    place = Path(str(path).partition("::")[0])
    if not place.exists():
        raise UsageError(f"{place} is not there", "give a folder or a file with tests")
    if importlib.util.find_spec("pytest") is None:
        raise ToolMissing("pytest is not installed", "pip install 'teecall[test]'")


def _words(
    path: Path, pytest_args: tuple[str, ...], options: Options, run_dir: Path | None
) -> list[str]:
    """Return pytest's command line."""
    # From a source tree that was not installed, the plugin goes by its module's name.
    words = ["-p", "teecall" if _installed() else "harness.pytest_plugin", "--teecall-build"]
    words += [f"--teecall-config={file}" for file in options.files]
    words += [f"--teecall-set={text}" for text in options.sets]
    words += ["--teecall-offline"] if options.offline else []
    words += [f"--teecall-evidence={run_dir.absolute()}"] if run_dir else []
    words += ["-v"] if options.verbose else []
    words += ["-q"] if options.quiet else []
    return [*words, str(path), *pytest_args]


def _installed() -> bool:
    from importlib.metadata import entry_points

    return bool(entry_points(group="pytest11", name="teecall"))
