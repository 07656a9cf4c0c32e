# SPDX-License-Identifier: Apache-2.0
"""A night: all cells of a matrix, unattended, within a time, whatever any one of them does."""
