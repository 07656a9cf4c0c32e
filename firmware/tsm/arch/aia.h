/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest interrupt files of the hart. */
#ifndef TSM_AIA_ARCH_H
#define TSM_AIA_ARCH_H

#include "abi/teecall.h"

/** Find out how many guest interrupt files the harts have */
void aia_probe(const struct tsm_boot_info *info);

#endif
