// SPDX-License-Identifier: BSD-2-Clause
/* What KVM itself counts (KVM_GET_STATS_FD, Linux's Documentation/virt/kvm/api.rst 4.133). */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kvm.h"

static bool read_at(int fd, uint64_t offset, void *to, size_t size)
{
	return pread(fd, to, size, offset) == (ssize_t)size;
}

static uint64_t read_exits(int fd, const struct kvm_stats_header *header)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct kvm_stats_desc *desc = malloc(size + 1);
	uint64_t value = 0;

	for (uint32_t i = 0; desc && i < header->num_desc; i++) {
		if (!read_at(fd, header->desc_offset + i * size, desc, size))
			break;
		((char *)desc)[size] = '\0';
		if (strcmp(desc->name, "exits"))
			continue;
		if (!read_at(fd, header->data_offset + desc->offset, &value,
			     sizeof(value)))
			value = 0;
		break;
	}
	free(desc);
	return value;
}

/**
 * Exits of the vCPU to the host, most of which the kernel deals with alone; 0
 * where the kernel does not say.
 */
uint64_t vcpu_all_exits(const struct vcpu *vcpu)
{
	struct kvm_stats_header header;
	uint64_t exits = 0;
	int fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);

	if (fd < 0)
		return 0;
	if (read_at(fd, 0, &header, sizeof(header)))
		exits = read_exits(fd, &header);
	close(fd);
	return exits;
}
