# SPDX-License-Identifier: Apache-2.0
"""Verify the evidence of a TVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.attest.measure import Reference

_FILE = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """Verify the evidence of a TVM (firmware/abi/attestation.md).

    \b
    teecall attest verify run/evidence.cbor --root run/root.pem
    """


@command.command()
@click.argument("file", type=_FILE)
@click.option("--root", type=_FILE, required=True, help="Public key of the root of trust, PEM.")
@click.option("--challenge", metavar="HEX", help="The 64 bytes that the evidence must answer.")
@click.option("--guest", type=_FILE, help="The TVM's ELF file: compare registers 4 and 5.")
@click.option("--arg", default="0", metavar="N", show_default=True, help="The TVM's argument.")
@click.option("--firmware", type=_FILE, help="The M-mode firmware that was loaded.")
@click.option("--tsm", type=_FILE, help="The TSM's ELF file that was loaded.")
@json_option("Write the claims to FILE.")
def verify(
    file: Path,
    root: Path,
    challenge: str | None,
    guest: Path | None,
    arg: str,
    firmware: Path | None,
    tsm: Path | None,
    result: Result,
) -> int:
    """Verify FILE, which holds evidence as get_evidence gives it.

    The signatures are always checked, from the root of trust to the TVM. What is given beside
    FILE is compared too; without --challenge the evidence may be an old one.

    \b
    teecall run attest --run-dir run
    teecall attest verify run/evidence.cbor --root run/root.pem --guest run/guest.elf \\
        --arg "$(cat run/argument)" --challenge "$(cat run/challenge)"
    """
    from harness.attest.measure import Reference, launch_registers
    from harness.attest.verify import verify as verified

    reference = Reference(
        challenge=_hex(challenge),
        firmware=None if firmware is None else _read(firmware),
        tsm=None if tsm is None else _read(tsm),
        initial=launch_registers(_read(guest), _number(arg), guest.name) if guest else None,
    )
    found = verified(_read(file), _read(root), reference)
    registers = {**found.initial, **found.runtime}
    for index, value in sorted(registers.items()):
        click.echo(f"register {index}  {value.hex()}")
    for name, value in found.components.items():
        click.echo(f"{name}  {value.hex()}")
    click.echo(f"challenge {found.challenge.hex()}")
    click.echo("verified: " + ", ".join(_compared(reference)))
    result.give(
        {
            "challenge": found.challenge.hex(),
            "key": found.guest_key.hex(),
            "registers": {str(index): value.hex() for index, value in registers.items()},
            "components": {name: value.hex() for name, value in found.components.items()},
        }
    )
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", "give a file, such as one in the folder of the run"
        ) from error


def _hex(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise UsageError(f"--challenge: {error}", "give hexadecimal digits") from error


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as error:
        raise UsageError(
            f"--arg: {text!r} is no number", "give it in decimal, or in hexadecimal after 0x"
        ) from error


def _compared(reference: Reference) -> list[str]:
    """Name what was compared beside the signatures."""
    fields = ("challenge", "firmware", "tsm", "initial")
    given = [name for name in fields if getattr(reference, name) is not None]
    return ["signatures", *given]
