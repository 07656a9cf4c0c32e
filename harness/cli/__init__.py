# SPDX-License-Identifier: Apache-2.0
"""One module per verb; argument handling and printing only."""

from __future__ import annotations

import gc

# Start-up makes many objects that all stay: looking through them for garbage only costs time.
gc.set_threshold(100_000)
