# SPDX-License-Identifier: Apache-2.0
"""Which commit, or which value, broke it: the search engine, without git, builds or machines."""
