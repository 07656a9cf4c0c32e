// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tvm.h"

static const char *remedy(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load the driver: insmod /lib/modules/covh.ko";
	case EACCES:
	case EPERM:
		return "run as root";
	default:
		return "see dmesg";
	}
}

/** Open the driver; says why not and returns -1. */
int device_open(void)
{
	int fd = open(COVH_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fprintf(stderr, "tvm: %s: %s; %s\n", COVH_DEVICE, strerror(errno),
			remedy(errno));
	return fd;
}

int device_call(int fd, struct covh_call *call)
{
	if (!ioctl(fd, COVH_CALL, call))
		return 0;
	fprintf(stderr, "tvm: ECALL %#llx: %s%s\n",
		(unsigned long long)call->eid, strerror(errno),
		errno == EPERM ? "; the driver refuses extensions that take the hart away" : "");
	return -1;
}

/**
 * Make a COVH call.
 * @value: receives a1, may be NULL
 * Returns a0, COVE_ERR_FAILED when the driver itself failed.
 */
int64_t device_covh(int fd, uint32_t sdid, uint32_t fid, const uint64_t *args,
		    size_t count, uint64_t *value)
{
	struct covh_call call = {
		.eid = COVE_EID_COVH,
		.fid = (uint64_t)sdid << COVE_A6_SDID_SHIFT | fid,
		.flags = COVH_CALL_INTERRUPTIBLE,
	};

	memcpy(call.args, args, count * sizeof(*args));
	if (device_call(fd, &call))
		return COVE_ERR_FAILED;
	if (!call.error)
		stop_after(fid);
	if (value)
		*value = call.value;
	return call.error;
}
