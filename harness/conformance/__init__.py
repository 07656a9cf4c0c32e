# SPDX-License-Identifier: Apache-2.0
"""Does a TSM do what the CoVE documents say? A reference model, and call sequences for both."""
