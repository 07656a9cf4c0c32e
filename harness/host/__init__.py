# SPDX-License-Identifier: Apache-2.0
"""The host kernel as an object: its shell, COVH calls, the tvm tool."""
