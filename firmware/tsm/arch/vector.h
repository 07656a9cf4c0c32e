/* SPDX-License-Identifier: BSD-2-Clause */
/* V registers of the host and of a vCPU on the hart. */
#ifndef TSM_VECTOR_H
#define TSM_VECTOR_H

/** Find out if the hart has V, and how long its registers are */
void vector_probe(void);

/** Keep the host's registers and put the guest's on this hart */
void vector_load(const void *guest);

/** Keep the guest's registers and put the host's back over them */
void vector_put(void *guest);

/** A vCPU that was never run */
void vector_init(void *guest);

#endif
