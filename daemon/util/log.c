// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The one place that logs. Called by everything in the daemon that runs once
 * it is a service; what ends a start is told on standard error by whoever ends it.
 */
#include "log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static const struct {
	const char *name, *id;
	int priority;
} events[] = {
	[LOG_EVENT_POLICY_READ] = { "policy-read", "0bd82d83fe944a10bc08e008472475f6", LOG_NOTICE },
	[LOG_EVENT_POLICY_KEPT] = { "policy-kept", "64c3d62035eb43d98cbca2f31e3f0c53", LOG_ERR },
	[LOG_EVENT_POLICY_BROKEN] = { "policy-broken", "164b88dc45c94463ab4895177cd25c6e",
				      LOG_CRIT },
	[LOG_EVENT_GATE_ABSENT] = { "gate-absent", "b5109eee46294562a7214cfff42958f2",
				    LOG_WARNING },
	[LOG_EVENT_GATE_LOST] = { "gate-lost", "ea4706fcdc884455a04fad7f7253b96f", LOG_WARNING },
	[LOG_EVENT_GATE_FAILED] = { "gate-failed", "6334ccad7c174c4eb64eec8a0395dff6", LOG_ERR },
	[LOG_EVENT_GATE_PERMISSIVE] = { "gate-permissive", "65233e996f7845879c1ced676c19704a",
					LOG_NOTICE },
	[LOG_EVENT_NO_AGENTS] = { "no-agents", "96a108c3f31a47ad9e4b8493d6e141d9", LOG_WARNING },
	[LOG_EVENT_NO_SCOPES] = { "no-scopes", "39bcbc9335364ebf8f3aca49114c2121", LOG_WARNING },
	[LOG_EVENT_HISTORY_FAILED] = { "history-failed", "91b6bb4fdaac4016adfb8480b986f4a2",
				       LOG_ERR },
	[LOG_EVENT_STATE_FAILED] = { "state-failed", "66d6c4ee94bf4d29bdc1170a8056c0c8", LOG_ERR },
	[LOG_EVENT_CALL_FAILED] = { "call-failed", "6f09b52c9b644979b99bea85a0af8d9a", LOG_ERR },
	[LOG_EVENT_INTRUDER] = { "intruder", "840d408328a84b1594453a2c2cee2e3f", LOG_WARNING },
	[LOG_EVENT_HANDOVER_FAILED] = { "handover-failed", "8f514438bc42450eaedb8b1bdf7e12d2",
					LOG_WARNING },
	[LOG_EVENT_HANDED_OVER] = { "handed-over", "998a653355d646bd9b84510f92464451", LOG_INFO },
	[LOG_EVENT_MODE_CHANGED] = { "mode-changed", "349253ded6e04336b76016f8eba43e8b",
				     LOG_NOTICE },
	[LOG_EVENT_SESSIONS_ENDED] = { "sessions-ended", "8b269b8047e64ad3ab5fbe20ee5e48d4",
				       LOG_NOTICE },
};

_Static_assert(sizeof(events) / sizeof(events[0]) == _LOG_EVENT_MAX, "each event has an id");

/* systemd says so in the environment; somebody else may have taken standard error since. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool send_to_journal(enum log_event event, uid_t uid, const char *message)
{
	char text[1200], id[48], name[64], priority[16], user[32];
	struct iovec fields[5];
	int n = 4;

	snprintf(text, sizeof(text), "MESSAGE=%s", message);
	snprintf(id, sizeof(id), "MESSAGE_ID=%s", events[event].id);
	snprintf(name, sizeof(name), "CALLGATE_EVENT=%s", events[event].name);
	snprintf(priority, sizeof(priority), "PRIORITY=%d", events[event].priority);
	snprintf(user, sizeof(user), "CALLGATE_UID=%" PRIu32, (uint32_t)uid);
	fields[0] = (struct iovec){ text, strlen(text) };
	fields[1] = (struct iovec){ id, strlen(id) };
	fields[2] = (struct iovec){ name, strlen(name) };
	fields[3] = (struct iovec){ priority, strlen(priority) };
	if (uid != LOG_NOBODY)
		fields[n++] = (struct iovec){ user, strlen(user) };
	return sd_journal_sendv(fields, n) >= 0;
}

void log_event(enum log_event event, uid_t uid, const char *format, ...)
{
	char message[1100];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (!is_journal() || !send_to_journal(event, uid, message))
		fprintf(stderr, "<%d>%s\n", events[event].priority, message);
}
