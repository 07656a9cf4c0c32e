# SPDX-License-Identifier: Apache-2.0
"""Print the script that completes teecall's command lines in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from harness.cli._json import Result, json_option


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@json_option("Write the script to FILE too")
def command(shell: str, result: Result) -> int:
    """Print what SHELL reads to complete verbs, options, scenarios, keys of --set and runs.

    \b
    teecall completion bash
    eval "$(teecall completion bash)"                   in ~/.bashrc
    eval "$(teecall completion zsh)"                    in ~/.zshrc
    teecall completion fish | source                    in ~/.config/fish/config.fish
    """
    from harness.cli.main import teecall

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(teecall, {}, "teecall", "_TEECALL_COMPLETE").source()
    result.give({"shell": shell, "script": script})
    click.echo(script)
    return 0
