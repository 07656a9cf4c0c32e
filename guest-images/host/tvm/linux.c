// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the parts of a Linux guest lie: shim, its parameters and the device tree
 * in the first block of memory, then the kernel where its header wants it, then
 * the initramfs in the next whole block. The rest is memory that comes when it
 * is touched.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices.h"
#include "fdt.h"
#include "linux.h"
#include "guest/shim.h"

/* Linux, Documentation/arch/riscv/boot-image-header.rst */
struct kernel_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint32_t version;
	uint32_t reserved[3];
	uint64_t magic;
	uint32_t magic2;
	uint32_t reserved2;
};

#define KERNEL_MAGIC2	0x05435352 /* "RSC\x05" */
/* Of the usual crystal, for the driver to compute a divisor that nobody uses */
#define UART_CLOCK	1843200
#define TIMEBASE	"/proc/device-tree/cpus/timebase-frequency"

struct place {
	const struct linux_guest *guest;
	struct image *image;
	uint64_t initrd_start;
	uint64_t initrd_end;
	uint64_t fdt;
	char *why;
	size_t why_size;
};

#define REFUSE(place, ...) \
	(snprintf((place)->why, (place)->why_size, __VA_ARGS__), false)

static bool map(struct place *place, const char *path, struct segment *segment)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *bytes = MAP_FAILED;

	if (fd < 0)
		return REFUSE(place, "%s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size)
		bytes = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return REFUSE(place, "%s: not a readable, non-empty file", path);
	segment->bytes = bytes;
	segment->size = st.st_size;
	return true;
}

static bool add(struct place *place, struct segment segment)
{
	struct image *image = place->image;

	if (image->count == MAX_SEGMENTS)
		return REFUSE(place, "the shim has too many segments");
	/* Those of the shim have more pages than their files have bytes. */
	if (!segment.pages)
		segment.pages = round_up(segment.size, PAGE_SIZE) / PAGE_SIZE;
	if (segment.gpa + segment.pages * PAGE_SIZE >
	    linux_pool(place->guest))
		return REFUSE(place, "kernel and initramfs do not fit into %" PRIu64 " MiB; give more --memory",
			      place->guest->memory >> 20);
	image->segments[image->count++] = segment;
	image->pages += segment.pages;
	return true;
}

static bool is_kernel(const struct segment *segment)
{
	struct kernel_header header;

	if (segment->size < sizeof(header))
		return false;
	memcpy(&header, segment->bytes, sizeof(header));
	return le32toh(header.magic2) == KERNEL_MAGIC2;
}

static bool add_payload(struct place *place, struct segment segment,
			uint64_t *end)
{
	struct why why = { .text = place->why, .size = place->why_size };

	if (!payload_place(&segment, place->guest->memory,
			   &place->image->entry, &why))
		return false;
	*end = segment.gpa + segment.size;
	return add(place, segment);
}

static bool add_kernel(struct place *place, uint64_t *end)
{
	const char *path = place->guest->kernel;
	struct kernel_header header;
	struct segment segment = {};

	if (!map(place, path, &segment))
		return false;
	if (place->guest->payload && !is_kernel(&segment))
		return add_payload(place, segment, end);
	if (segment.size < sizeof(header))
		return REFUSE(place, "%s: not a kernel; give an uncompressed Image", path);
	memcpy(&header, segment.bytes, sizeof(header));
	if (le32toh(header.magic2) != KERNEL_MAGIC2)
		return REFUSE(place, "%s: no riscv Linux Image; give the uncompressed Image of the build", path);
	if (header.text_offset < BLOCK_SIZE || header.text_offset % BLOCK_SIZE ||
	    header.image_size < segment.size ||
	    header.image_size > place->guest->memory)
		return REFUSE(place, "%s: its header asks for %#" PRIx64 " bytes at offset %#" PRIx64 "; it is damaged, or give more --memory",
			      path, header.image_size, header.text_offset);
	segment.gpa = SHIM_BASE + header.text_offset;
	*end = segment.gpa + header.image_size;
	place->image->entry = segment.gpa;
	return add(place, segment);
}

