# SPDX-License-Identifier: BSD-2-Clause
#
# What gcov says of each file of the TSM's logic, as a table; fails below
# `minimum` per cent of all lines, and when gcov has said nothing.

# Makefile's names, so that headers and libraries do not count.
BEGIN {
	count = split(files, name, " ")
	for (i = 1; i <= count; i++)
		wanted[name[i]] = 1
}

/^File / {
	split($0, part, "'")
	file = part[2]
	sub(/^firmware\/tsm\//, "", file)
}

/^Lines executed:/ && file in wanted {
	split($0, part, /[:% ]+/)
	share = part[3]
	of = $NF
	printf "%6.1f %% of %4d lines  %s\n", share, of, file
	run += share * of / 100
	lines += of
	delete wanted[file]
}

/^(Lines executed:|No executable lines)/ {
	file = ""
}

END {
	for (file in wanted) {
		printf "no coverage of %s: gcov does not know it\n", file
		missing = 1
	}
	if (!lines || missing)
		exit 1
	printf "%6.1f %% of %4d lines in all, at least %d %% wanted\n", 100 * run / lines,
	       lines, minimum
	exit 100 * run / lines < minimum
}
