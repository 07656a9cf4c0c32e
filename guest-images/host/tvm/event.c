// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens in a run: JSON lines on stdout for programs; for people the
 * guest's console on stdout and the rest on stderr.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tvm.h"

static void put_pages(const struct tvm *tvm)
{
	uint64_t pa = tvm->first_data;

	json_array_begin("pages");
	for (size_t i = 0; i < tvm->image.count; i++) {
		const struct segment *segment = &tvm->image.segments[i];

		for (uint64_t page = 0; page < segment->pages; page++) {
			json_item_begin();
			json_unsigned("gpa", segment->gpa + page * PAGE_SIZE);
			json_unsigned("pa", pa);
			json_item_end();
			pa += PAGE_SIZE;
		}
	}
	json_array_end();
}

static void put_pool(const struct tvm *tvm)
{
	json_array_begin("pool");
	json_item_begin();
	json_unsigned("base", tvm->memory.base);
	json_unsigned("pages", tvm->memory.converted);
	json_item_end();
	json_array_end();
}

void event_launch(const struct tvm *tvm)
{
	if (events_are_quiet())
		return;
	if (!events_are_json()) {
		fprintf(stderr, "tvm: TVM %" PRIu64 ": %" PRIu64 " measured pages, entry %#" PRIx64 ", argument %#" PRIx64 "\n",
			tvm->id, tvm->image.pages, tvm->image.entry, tvm->arg);
		return;
	}
	event_begin("launch");
	json_unsigned("tvm", tvm->id);
	json_unsigned("entry", tvm->image.entry);
	json_unsigned("arg", tvm->arg);
	put_pages(tvm);
	put_pool(tvm);
	json_end();
}

void event_exit(const struct run_end *end)
{
	const struct covh_run *last = &end->last;

	if (events_are_quiet())
		return;
	event_finish_console();
	if (!events_are_json()) {
		fprintf(stderr, "tvm: %s after %" PRIu64 " exits and %" PRIu64 " host interrupts; error %lld (%s), value %llu, scause %#llx, stval %#llx, htval %#llx\n",
			end->reason, end->exits, end->interrupts,
			(long long)last->error, error_name(last->error),
			(unsigned long long)last->value,
			(unsigned long long)last->scause,
			(unsigned long long)last->stval,
			(unsigned long long)last->htval);
		return;
	}
	event_begin("exit");
	json_string("reason", end->reason);
	json_unsigned("scause", last->scause);
	json_unsigned("stval", last->stval);
	json_unsigned("htval", last->htval);
	json_signed("error", last->error);
	json_unsigned("value", last->value);
	json_unsigned("exits", end->exits);
	json_unsigned("interrupts", end->interrupts);
	json_unsigned("hgatp", last->hgatp);
	json_end();
}

void event_held(const char *name)
{
	if (!events_are_json()) {
		fprintf(stderr, "tvm: held; tvm release %s goes on\n", name);
		return;
	}
	event_begin("held");
	json_string("name", name);
	json_end();
}

/* An event that is nothing but an error code. */
static void code(const char *event, int64_t error)
{
	if (events_are_quiet())
		return;
	event_finish_console();
	if (!events_are_json()) {
		fprintf(stderr, "tvm: %s: %" PRId64 " (%s)\n", event, error,
			error_name(error));
		return;
	}
	event_begin(event);
	json_signed("error", error);
	json_end();
}

void event_destroy(int64_t error)
{
	code("destroy", error);
}

void event_gone(int64_t error)
{
	code("gone", error);
}

void event_reclaim(uint64_t pages, int64_t error, uint64_t nonzero_bytes)
{
	if (events_are_quiet())
		return;
	if (!events_are_json()) {
		fprintf(stderr, "tvm: reclaim: %" PRIu64 " pages, %" PRId64 " (%s), %" PRIu64 " bytes not zero\n",
			pages, error, error_name(error), nonzero_bytes);
		return;
	}
	event_begin("reclaim");
	json_unsigned("pages", pages);
	json_signed("error", error);
	json_unsigned("nonzero_bytes", nonzero_bytes);
	json_end();
}

void event_done(void)
{
	if (!events_are_json() || events_are_quiet())
		return;
	event_begin("done");
	json_end();
}

/**
 * Something failed.
 * @call: the call or step
 * @error: its error code
 * @format: what it means and what helps, one line
 */
void event_error(const char *call, int64_t error, const char *format, ...)
{
	char message[256];
	va_list list;

	if (events_are_quiet())
		return;
	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	event_finish_console();
	if (!events_are_json()) {
		fprintf(stderr, "tvm: %s: %" PRId64 " (%s): %s\n", call, error,
			error_name(error), message);
		return;
	}
	event_begin("error");
	json_string("call", call);
	json_signed("error", error);
	json_string("message", message);
	json_end();
}