static bool add_initrd(struct place *place, uint64_t behind)
{
	struct segment segment = { .gpa = round_up(behind, BLOCK_SIZE) };

	if (!place->guest->initrd)
		return true;
	if (!map(place, place->guest->initrd, &segment))
		return false;
	place->initrd_start = segment.gpa;
	place->initrd_end = segment.gpa + segment.size;
	return add(place, segment);
}

static void step(struct shim_params *params, enum shim_kind kind,
		 uint64_t base, uint64_t size)
{
	params->steps[params->count++] = (struct shim_step){
		.kind = kind, .base = base, .size = size,
	};
}

static void add_device_steps(struct shim_params *params,
			     const struct linux_guest *guest)
{
	step(params, SHIM_MMIO, DEVICES_PLIC, PLIC_SIZE);
	step(params, SHIM_MMIO, DEVICES_VIRTIO,
	     guest->devices.count * DEVICES_STRIDE);
	step(params, SHIM_SHARE, linux_pool(guest), guest->devices.pool_size);
	/* Without AIA an interrupt has no number: any that is allowed will do. */
	step(params, SHIM_ALLOW, 1, 0);
}

static bool add_shim(struct place *place)
{
	static struct shim_params params = { .magic = SHIM_MAGIC };
	struct segment page = {
		.gpa = SHIM_PARAMS, .bytes = (void *)&params,
		.size = sizeof(params),
	};
	struct image shim;

	if (!image_load(&shim, place->guest->shim, place->why, place->why_size))
		return false;
	if (shim.entry != SHIM_BASE ||
	    shim.segments[shim.count - 1].gpa +
	    shim.segments[shim.count - 1].pages * PAGE_SIZE > SHIM_PARAMS)
		return REFUSE(place, "%s: a shim starts at %#lx and ends before %#lx",
			      place->guest->shim, SHIM_BASE, SHIM_PARAMS);
	for (size_t i = 0; i < shim.count; i++)
		if (!add(place, shim.segments[i]))
			return false;
	params.entry = place->image->entry;
	params.count = 1;
	if (place->guest->uart)
		params.steps[params.count++] = (struct shim_step){
			.kind = SHIM_MMIO,
			.base = SHIM_UART,
			.size = SHIM_UART_SIZE,
		};
	/* The last block of its own: the kernel has not been there, nor has the VMM. */
	params.steps[0] = (struct shim_step){
		.kind = SHIM_ZERO,
		.base = linux_pool(place->guest) - BLOCK_SIZE,
		.size = BLOCK_SIZE,
	};
	if (place->guest->devices.count)
		add_device_steps(&params, place->guest);
	place->image->entry = shim.entry;
	return add(place, page);
}

static uint32_t timebase(void)
{
	uint32_t cell = 0;
	int fd = open(TIMEBASE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &cell, sizeof(cell)) != sizeof(cell))
			cell = 0;
		close(fd);
	}
	return be32toh(cell);
}

static void put_cpu(struct fdt *fdt, uint64_t id)
{
	static const char extensions[] =
		"i\0m\0a\0f\0d\0c\0zicntr\0zicsr\0zifencei\0sstc";
	char name[24];

	snprintf(name, sizeof(name), "cpu@%" PRIx64, id);
	fdt_node(fdt, name);
	fdt_text(fdt, "device_type", "cpu");
	fdt_cell(fdt, "reg", id);
	fdt_text(fdt, "status", "okay");
	fdt_text(fdt, "compatible", "riscv");
	fdt_text(fdt, "riscv,isa", "rv64imafdc_zicntr_zicsr_zifencei_sstc");
	fdt_text(fdt, "riscv,isa-base", "rv64i");
	fdt_bytes(fdt, "riscv,isa-extensions", extensions, sizeof(extensions));
	fdt_text(fdt, "mmu-type", "riscv,sv39");
	fdt_node(fdt, "interrupt-controller");
	fdt_cell(fdt, "#interrupt-cells", 1);
	fdt_empty(fdt, "interrupt-controller");
	fdt_text(fdt, "compatible", "riscv,cpu-intc");
	fdt_cell(fdt, "phandle", id + 1);
	fdt_end(fdt);
	fdt_end(fdt);
}

static void put_chosen(struct fdt *fdt, const struct place *place)
{
	fdt_node(fdt, "chosen");
	fdt_text(fdt, "bootargs", place->guest->cmdline);
	if (place->initrd_end) {
		fdt_number(fdt, "linux,initrd-start", place->initrd_start);
		fdt_number(fdt, "linux,initrd-end", place->initrd_end);
	}
	fdt_end(fdt);
}

