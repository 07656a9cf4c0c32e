# SPDX-License-Identifier: Apache-2.0
"""Where inputs come from, and how each is verified."""
