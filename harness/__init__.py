# SPDX-License-Identifier: Apache-2.0
"""Boot, drive and check confidential virtual machines on RISC-V (CoVE, deployment model 1)."""

__version__ = "0.1.0"
