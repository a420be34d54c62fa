// SPDX-License-Identifier: LGPL-2.1-or-later
/* Writes and reads a{sv}. Used by whatever talks on the bus; knows nothing of what the entries mean. */
#include "dict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/macro.h"
#include "util/text.h"

int dict_append_value(sd_bus_message *m, const struct dict_entry *entry)
{
	switch (entry->type) {
	case 's':
	case 'o':
		return sd_bus_message_append_basic(m, entry->type, entry->text);
	case 'b':
		return sd_bus_message_append(m, "b", (int)(entry->number != 0));
	case 'u':
		return sd_bus_message_append(m, "u", (uint32_t)entry->number);
	case 't':
		return sd_bus_message_append(m, "t", entry->number);
	}
	return -EINVAL;
}

int dict_append_entries(sd_bus_message *m, const struct dict_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char type[] = { entries[i].type, '\0' };
		int r;

		r = sd_bus_message_open_container(m, 'e', "sv");
		if (r >= 0)
			r = sd_bus_message_append_basic(m, 's', entries[i].key);
		if (r >= 0)
			r = sd_bus_message_open_container(m, 'v', type);
		if (r >= 0)
			r = dict_append_value(m, &entries[i]);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
		if (r < 0)
			return r;
	}
	return 0;
}

int dict_append(sd_bus_message *m, const struct dict_entry *entries, size_t n)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = dict_append_entries(m, entries, n);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r;
}

int dict_read_flags(sd_bus_message *m, const struct dict_flag *flags, size_t n, char *ret_bad,
		    size_t size)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
		const char *key;
		size_t i;
		int value;

		r = sd_bus_message_read_basic(m, 's', &key);
		if (r < 0)
			return r;
		for (i = 0; i < n && strcmp(flags[i].key, key) != 0; i++)
			;
		if (i == n || sd_bus_message_read(m, "v", "b", &value) < 0) {
			text_show(ret_bad, size, key);
			return -EINVAL;
		}
		*flags[i].ret_value = value != 0;
		r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return sd_bus_message_exit_container(m);
}
