/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include "json.h"

static void put_string(struct json *json, const char *text)
{
	const unsigned char *c;

	fputc('"', json->stream);
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c > 0x7e || *c == '"' || *c == '\\')
			fprintf(json->stream, "\\u%04x", *c);
		else
			fputc(*c, json->stream);
	}
	fputc('"', json->stream);
}

static void begin(struct json *json, const char *name)
{
	if (json->more)
		fputc(',', json->stream);
	json->more = true;
	if (name) {
		put_string(json, name);
		fputc(':', json->stream);
	}
}

static void open_with(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	fputc(bracket, json->stream);
	json->more = false;
}

static void close_with(struct json *json, char bracket)
{
	fputc(bracket, json->stream);
	json->more = true;
}

void json_object(struct json *json, const char *name)
{
	open_with(json, name, '{');
}

void json_object_end(struct json *json)
{
	close_with(json, '}');
}

void json_list(struct json *json, const char *name)
{
	open_with(json, name, '[');
}

void json_list_end(struct json *json)
{
	close_with(json, ']');
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	begin(json, name);
	fprintf(json->stream, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin(json, name);
	fputs(value ? "true" : "false", json->stream);
}

void json_string(struct json *json, const char *name, const char *value)
{
	begin(json, name);
	put_string(json, value);
}
