/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ground everything stands on: types, pages, locks, text. Nothing in this
 * room knows about CoVE.
 */
#ifndef TSM_LIB_H
#define TSM_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static inline bool page_aligned(u64 value)
{
	return !(value & (PAGE_SIZE - 1));
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

/** True if [a, a + a_size) and [b, b + b_size) meet; neither may wrap */
static inline bool ranges_meet(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

/** True if [base, base + size) lies inside [outer, outer + outer_size) */
static inline bool range_inside(u64 base, u64 size, u64 outer, u64 outer_size)
{
	return base >= outer && size <= outer_size &&
	       base - outer <= outer_size - size;
}

/**
 * A lock that is only ever held for a short, bounded stretch of code: no
 * holder waits for the host, returns to it or runs a guest. All harts run with
 * interrupts off, so spinning cannot deadlock with a handler.
 */
struct spinlock {
	u32 held;
};

static inline bool spin_trylock(struct spinlock *lock)
{
	return !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);
}

static inline void spin_lock(struct spinlock *lock)
{
	while (!spin_trylock(lock))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			;
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/**
 * Write text into a buffer, always ended by a zero byte.
 *
 * Knows %s, %d (int), %u (unsigned int), %x (unsigned int), %lu, %lx (u64)
 * and %%.
 *
 * @return characters written, the zero byte not counted
 */
size_t format_args(char *out, size_t size, const char *text, va_list args);

size_t format(char *out, size_t size, const char *text, ...)
	__attribute__((format(printf, 3, 4)));

#endif
