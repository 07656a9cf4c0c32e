# SPDX-License-Identifier: Apache-2.0
"""One module per verb; argument handling and printing only."""
