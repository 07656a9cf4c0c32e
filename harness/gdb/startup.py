# SPDX-License-Identifier: Apache-2.0
"""The file that `teecall gdb` lets gdb read first: it finds the harness and hands over to it."""

import os
import sys

# gdb's Python need not be the one that teecall was installed for.
if sys.version_info < (3, 11):  # noqa: UP036
    raise SystemExit("gdb's Python is older than 3.11: use a gdb-multiarch that was built for it")

sys.path.insert(0, os.environ["TEECALL_GDB_HARNESS"])

from harness.gdb.session import begin

begin(os.environ["TEECALL_GDB_IMAGES"], os.environ["TEECALL_GDB_SOCKET"])
