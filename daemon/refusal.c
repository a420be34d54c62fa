// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The D-Bus errors, doc/dbus.md "Errors". Made where the reason is known,
 * turned into a reply by the bus objects.
 */
#include "refusal.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const errors[] = {
	[REFUSAL_NOT_FOUND] = "org.callgate1.Error.NotFound",
	[REFUSAL_NOT_OWNER] = "org.callgate1.Error.NotOwner",
	[REFUSAL_NOT_ALLOWED] = "org.callgate1.Error.NotAllowed",
	[REFUSAL_NO_AGENT] = "org.callgate1.Error.NoAgent",
	[REFUSAL_DENIED] = "org.callgate1.Error.Denied",
	[REFUSAL_BLOCKED] = "org.callgate1.Error.Blocked",
	[REFUSAL_LIMIT] = "org.callgate1.Error.Limit",
	[REFUSAL_BAD_ARGUMENT] = "org.callgate1.Error.BadArgument",
	[REFUSAL_BAD_BLOB] = "org.callgate1.Error.BadBlob",
	[REFUSAL_NOT_LIVE] = "org.callgate1.Error.NotLive",
	[REFUSAL_EXISTS] = "org.callgate1.Error.Exists",
	[REFUSAL_FAILED] = "org.callgate1.Error.Failed",
};

_Static_assert(sizeof(errors) / sizeof(errors[0]) == _REFUSAL_MAX, "each refusal has a name");

int refuse(struct refusal *ret_refusal, enum refusal_name name, const char *format, ...)
{
	va_list args;

	ret_refusal->name = name;
	va_start(args, format);
	vsnprintf(ret_refusal->why, sizeof(ret_refusal->why), format, args);
	va_end(args);
	return 1;
}

const char *refusal_error(enum refusal_name name)
{
	return name < _REFUSAL_MAX ? errors[name] : errors[REFUSAL_FAILED];
}
