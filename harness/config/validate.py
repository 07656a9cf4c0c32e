# SPDX-License-Identifier: Apache-2.0
"""Values that must fit together: what no type of a single key can say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from harness.config import references
from harness.config.domains import TsmDomain, domains
from harness.config.schema import Config
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
    for found in domains(config):
        _check_region(found, origin)
        _check_pool(found, origin)
    _check_places(config, origin)
    _check_references(config, origin)


def _check_region(found: TsmDomain, origin: Origin) -> None:
    size = found.tsm_size
    if size & (size - 1) or size < 2 * _PAGE:
        raise _wrong(
            "tsm_size",
            size,
            origin,
            "it must be a power of two from 0x2000 on",
            f"one NAPOT entry of the PMP covers the region; for example {_power_of_two(size):#x}",
        )
    if found.tsm_base % size:
        raise _wrong(
            found.keys.tsm_base,
            found.tsm_base,
            origin,
            f"it must be a multiple of memory.tsm_size, {size:#x}",
            f"for example {found.tsm_base // size * size:#x}",
        )


def _check_pool(found: TsmDomain, origin: Origin) -> None:
    keys = found.keys
    for key, value in ((keys.pool_base, found.pool_base), (keys.pool_size, found.pool_size)):
        if value % _PAGE:
            raise _wrong(
                key,
                value,
                origin,
                "it must be a multiple of a page, 0x1000",
                f"for example {(value + _PAGE - 1) // _PAGE * _PAGE:#x}",
            )
    if found.pool_size < _LEAST_POOL:
        raise _wrong(
            keys.pool_size,
            found.pool_size,
            origin,
            f"a TVM needs at least {_LEAST_POOL:#x}",
            "make it larger",
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Memory of a domain, and the keys that put it there."""

    name: str
    base: str
    size: str
    range: range


def _places(found: TsmDomain) -> tuple[_Place, _Place]:
    keys = found.keys
    region = range(found.tsm_base, found.tsm_base + found.tsm_size)
    pool = range(found.pool_base, found.pool_base + found.pool_size)
    return (
        _Place(f"the {keys.label}TSM's region", keys.tsm_base, keys.tsm_size, region),
        _Place(f"the {keys.label}pool", keys.pool_base, keys.pool_size, pool),
    )


def _check_places(config: Config, origin: Origin) -> None:
    top = RAM_BASE + config.machine.memory_mib * _MIB
    places = [place for found in domains(config) for place in _places(found)]
    for place in places:
        area = place.range
        if area.start < RAM_BASE or area.stop > top:
            raise _wrong(
                place.base,
                area.start,
                origin,
                f"[{area.start:#x}, {area.stop:#x}) is not in memory [{RAM_BASE:#x}, {top:#x})",
                f"move it, lower memory.{place.size}, or raise machine.memory_mib",
            )
    for one, other in combinations(places, 2):
        if one.range.start < other.range.stop and other.range.start < one.range.stop:
            raise _overlap(one, other, origin)


def _overlap(one: _Place, other: _Place, origin: Origin) -> ConfigError:
    return _wrong(
        other.base,
        other.range.start,
        origin,
        f"{other.name} [{other.range.start:#x}, {other.range.stop:#x}) and {one.name}"
        f" [{one.range.start:#x}, {one.range.stop:#x}) overlap",
        f"move memory.{other.base} or memory.{one.base}",
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
