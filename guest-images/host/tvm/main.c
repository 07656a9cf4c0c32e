// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <string.h>

#include "tvm.h"

static const char usage[] =
"usage: tvm VERB ...\n"
"  call EXT FUNCTION [ARG...] [--sdid N] [--cpu N] [--json]\n"
"          one ECALL; EXT: covh covi supd nacl base tsmd ... or a number,\n"
"          FUNCTION: a name of firmware/abi/cove.yaml or a number\n"
"  batch [FILE] [--short]\n"
"          a call on each line, as `call` takes it; an answer in JSON for each;\n"
"          - or nothing: standard input; --save N keeps a call's value for later\n"
"          lines, where it is $N; --again: a run that an interrupt of the host ends\n"
"          is made again; --flip ADDR VALUE: while the call is made, another CPU writes\n"
"          VALUE and what was there to ADDR in turn; between `host run TVM VCPU` and\n"
"          `host stop` another CPU runs that vCPU; `host read ADDR`, `host write ADDR VALUE`,\n"
"          `host fill ADDR BYTES VALUE` and `host nonzero ADDR BYTES` are the\n"
"          host's own accesses; --short: error, value and scause, no JSON\n"
"  run ELF [--arg N] [--sdid N] [--json] [--hold NAME] [--max-exits N] [--timeout SECONDS] [--on-cpu N] [--yield] [--roam]\n"
"          launch a TVM, run it to its end, destroy it, reclaim its memory;\n"
"          --on-cpu runs it in IPIs of that CPU, whatever that does meanwhile,\n"
"          --yield gives the CPU away at every exit;\n"
"          --roam: each turn of the vCPU on the next CPU;\n"
"          SIGUSR1: console calls of the guest answer 1, which may mean it ends\n"
"  vm ELF [--arg N] [--sdid N] [--json] [--vcpus N] [--memory MIB] [--large]\n"
"     [--input TEXT] [--contrary] [--timeout SECONDS]\n"
"          a TVM with a VMM of its own: a thread for each vCPU, memory on demand\n"
"          behind the image (--large: in 2 MiB pages where they fit), sharing,\n"
"          and a page of registers that remember wherever the guest wants MMIO;\n"
"          --contrary: first does each of its parts wrong, and says what it is told\n"
"  linux IMAGE [--initrd FILE] [--shim ELF] [--cmdline TEXT] [--memory MIB] [--vcpus N]\n"
"     [--console FILE] [--input TEXT] [--uart] [--disk FILE]... [--rng] [--net] [--unpooled N]\n"
"     [--small | --single] [--dirty] [--pry] [--sdid N] [--json] [--timeout SECONDS]\n"
"          a Linux kernel in a TVM, by the same VMM: measured are the shim, the device\n"
"          tree that this tool writes, kernel and initramfs; all else of its 128 MiB\n"
"          comes when it is touched, all that is missing in 2 MiB at once and as one\n"
"          page if it can (--small: in pages of 4 KiB; --single: and one by one);\n"
"          --console: the guest's console goes there, be it a file or a device,\n"
"          --uart: its console is a 16550 that this tool emulates, not the SBI's,\n"
"          --disk: a virtio-blk over that file, --rng: random bytes of the host's,\n"
"          --net: a network whose other end, 10.0.2.2, answers ping and UDP echo;\n"
"          their buffers lie in 4 MiB that the shim shares and the kernel bounces\n"
"          through (CONFIG_DMA_RESTRICTED_POOL), an address outside of them ends\n"
"          the guest; --unpooled: the device tree has no pool for device N, of disks,\n"
"          random bytes and network counted from 0 in this order,\n"
"          --pry: at the end the host tries to read each page of the guest,\n"
"          --dirty: its memory is full of a pattern before the TSM gets it\n"
"  payload FILE [options of linux]\n"
"          an ELF file where it is linked to, or a flat binary at 0x80200000; it starts\n"
"          with a0 = hart id, a1 = device tree, and ends by SBI's system reset\n"
"  release NAME\n"
"          let a TVM go that `run --hold NAME` holds\n"
"  peek ADDR [LEN] [--json]\n"
"  poke ADDR HEX [--json]\n"
"          physical memory; a fault is an answer, not an error\n"
"  probe HEX ADDR...\n"
"          at each address peek as many bytes as HEX has, then poke HEX; JSON\n"
"  pool [--sdid N] [--json]\n"
"          state of the confidential pool\n"
"  storm ELF [--rounds N] [--timeout SECONDS]\n"
"          on every CPU at once: convert, fence, reclaim, launch TVMs; JSON\n"
"  visible [--rounds N] [--timeout SECONDS]\n"
"          what one CPU converts or reclaims all see at once; JSON\n"
"  shootdown ELF [--rounds N] [--timeout SECONDS] [--hold]\n"
"          a page is closed under threads whose CPUs run TVMs; JSON;\n"
"          --hold: more rounds than N until SIGUSR1 comes\n"
"  contend ELF --arg EXITS [--timeout SECONDS]\n"
"          all CPUs run one vCPU, which may be on one at a time; JSON\n"
"  agent [DEVICE] [--after FIFO]\n"
"          run commands for the harness, framed and with checksums;\n"
"          --after: no sooner than a line comes through the FIFO\n"
"environment: TVM_STOP_AFTER=FUNCTION[:N]: the tool stops itself (SIGSTOP) behind\n"
"          the Nth call of that COVH function that succeeds\n"
"exit status: 0 done, 1 guest or TSM error, 2 wrong use\n";

static const struct verb {
	const char *name;
	enum status (*run)(struct args *args);
} verbs[] = {
	{ "call", verb_call },
	{ "batch", verb_batch },
	{ "run", verb_run },
	{ "vm", verb_vm },
	{ "linux", verb_linux },
	{ "payload", verb_payload },
	{ "release", verb_release },
	{ "peek", verb_peek },
	{ "poke", verb_poke },
	{ "probe", verb_probe },
	{ "pool", verb_pool },
	{ "storm", verb_storm },
	{ "visible", verb_visible },
	{ "shootdown", verb_shootdown },
	{ "contend", verb_contend },
	{ "agent", verb_agent },
};

/** Run a verb with its arguments, as on a command line; return the exit status. */
int tvm_main(int argc, char **argv)
{
	struct args args = { .count = argc, .words = argv, .next = 2 };

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return STATUS_OK;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(&args);
	if (argc >= 2)
		fprintf(stderr, "tvm: no verb \"%s\"\n", argv[1]);
	fputs(usage, stderr);
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	return tvm_main(argc, argv);
}
