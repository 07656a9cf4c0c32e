# SPDX-License-Identifier: Apache-2.0
"""Typed configuration: `schema` holds the values, `load` reads them from layered YAML."""
