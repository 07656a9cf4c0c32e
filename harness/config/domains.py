# SPDX-License-Identifier: Apache-2.0
"""The TSM domains of a machine: which SDID each has, and which keys say where its memory is."""

from __future__ import annotations

from dataclasses import dataclass

from harness.config.schema import Config, Memory


@dataclass(frozen=True, slots=True)
class DomainKeys:
    """Where the configuration says what belongs to a domain: keys of its group `memory`.

    `label` tells its parts from those of other domains in messages; `node` is its node below
    /chosen in the device tree.
    """

    sdid: int
    label: str
    node: str
    tsm_base: str
    tsm_size: str
    pool_base: str
    pool_size: str


KEYS = (
    DomainKeys(1, "", "tsm-domain", "tsm_base", "tsm_size", "pool_base", "pool_size"),
    DomainKeys(2, "second ", "tsm-domain-2", "tsm2_base", "tsm_size", "pool2_base", "pool2_size"),
)


@dataclass(frozen=True, slots=True)
class TsmDomain:
    """A TSM domain and its memory: physical addresses, sizes in bytes."""

    keys: DomainKeys
    tsm_base: int
    tsm_size: int
    pool_base: int
    pool_size: int

    @property
    def sdid(self) -> int:
        """Supervisor domain id, by which the host selects it."""
        return self.keys.sdid

    @property
    def buffer(self) -> int:
        """The pool's last page: plain host memory until it is converted."""
        return self.pool_base + self.pool_size - 4096


def _domain(keys: DomainKeys, memory: Memory) -> TsmDomain:
    sizes = (keys.tsm_base, keys.tsm_size, keys.pool_base, keys.pool_size)
    return TsmDomain(keys, *(getattr(memory, name) for name in sizes))


def domains(config: Config) -> tuple[TsmDomain, ...]:
    """Return the TSM domains of the machine, by SDID."""
    return tuple(_domain(keys, config.memory) for keys in KEYS[: config.tsm.domains])
