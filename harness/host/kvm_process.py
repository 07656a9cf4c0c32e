# SPDX-License-Identifier: Apache-2.0
"""What the host's kernel says of a process that runs a KVM guest, whichever VMM it is."""

from __future__ import annotations

import re

_VCPU = re.compile(r"-> anon_inode:kvm-vcpu:(\d+)\r?$", re.MULTILINE)
# guest_time is field 43 of /proc/PID/stat (proc_pid_stat(5)), the name in brackets the second.
_GUEST_TIME = 43
_TICKS_PER_S = 100


def vcpus(files: str) -> int:
    """Return how many vCPUs of KVM a process has open.

    Args:
        files: `ls -l` of /proc/PID/fd.
    """
    return len(set(_VCPU.findall(files)))


def guest_seconds(stat: str) -> float:
    """Return the seconds that harts have spent in a process's guest, by the host's count.

    Args:
        stat: /proc/PID/stat.

    Raises:
        ValueError: it has no such field.
    """
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _GUEST_TIME - 3:
        raise ValueError("the process is gone, or the host's kernel counts no guest time")
    # The first behind the name is the third.
    return int(fields[_GUEST_TIME - 3]) / _TICKS_PER_S
