# SPDX-License-Identifier: Apache-2.0
"""`python -m harness` is `teecall`."""

from harness.cli.main import main

main()
