# SPDX-License-Identifier: Apache-2.0
"""Many runs: what one is, processes that hold them, and when the next may begin.

A *cell* is one run as a value: a scenario with its configuration. `run_cell` turns it into a
result in any process of any machine, so every `concurrent.futures.Executor` will do.
"""
