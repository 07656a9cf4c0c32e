# SPDX-License-Identifier: Apache-2.0
"""When two failures are the same: what broke, how, and where, without what differs by chance.

Nothing here touches a machine or a file: the functions take text and checks and return values, so
that a live run, `teecall parse` and a test come to the same result.
"""
