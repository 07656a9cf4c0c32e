# SPDX-License-Identifier: Apache-2.0
"""Cells of the table that no script of calls can reach, and what covers them.

A guest makes the calls of COVG, and those of COVI need a machine with guest interrupt files: each
has a scenario of its own. What needs a state that no machine gets into by itself is proven by the
firmware's own tests. Each place is named by its file and by words that stand there.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness import abi

_E = abi.Error
_OK, _PARAM, _ADDRESS = _E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS
_COVI, _MEMORY = "firmware/covi/main.c", "guest-images/tvm/calls_memory.c"
_MMIO, _ATTEST = "guest-images/tvm/calls_mmio.c", "guest-images/tvm/attest.c"
_TESTS = "firmware/tsm/tests/"
_SCENARIOS = {_COVI: "covi", _MEMORY: "tsm-calls", _MMIO: "tsm-calls", _ATTEST: "attest"}


@dataclass(frozen=True, slots=True)
class Place:
    """What covers a cell: words in a file of the repository."""

    file: str
    words: str

    def __str__(self) -> str:
        scenario = _SCENARIOS.get(self.file)
        what = f"`teecall run {scenario}`" if scenario else f"`{self.file}`"
        return f"{what}: `{self.words}`"


def _places(file: str, cells: dict[str, dict[abi.Error, str]]) -> dict[tuple[str, _E], Place]:
    return {
        (function, error): Place(file, words)
        for function, errors in cells.items()
        for error, words in errors.items()
    }


ELSEWHERE: dict[tuple[str, abi.Error], Place] = {
    **_places(
        _COVI,
        {
            "covi init_tvm_aia": {_OK: "SAY(init_tvm_aia,"},
            "covi set_tvm_aia_cpu_imsic_addr": {_OK: "SAY(set_address,"},
            "covi convert_aia_imsic": {
                _OK: "SAY(converted,",
                _ADDRESS: "SAY(convert_own_file,",
                _E.OUT_OF_RANGES: "SAY(convert_refused,",
            },
            "covi reclaim_tvm_aia_imsic": {
                _OK: "SAY(reclaim_self,",
                _ADDRESS: "SAY(reclaim_unfenced,",
                _PARAM: "SAY(reclaim_bound,",
            },
            "covi bind_aia_imsic": {_OK: "SAY(bind,"},
            "covi unbind_aia_imsic_begin": {_OK: "SAY(unbind_begin,"},
            "covi unbind_aia_imsic_end": {_OK: "SAY(unbind_end,", _PARAM: "SAY(unbind_unfenced,"},
            "covi inject_tvm_cpu": {_OK: "SAY(inject,", _PARAM: "SAY(inject_not_allowed,"},
            "covi rebind_aia_imsic_begin": {_OK: "SAY(rebind_begin,"},
            "covi rebind_aia_imsic_clone": {
                _OK: "SAY(rebind_clone,",
                _PARAM: "SAY(clone_unfenced,",
            },
            "covi rebind_aia_imsic_end": {_OK: "SAY(rebind_end,"},
        },
    ),
    **_places(
        f"{_TESTS}test_covi.c",
        {
            "covi init_tvm_aia": {
                _PARAM: "covi(INIT_TVM_AIA, id, HOST_BASE, 27).error, INVALID_PARAM",
                _ADDRESS: "covi(INIT_TVM_AIA, id, TSM_BASE, 28).error,",
            },
            "covi set_tvm_aia_cpu_imsic_addr": {
                _PARAM: "PLACE(id, 2, GUEST_IMSIC(0)), INVALID_PARAM",
                _ADDRESS: "PLACE(id, 0, GUEST_IMSIC(0) + 4), INVALID_ADDRESS",
            },
            "covi bind_aia_imsic": {_PARAM: "covi(BIND_AIA_IMSIC, id, 1, 2).error, INVALID_PARAM"},
            "covi unbind_aia_imsic_begin": {
                _PARAM: "covi(UNBIND_AIA_IMSIC_BEGIN, id, 0).error, INVALID_PARAM"
            },
            "covi rebind_aia_imsic_begin": {
                _PARAM: "covi(REBIND_AIA_IMSIC_BEGIN, id, 0, 4).error,"
            },
            "covi rebind_aia_imsic_end": {
                _PARAM: "covi(REBIND_AIA_IMSIC_END, id, 0).error, INVALID_PARAM"
            },
        },
    ),
    **_places(
        _MMIO,
        {
            "covg add_mmio_region": {
                _OK: 'check("add_mmio_region"',
                _ADDRESS: 'check("MMIO region twice"',
            },
            "covg remove_mmio_region": {
                _OK: 'check("remove_mmio_region"',
                _ADDRESS: 'check("remove_mmio_region twice"',
            },
            "covg allow_external_interrupt": {
                _OK: 'check("allow", allow(2047), 0)',
                _PARAM: 'check("allow beyond the last"',
            },
            "covg deny_external_interrupt": {
                _OK: 'check("deny", deny(2047), 0)',
                _PARAM: 'check("deny beyond the last"',
            },
        },
    ),
    **_places(
        _MEMORY,
        {
            "covg share_memory_region": {
                _OK: 'check("share", covg(COVE_COVG_SHARE_MEMORY_REGION',
                _PARAM: 'check("share of nothing"',
                _ADDRESS: 'check("share from half a page on"',
            },
            "covg unshare_memory_region": {
                _OK: 'check("unshare", covg(COVE_COVG_UNSHARE_MEMORY_REGION',
                _PARAM: 'check("unshare of own memory"',
                _ADDRESS: 'check("unshare from half a page on"',
            },
            "covg read_measurement": {_ADDRESS: 'check("measurement into shared memory"'},
        },
    ),
    **_places(
        _ATTEST,
        {
            "covg get_attcaps": {_OK: "attest: attcaps="},
            "covg extend_measurement": {_OK: "attest: extend=", _PARAM: "attest: frozen="},
            "covg get_evidence": {_OK: "attest: evidence=", _PARAM: "attest: small="},
            "covg read_measurement": {_OK: "attest: register"},
        },
    ),
    **_places(
        f"{_TESTS}test_attest.c",
        {
            "covg get_attcaps": {
                _PARAM: "{ ATTCAPS, { OUT, 335 }, PARAM }",
                _ADDRESS: "{ ATTCAPS, { OUT + 8, 336 }, ADDRESS }",
            },
            "covg extend_measurement": {_ADDRESS: "{ EXTEND, { IN + 8, 48, 6 }, ADDRESS }"},
            "covg get_evidence": {
                _ADDRESS: "{ EVIDENCE, { nowhere, 1, CHALLENGE, 1, OUT, 4096 }, ADDRESS }",
            },
            "covg retrieve_secret": {_E.NOT_SUPPORTED: "{ COVE_COVG_RETRIEVE_SECRET, { OUT, 48 },"},
        },
    ),
    ("covg get_evidence", _E.BUSY): Place(f"{_TESTS}test_attest_many.c", "tasks_are_shared_out"),
    ("covg get_evidence", _E.FAILED): Place(f"{_TESTS}test_attest.c", "a_crash_is_an_error"),
    ("covg read_measurement", _PARAM): Place(
        f"{_TESTS}test_sbi.c", "{ GUEST_BASE, 47, 4, PARAM },"
    ),
}
