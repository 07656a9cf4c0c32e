# SPDX-License-Identifier: Apache-2.0
"""What runs inside gdb: symbols where they are loaded, and commands that know the two domains.

gdb's own Python runs it, which has the standard library and nothing else.
"""
