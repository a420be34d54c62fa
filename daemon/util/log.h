/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon tells whoever looks after the machine. Each kind of event has a message id, under which data/callgate.catalog
 * explains it; never who talks with whom.
 */
#pragma once

#include <sys/types.h>

enum log_event {
	LOG_EVENT_POLICY_READ,	   /* the rules were read anew */
	LOG_EVENT_POLICY_KEPT,	   /* they were not understood; what was in force stays */
	LOG_EVENT_POLICY_BROKEN,   /* they were not understood at the start */
	LOG_EVENT_GATE_ABSENT,	   /* there is no module */
	LOG_EVENT_GATE_LOST,	   /* the module went away */
	LOG_EVENT_GATE_FAILED,	   /* the kernel refused something */
	LOG_EVENT_GATE_PERMISSIVE, /* captures are only reported */
	LOG_EVENT_NO_AGENTS,	   /* no agent can register */
	LOG_EVENT_NO_SCOPES,	   /* there are no control groups */
	LOG_EVENT_HISTORY_FAILED,  /* the history cannot be written or looked through */
	LOG_EVENT_STATE_FAILED,	   /* a file of the state cannot be used or written */
	LOG_EVENT_CALL_FAILED,	   /* a call ended by a fault of the service */
	LOG_EVENT_INTRUDER,	   /* somebody captured past the sound server */
	LOG_EVENT_HANDOVER_FAILED, /* calls did not outlive a restart */
	LOG_EVENT_HANDED_OVER,	   /* calls outlive a restart */
	LOG_EVENT_MODE_CHANGED,	   /* an administrator decided whether the gate enforces */
	LOG_EVENT_SESSIONS_ENDED,  /* an administrator ended somebody's calls */
	_LOG_EVENT_MAX
};

#define LOG_NOBODY ((uid_t)-1)

/**
 * log_event() - to the journal with its fields, or to standard error where that is not the journal
 * @uid: whom it is about, CALLGATE_UID; LOG_NOBODY: no user
 * @format: one line, without a newline
 */
void log_event(enum log_event event, uid_t uid, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
