/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The linker's --wrap goes by name alone. A function that OpenSBI gives other
 * arguments would be called with the old ones and nobody would be told.
 */
#ifndef TSMD_WRAP_H
#define TSMD_WRAP_H

/** Do not build where @p name, which is wrapped, has another type */
#define TSMD_SAME_TYPE(name)						\
	_Static_assert(__builtin_types_compatible_p(			\
			       __typeof__(name),			\
			       __typeof__(__wrap_##name)),		\
		       #name "() has another type in this OpenSBI")

#endif
