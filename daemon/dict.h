/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dictionaries a{sv} in messages. */
#ifndef CALLGATE_DICT_H
#define CALLGATE_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/**
 * struct dict_entry
 * @type: D-Bus type; 's' and 'o' use @text, the others @number
 */
struct dict_entry {
	const char *key;
	char type;
	const char *text;
	uint64_t number;
};

#define DICT_TEXT(k, v)                              \
	{                                            \
		.key = (k), .type = 's', .text = (v) \
	}
#define DICT_OBJECT(k, v)                            \
	{                                            \
		.key = (k), .type = 'o', .text = (v) \
	}
#define DICT_FLAG(k, v)                                \
	{                                              \
		.key = (k), .type = 'b', .number = (v) \
	}
#define DICT_U32(k, v)                                 \
	{                                              \
		.key = (k), .type = 'u', .number = (v) \
	}
#define DICT_U64(k, v)                                 \
	{                                              \
		.key = (k), .type = 't', .number = (v) \
	}

/* All of them: negative errno of sd-bus. */
int dict_append(sd_bus_message *m, const struct dict_entry *entries, size_t n);
/* The value alone, without its variant. */
int dict_append_value(sd_bus_message *m, const struct dict_entry *entry);
/* Only the entries inside a dictionary that the caller opened. */
int dict_append_entries(sd_bus_message *m, const struct dict_entry *entries, size_t n);

/**
 * struct dict_flag - a boolean option that may be given
 */
struct dict_flag {
	const char *key;
	bool *ret_value;
};

/* Reads a{sv} of known flags. -EINVAL, with the key in @ret_bad, for an unknown one or one that is no boolean. */
int dict_read_flags(sd_bus_message *m, const struct dict_flag *flags, size_t n, char *ret_bad,
		    size_t size);

#endif
