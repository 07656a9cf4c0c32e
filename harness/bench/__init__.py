# SPDX-License-Identifier: Apache-2.0
"""Measurements of teecall itself; each module is one `teecall bench NAME`."""