/* No interrupt: without an interrupt controller the driver looks by a timer. */
static void put_uart(struct fdt *fdt)
{
	char name[40];

	snprintf(name, sizeof(name), "serial@%lx", SHIM_UART);
	fdt_node(fdt, name);
	fdt_text(fdt, "compatible", "ns16550a");
	fdt_range(fdt, "reg", SHIM_UART, 0x100);
	fdt_cell(fdt, "clock-frequency", UART_CLOCK);
	fdt_end(fdt);
}

static void put_devices(struct fdt *fdt, const struct linux_guest *guest)
{
	struct devices_tree tree = guest->devices;

	tree.vcpus = guest->vcpus;
	tree.pool = linux_pool(guest);
	devices_put_tree(fdt, &tree);
}

static void put_tree(struct fdt *fdt, const struct place *place,
		     uint32_t frequency)
{
	char name[40];

	fdt_node(fdt, "");
	fdt_cell(fdt, "#address-cells", 2);
	fdt_cell(fdt, "#size-cells", 2);
	fdt_text(fdt, "compatible", "teecall,guest");
	fdt_text(fdt, "model", "teecall,guest");
	put_chosen(fdt, place);
	snprintf(name, sizeof(name), "memory@%lx", SHIM_BASE);
	fdt_node(fdt, name);
	fdt_text(fdt, "device_type", "memory");
	fdt_range(fdt, "reg", SHIM_BASE, place->guest->memory);
	fdt_end(fdt);
	fdt_node(fdt, "cpus");
	fdt_cell(fdt, "#address-cells", 1);
	fdt_cell(fdt, "#size-cells", 0);
	fdt_cell(fdt, "timebase-frequency", frequency);
	for (uint64_t id = 0; id < place->guest->vcpus; id++)
		put_cpu(fdt, id);
	fdt_end(fdt);
	if (place->guest->uart)
		put_uart(fdt);
	put_devices(fdt, place->guest);
	fdt_end(fdt);
}

static bool add_tree(struct place *place)
{
	static struct fdt fdt;
	static uint8_t tree[FDT_MAX];
	struct segment segment = { .gpa = place->fdt, .bytes = tree };
	uint32_t frequency = timebase();

	if (!frequency)
		return REFUSE(place, "%s: not readable; mount /proc", TIMEBASE);
	put_tree(&fdt, place, frequency);
	segment.size = fdt_finish(&fdt, 0, tree);
	if (!segment.size)
		return REFUSE(place, "the device tree does not fit into %d bytes; shorten --cmdline", FDT_MAX);
	return add(place, segment);
}

/* Pages are measured in ascending order, so that is the order of the segments. */
static void sort(struct image *image)
{
	for (size_t i = 1; i < image->count; i++)
		for (size_t j = i; j && image->segments[j].gpa <
					image->segments[j - 1].gpa; j--) {
			struct segment moved = image->segments[j];

			image->segments[j] = image->segments[j - 1];
			image->segments[j - 1] = moved;
		}
}

bool linux_place(const struct linux_guest *guest, struct image *image,
		 uint64_t *fdt, char *why, size_t size)
{
	struct place place = {
		.guest = guest, .image = image, .why = why, .why_size = size,
	};
	struct image kernel = {};
	uint64_t end;

	place.fdt = guest->payload ? PAYLOAD_FDT(guest->memory) : SHIM_FDT;
	memset(image, 0, sizeof(*image));
	if (guest->memory % BLOCK_SIZE || guest->memory < 16 * BLOCK_SIZE)
		return REFUSE(&place, "--memory is an even number of MiB, 32 at least");
	place.image = &kernel;
	if (!add_kernel(&place, &end) || !add_initrd(&place, end))
		return false;
	image->entry = kernel.entry;
	place.image = image;
	if ((guest->shim && !add_shim(&place)) || !add_tree(&place))
		return false;
	for (size_t i = 0; i < kernel.count; i++)
		if (!add(&place, kernel.segments[i]))
			return false;
	sort(image);
	image->region_base = SHIM_BASE;
	image->region_size = guest->memory;
	*fdt = place.fdt;
	return true;
}
