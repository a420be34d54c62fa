// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How callgatectl prints what the daemon said: cleaned text for people, JSON for
 * programs. Owns nothing. The only place that writes strings of others to
 * standard output.
 */
#include "callgatectl.h"

#include "plain.h"
#include "util/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void print_text(FILE *out, const char *text)
{
	char *clean = plain_copy(text);

	fputs(clean ? clean : "?", out);
	free(clean);
}

void print_json_text(FILE *out, const char *text)
{
	uint32_t c;

	fputc('"', out);
	while (*text) {
		size_t n = text_decode(text, &c);

		if (n == 0) {
			fputs("\\ufffd", out);
			n = 1;
		} else if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", c);
		} else if (text_is_hidden(c) && c > 0xffff) {
			c -= 0x10000;
			fprintf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
		} else if (text_is_hidden(c)) {
			fprintf(out, "\\u%04x", c);
		} else {
			fwrite(text, 1, n, out);
		}
		text += n;
	}
	fputc('"', out);
}

void print_json_kinds(FILE *out, unsigned kinds)
{
	static const struct {
		unsigned kind;
		const char *name;
	} names[] = {
		{ KIND_CAMERA, "camera" },
		{ KIND_MICROPHONE, "microphone" },
		{ KIND_SPEAKER, "speaker" },
	};
	const char *between = "";

	fputc('[', out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(kinds & names[i].kind))
			continue;
		fprintf(out, "%s\"%s\"", between, names[i].name);
		between = ", ";
	}
	fputc(']', out);
}

static bool is_kinds(const char *name)
{
	static const char *const names[] = { "Kinds", "Approved", "Granted", "PeerCaptured",
					     "Blocked" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* EndReason becomes "end_reason". */
static void json_name(FILE *out, const char *name)
{
	fputc('"', out);
	for (const char *p = name; *p; p++) {
		if (isupper((unsigned char)*p) && p > name)
			fputc('_', out);
		if (isalnum((unsigned char)*p))
			fputc(tolower((unsigned char)*p), out);
	}
	fputs("\": ", out);
}

static void json_value(FILE *out, const struct client_field *field)
{
	if (field->type == 'u' && is_kinds(field->name))
		return print_json_kinds(out, field->number);
	switch (field->type) {
	case 's':
		print_json_text(out, field->text);
		break;
	case 'u':
		fprintf(out, "%llu", (unsigned long long)field->number);
		break;
	case 'b':
		fputs(field->number ? "true" : "false", out);
		break;
	case 'a':
		fputc('[', out);
		for (char **p = field->list; *p; p++) {
			if (p > field->list)
				fputs(", ", out);
			print_json_text(out, *p);
		}
		fputc(']', out);
		break;
	default:
		fputs("null", out);
	}
}

void print_json_members(FILE *out, const struct client_dict *dict)
{
	bool first = !dict->path;

	if (dict->path) {
		fputs("\"path\": ", out);
		print_json_text(out, dict->path);
	}
	for (size_t i = 0; i < dict->n; i++) {
		if (!first)
			fputs(", ", out);
		first = false;
		json_name(out, dict->fields[i].name);
		json_value(out, &dict->fields[i]);
	}
}

void print_json_list(FILE *out, const struct client_list *list)
{
	fputc('[', out);
	for (size_t i = 0; i < list->n; i++) {
		fputs(i ? ", {" : "{", out);
		print_json_members(out, &list->items[i]);
		fputc('}', out);
	}
	fputc(']', out);
}

void print_duration(FILE *out, unsigned long long seconds)
{
	if (seconds < 60)
		fprintf(out, "%llu s", seconds);
	else if (seconds < 3600)
		fprintf(out, "%llu min %llu s", seconds / 60, seconds % 60);
	else
		fprintf(out, "%llu h %llu min", seconds / 3600, seconds / 60 % 60);
}

const char *print_path_end(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : "";
}
