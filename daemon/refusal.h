/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A no with its reason, on its way to whoever asked over D-Bus. */
#ifndef CALLGATE_REFUSAL_H
#define CALLGATE_REFUSAL_H

enum refusal_name {
	REFUSAL_NOT_FOUND,
	REFUSAL_NOT_OWNER,
	REFUSAL_NOT_ALLOWED,
	REFUSAL_NO_AGENT,
	REFUSAL_DENIED,
	REFUSAL_BLOCKED,
	REFUSAL_LIMIT,
	REFUSAL_BAD_ARGUMENT,
	REFUSAL_BAD_BLOB,
	REFUSAL_NOT_LIVE,
	REFUSAL_EXISTS,
	REFUSAL_FAILED,
	_REFUSAL_MAX
};

/**
 * struct refusal
 * @why: a sentence for people: what happened, to what, what to do next
 */
struct refusal {
	enum refusal_name name;
	char why[384];
};

/* Fills *ret_refusal. Always returns 1, the positive result that means "refused". */
int refuse(struct refusal *ret_refusal, enum refusal_name name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The D-Bus error. */
const char *refusal_error(enum refusal_name name);

#endif
