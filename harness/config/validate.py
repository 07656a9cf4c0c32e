# SPDX-License-Identifier: Apache-2.0
"""Values that must fit together: what no type of a single key can say."""

from __future__ import annotations

from collections.abc import Callable

from harness.config import references
from harness.config.schema import Config, Memory
from harness.errors import ConfigError

RAM_BASE = 0x80000000
_PAGE = 4096
_MIB = 1 << 20
# A TVM's memory region is a multiple of 2 MiB.
_LEAST_POOL = 2 * _MIB

Origin = Callable[[str], str]


def validate(config: Config, origin: Origin) -> None:
    """Check the values of a configuration against each other.

    Args:
        config: each value of which is of the right type.
        origin: says where a dotted key was set.

    Raises:
        ConfigError: names the key, the value and where it was set.
    """
    _check_region(config.memory, origin)
    _check_pool(config.memory, origin)
    _check_places(config, origin)
    _check_references(config, origin)


def _check_region(memory: Memory, origin: Origin) -> None:
    size = memory.tsm_size
    if size & (size - 1) or size < 2 * _PAGE:
        raise _wrong(
            "tsm_size",
            size,
            origin,
            "it must be a power of two from 0x2000 on",
            f"one NAPOT entry of the PMP covers the region; for example {_power_of_two(size):#x}",
        )
    if memory.tsm_base % size:
        raise _wrong(
            "tsm_base",
            memory.tsm_base,
            origin,
            f"it must be a multiple of memory.tsm_size, {size:#x}",
            f"for example {memory.tsm_base // size * size:#x}",
        )


def _check_pool(memory: Memory, origin: Origin) -> None:
    for key, value in (("pool_base", memory.pool_base), ("pool_size", memory.pool_size)):
        if value % _PAGE:
            raise _wrong(
                key,
                value,
                origin,
                "it must be a multiple of a page, 0x1000",
                f"for example {(value + _PAGE - 1) // _PAGE * _PAGE:#x}",
            )
    if memory.pool_size < _LEAST_POOL:
        raise _wrong(
            "pool_size",
            memory.pool_size,
            origin,
            f"a TVM needs at least {_LEAST_POOL:#x}",
            "make it larger",
        )


def _check_places(config: Config, origin: Origin) -> None:
    memory = config.memory
    top = RAM_BASE + config.machine.memory_mib * _MIB
    region = range(memory.tsm_base, memory.tsm_base + memory.tsm_size)
    pool = range(memory.pool_base, memory.pool_base + memory.pool_size)
    for name, place in (("tsm", region), ("pool", pool)):
        if place.start < RAM_BASE or place.stop > top:
            raise _wrong(
                f"{name}_base",
                place.start,
                origin,
                f"[{place.start:#x}, {place.stop:#x}) is not in memory [{RAM_BASE:#x}, {top:#x})",
                f"move it, lower memory.{name}_size, or raise machine.memory_mib",
            )
    if region.start < pool.stop and pool.start < region.stop:
        raise _wrong(
            "pool_base",
            pool.start,
            origin,
            f"the pool [{pool.start:#x}, {pool.stop:#x}) and the TSM's region"
            f" [{region.start:#x}, {region.stop:#x}) overlap",
            "move memory.pool_base or memory.tsm_base",
        )


def _check_references(config: Config, origin: Origin) -> None:
    """Check the names of built things that stand in place of files."""
    for key in references.KEYS:
        group, name = key.split(".")
        value = getattr(getattr(config, group), name)
        if value is None or not references.is_reference(value):
            continue
        try:
            references.find(value, key, references.own_guests(config.tvm.source))
        except ConfigError as error:
            raise ConfigError(f"{origin(key)}: {error.message}", error.remedy) from None


def _wrong(key: str, value: int, origin: Origin, why: str, remedy: str) -> ConfigError:
    name = f"memory.{key}"
    return ConfigError(f"{origin(name)}: '{name}' cannot be {value:#x}: {why}", remedy)


def _power_of_two(size: int) -> int:
    return max(2 * _PAGE, 1 << (size - 1).bit_length())
