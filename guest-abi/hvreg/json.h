/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes one JSON value to a stream. Commas are set by themselves; `name` is
 * NULL inside a list and for the outermost value.
 */
#ifndef HVREG_JSON_H
#define HVREG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *stream;
	bool more;		/* the open object or list has a member already */
};

void json_object(struct json *json, const char *name);
void json_object_end(struct json *json);
void json_list(struct json *json, const char *name);
void json_list_end(struct json *json);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);
/* Any bytes up to a NUL; what is not ASCII is escaped byte by byte. */
void json_string(struct json *json, const char *name, const char *value);

#endif
