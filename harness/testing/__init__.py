# SPDX-License-Identifier: Apache-2.0
"""What stands behind the pytest plugin; imported when a test uses it, not before."""
