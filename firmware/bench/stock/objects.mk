#
# SPDX-License-Identifier: BSD-2-Clause
#
# Placed in lib/sbi/tsmd/ instead of the TSM-driver: nothing, so that OpenSBI is
# as upstream has it.
#
