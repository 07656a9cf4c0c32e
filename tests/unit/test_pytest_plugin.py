# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin and `teecall test`, as far as no machine is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.cli.main import run
from harness.testing import judging, marker

pytest_plugins = ["pytester"]
# pytester forgets what its tests import, and what is compiled in C cannot be imported anew.
LOADED = (judging, marker, yaml)

TEST = """
import pytest

@pytest.mark.teecall({marker})
def test_marked(host):
    pass

def test_without(request):
    pass
"""


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("hart=4", ["no argument 'hart'", "did you mean 'harts'?"]),
        ("aia_guest=1", ["did you mean 'aia_guests'?"]),
        ("4", ["takes named arguments, not 4"]),
        ("set='a=b'", ["'set' is a mapping"]),
        ("config=3", ["'config' is a file"]),
        ("fresh=1", ["'fresh' is True or False"]),
        ("harts=9", ["machine.harts"]),
        ("aia='aplic-imsi'", ["machine.aia"]),
        ("set={'opensbi.versoin': '1.6'}", ["opensbi.versoin", "opensbi.version"]),
        ("config='none.yaml'", ["none.yaml"]),
    ],
)
def test_wrong_marker(marker: str, says: list[str], pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST.format(marker=marker))
    result = pytester.runpytest("-p", "no:hypothesispytest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = "\n".join(result.errlines)
    assert "test_wrong_marker.py::test_marked" in text
    for wanted in says:
        assert wanted in text, text


def test_wrong_marker_of_a_test_that_is_not_chosen(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST.format(marker="hart=4"))
    assert pytester.runpytest("-k", "without").ret == 0


def test_the_nearest_marker_is_laid_over_the_others(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", small="machine: {harts: 1, memory_mib: 768}")
    pytester.makepyfile(
        """
        import pytest
        from harness.testing.marker import need_of

        pytestmark = pytest.mark.teecall(config="small.yaml", fresh=True)

        @pytest.mark.teecall(harts=4, fresh=False, set={"tsm.flags": ["X=1"]})
        def test_near(request):
            need = need_of(request.node)
            config = need.config()
            assert (config.machine.harts, config.machine.memory_mib) == (4, 768)
            assert config.opensbi.version == "1.8.1" and config.tsm.flags == ("X=1",)
            assert not need.fresh

        def test_far(request):
            assert need_of(request.node).fresh
            assert need_of(request.node).config().machine.harts == 1
        """
    )
    sets = ("--teecall-set", "machine.harts=2", "--teecall-set", "opensbi.version=1.8.1")
    pytester.runpytest(*sets).assert_outcomes(passed=2)


def test_machine_that_is_not_built(pytester: pytest.Pytester, cache: Path) -> None:
    pytester.makepyfile("def test_it(host):\n    pass\n")
    result = pytester.runpytest("--teecall-offline", "--teecall-set", "tsm.flags=[NOBODY=1]")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*INFRA*is not built: *tsm*", "*teecall test PATH*"])


def test_emulator_that_is_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(host):\n    pass\n")
    for binary, says in (("/no/qemu", "is not there"), ("/bin/true", "is no QEMU")):
        result = pytester.runpytest("--teecall-set", f"qemu.binary={binary}")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"*INFRA*{says}*", "*remedy: correct qemu.binary*"])


def test_unused_plugin_loads_nothing() -> None:
    program = "import harness.pytest_plugin, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = {name for name in done.stdout.split() if name.startswith("harness")}
    assert loaded == {"harness", "harness.pytest_plugin"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def _test(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_mine.py").write_text(text)
    command = [sys.executable, "-m", "harness", "test", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path.cwd())


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("def test_it():\n    pass\n", (), 0),
        ("def test_it():\n    assert 0\n", (), 1),
        ("import pytest\ndef test_it():\n    pytest.skip('no')\n", (), 77),
        ("def test_it():\n    pass\n", ("-k", "nothing"), 2),
        ("import nothing_like_it\n", (), 2),
        ("def test_it():\n    raise KeyboardInterrupt\n", (), 130),
        ("def test_it():\n    pass\n", ("--no-such-option",), 2),
        ("def test_it(host):\n    pass\n", ("--set", "machine.hart=1"), 2),
        ("def test_it(host):\n    pass\n", ("--set", "tsm.elf=/no/tsm.elf"), 2),
    ],
)
def test_exit_code(text: str, words: tuple[str, ...], code: int, folder: Path) -> None:
    done = _test(folder, text, *words)
    assert done.returncode == code, done.stdout + done.stderr


def test_outcomes_as_json(folder: Path) -> None:
    text = "def test_good():\n    pass\ndef test_bad():\n    assert 0\n"
    _test(folder, text, "--json", str(folder / "t.json"))
    told = json.loads((folder / "t.json").read_text())
    assert told["verdict"] == "FAIL"
    assert [test["outcome"] for test in told["tests"]] == ["passed", "failed"]


def test_path_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "/no/tests::test_it"]) == 2
    assert "/no/tests is not there" in capsys.readouterr().err
