# SPDX-License-Identifier: Apache-2.0
"""The exit codes of each verb, as its help tells them."""

from __future__ import annotations

_DONE = "0 done"
_CORRECT = "2 the command line, the configuration or a file has to be corrected"
_INFRA = "99 INFRA: the environment stands in the way"
_ENDED = "129, 130, 143 ended by SIGHUP, ctrl-C, SIGTERM"
_JUDGED = "0 PASS, 1 FAIL, CRASH or HANG, 77 SKIP, 124 TIMEOUT"

# Verbs whose exit code is a verdict, or that of something else; all others are done or are not.
_FIRST = {
    **dict.fromkeys(("smoke", "run"), f"{_JUDGED}; of several runs that of the worst"),
    "nightly": f"{_JUDGED}; of the worst run that counts",
    "replay": "0 the same, 1 it differs; of a run that does not pass its own",
    "test": "0 all passed, 1 a test failed, 77 all were skipped, 124 TIMEOUT; of the worst test",
    "build": "0 done, 1 something does not build",
    "boot": "0 the machine went off by itself, 1 CRASH or HANG, 124 TIMEOUT",
    "gdb": "that of gdb",
}


def exit_codes(verb: str) -> str:
    """Return the paragraph about a verb's exit codes.

    Args:
        verb: its name.
    """
    return f"Exit codes: {'; '.join([_FIRST.get(verb, _DONE), _CORRECT, _INFRA, _ENDED])}."
