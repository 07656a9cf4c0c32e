# SPDX-License-Identifier: Apache-2.0
"""What is validated: each scenario is a list of checks on one machine."""
