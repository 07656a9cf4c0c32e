// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>
#include <strings.h>

#include "tvm.h"

struct error_name {
	const char *name;
	int64_t error;
};

struct extension_name {
	const char *name;
	uint64_t eid;
};

struct function_name {
	uint64_t eid;
	const char *name;
	uint64_t fid;
};

#include "names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *error_name(int64_t error)
{
	if (!error)
		return "SUCCESS";
	for (size_t i = 0; i < COUNT(error_names); i++)
		if (error_names[i].error == error)
			return error_names[i].name;
	return "unknown error";
}

bool extension_by_name(const char *name, uint64_t *eid)
{
	for (size_t i = 0; i < COUNT(extension_names); i++) {
		if (strcasecmp(extension_names[i].name, name))
			continue;
		*eid = extension_names[i].eid;
		return true;
	}
	return false;
}

bool function_by_name(uint64_t eid, const char *name, uint64_t *fid)
{
	for (size_t i = 0; i < COUNT(function_names); i++) {
		if (function_names[i].eid != eid ||
		    strcasecmp(function_names[i].name, name))
			continue;
		*fid = function_names[i].fid;
		return true;
	}
	return false;
}

/* The domain is named in a6 by these two only. */
bool has_sdid(uint64_t eid)
{
	return eid == COVE_EID_COVH || eid == COVE_EID_COVI;
}
