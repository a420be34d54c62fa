// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions as bytes, for the next process of the daemon when the service is restarted. Called by manager.c. Must not say where
 * the bytes lie meanwhile: handover.c does.
 *
 * Security: of what the bytes say nothing about the outside is believed. The owner's connection has to be there, of the same
 * user; the subject has to be the same process image, by the gate's word, or the same process in the same scope; what
 * the user blocked is read anew; and what may be captured follows from the facts and the rules in call_touch(), as ever. What
 * the user is being asked about the numbers is asked again, by the next agent that registers, within the time that was set.
 *
 * A session that is not confirmed ends. Its question is with an agent of this process's, and what a handshake has so far is
 * the key by which the whole call would be read: that is in one process only, and nothing was captured that could be interrupted.
 */
#include "call-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel-carry.h"
#include "util/macro.h"

/* ---- writing ------------------------------------------------------------------------------------- */

static void put_subject(struct writer *w, const struct call *call)
{
	const struct process_facts *subject = &call->subject;

	writer_be32(w, (uint32_t)subject->pid);
	writer_be64(w, subject->cookie);
	writer_be64(w, subject->start_time);
	writer_u8(w, subject->proven);
	writer_be64(w, call->scope != NULL ? scope_id(call->scope) : 0);
}

static void put_facts(struct writer *w, const struct session_facts *facts)
{
	writer_be32(w, facts->asked);
	writer_be32(w, facts->approved_kinds);
	writer_be32(w, facts->approved_on);
	writer_be64(w, facts->confirmed_at);
	writer_u8(w, (uint8_t)facts->verification);
}

static void put_groups(struct writer *w, const struct call *call)
{
	writer_be32(w, call->asks);
	writer_be16(w, (uint16_t)call->n_groups);
	for (size_t i = 0; i < call->n_groups; i++)
		writer_be32(w, call->groups[i]);
}

static bool pack(struct call *call, struct writer *w)
{
	struct writer mine = *w;

	/* Of one that is no call nothing is lost: whoever is at the machine starts it again, and is asked. */
	if (!call->facts.approved || !call->facts.confirmed || call->facts.local)
		return false;
	writer_be64(&mine, call->id);
	writer_be32(&mine, call->uid);
	writer_text(&mine, call->owner);
	writer_text(&mine, call->app);
	writer_text(&mine, call->app_exe);
	writer_u8(&mine, call->app_proven);
	writer_u8(&mine, call->incoming);
	writer_text(&mine, call->contact);
	writer_u8(&mine, call->claimed);
	writer_u8(&mine, (uint8_t)call->auth);
	writer_be64(&mine, call->opened);
	writer_be64(&mine, call->began);
	writer_u8(&mine, call->tells);
	put_groups(&mine, call);
	put_subject(&mine, call);
	put_facts(&mine, &call->facts);
	usage_pack(call->usage, call_clock(), &mine);
	/* Last, because it takes the channel's keys away. */
	if (mine.bad || !channel_pack(call->channel, &mine))
		return false;
	*w = mine;
	return true;
}

unsigned int calls_pack(struct calls *calls, struct writer *w)
{
	struct call *call, *next;
	unsigned int n = 0;

	/* Whatever is due is done first: it may send, and it may end one. */
	calls_refresh(calls);
	for (call = LIST_FIRST(&calls->all); call != NULL; call = next) {
		next = LIST_NEXT(call, all);
		if (pack(call, w)) {
			call_free(call);
			n++;
		} else {
			call_end(call, call->facts.approved && call->facts.confirmed
					       ? SESSION_END_SHUTDOWN
					       : SESSION_END_RESTARTED);
		}
	}
	return n;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void take_subject(struct reader *r, struct call *call, uint64_t *ret_scope)
{
	call->subject.pid = (pid_t)reader_be32(r);
	call->subject.cookie = reader_be64(r);
	call->subject.start_time = reader_be64(r);
	call->subject.proven = reader_flag(r);
	*ret_scope = reader_be64(r);
	if (call->subject.pid <= 0)
		r->bad = true;
}

/* What the rules ask about; what they say is decided anew, before anything is granted. */
static int take_groups(struct reader *r, struct call *call)
{
	uint32_t asks = reader_be32(r);
	size_t n = reader_be16(r);

	if (r->bad || n > CALL_GROUPS_MAX || asks == 0 || (asks & ~POLICY_ASK_ALL) != 0)
		return -EBADMSG;
	call->asks = asks;
	call->groups = calloc(n + 1, sizeof(call->groups[0]));
	if (call->groups == NULL)
		return -ENOMEM;
	call->n_groups = n;
	for (size_t i = 0; i < n; i++)
		call->groups[i] = reader_be32(r);
	return 0;
}

static void take_facts(struct reader *r, struct session_facts *facts, uint64_t now)
{
	facts->asked = reader_be32(r);
	facts->approved_kinds = reader_be32(r);
	facts->approved_on = reader_be32(r);
	facts->confirmed_at = reader_be64(r);
	facts->verification = reader_u8(r);
	facts->approved = facts->offered = facts->met = facts->confirmed = true;
	if ((facts->asked & ~POLICY_KIND_ALL) != 0 ||
	    (facts->approved_kinds & ~facts->asked) != 0 ||
	    (facts->approved_on & ~POLICY_ASK_ALL) != 0 || facts->confirmed_at > now ||
	    facts->verification >= _SESSION_VERIFICATION_MAX)
		r->bad = true;
}

/* Everything but what is outside. */
static int take(struct call *call, struct reader *r, uint64_t now, uint64_t *ret_scope)
{
	char owner[BOUND_BUS_NAME + 1];
	int err;

	call->id = reader_be64(r);
	call->uid = reader_be32(r);
	reader_text(r, owner, sizeof(owner));
	reader_text(r, call->app, sizeof(call->app));
	reader_text(r, call->app_exe, sizeof(call->app_exe));
	call->app_proven = reader_flag(r);
	call->incoming = reader_flag(r);
	reader_text(r, call->contact, sizeof(call->contact));
	call->claimed = reader_flag(r);
	call->auth = reader_u8(r);
	call->opened = reader_be64(r);
	call->began = reader_be64(r);
	call->tells = reader_flag(r);
	err = take_groups(r, call);
	if (err < 0)
		return err;
	take_subject(r, call, ret_scope);
	take_facts(r, &call->facts, now);
	if (r->bad || call->id == 0 || call->began > now || call->auth >= IDENTITY_AUTH_COUNT ||
	    calls_by_id(call->calls, call->id) != NULL)
		return -EBADMSG;
	call->owner = strdup(owner);
	return call->owner != NULL ? 0 : -ENOMEM;
}

/* Unique names are not used twice, but for the user's sake the bus says again whose it is. */
static int find_owner(struct call *call)
{
	sd_bus_creds *creds = NULL;
	uid_t uid = (uid_t)-1;
	int r = call_watch_owner(call);

	if (r >= 0)
		r = sd_bus_get_name_creds(call->calls->bus, call->owner, SD_BUS_CREDS_EUID, &creds);
	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	sd_bus_creds_unref(creds);
	return r < 0 ? r : uid == call->uid ? 0 : -EPERM;
}

/* SESSION_OPEN: the subject is there and the same. */
static enum session_end find_subject(struct call *call, uint64_t scope)
{
	const struct process_facts was = call->subject;
	struct calls *calls = call->calls;
	struct process_facts *now = &call->subject;

	call->pidfd = (int)syscall(SYS_pidfd_open, was.pid, 0);
	if (call->pidfd < 0 ||
	    calls->hooks->identify(calls->userdata, call->pidfd, &call->subject) < 0)
		return SESSION_END_SUBJECT_GONE;
	if (now->uid != call->uid || now->proven != was.proven ||
	    (was.proven && now->start_time != was.start_time))
		return SESSION_END_SUBJECT_GONE;
	call_name_subject(call);
	if (scope == 0)
		return !was.proven || now->cookie == was.cookie ? SESSION_OPEN
								: SESSION_END_SUBJECT_EXEC;
	if (calls->scopes == NULL || (was.proven && now->cgroup != scope) ||
	    scope_take_again(calls->scopes, scope, call->uid, &call->scope) < 0)
		return SESSION_END_SUBJECT_GONE;
	return SESSION_OPEN;
}

/* It is among the others from here on. */
static int revive(struct call *call, struct reader *r, uint64_t scope, uint64_t now)
{
	const struct reader counted = *r;
	struct calls *calls = call->calls;
	enum session_end end;
	struct reader again;
	int err;

	/* It is counted once the session is added: until then this part is only passed over. */
	again = counted;
	if (!usage_unpack(NULL, now, r))
		return -EBADMSG;
	call_policy_update(call);
	err = call_peer_unpack(call, r, now);
	if (err < 0)
		return err;
	err = find_owner(call);
	if (err < 0)
		return -ENXIO;
	end = find_subject(call, scope);
	if (call->pidfd >= 0) {
		err = call_listen(call);
		if (err < 0)
			return err;
	}
	call->unasked = call->facts.verification == SESSION_UNCOMPARED;
	calls->hooks->added(calls->userdata, call);
	usage_unpack(call->usage, now, &again);
	if (end != SESSION_OPEN)
		call_end(call, end);
	call_touch(call);
	return 0;
}

static int unpack(struct calls *calls, struct reader *r, uint64_t now)
{
	struct call *call = calloc(1, sizeof(*call));
	struct user *user;
	uint64_t scope = 0;
	int err;

	if (call == NULL)
		return -ENOMEM;
	call->calls = calls;
	call->pidfd = -1;
	err = take(call, r, now, &scope);
	if (err >= 0 && calls->n_open >= BOUND_SESSIONS)
		err = -ENOSPC;
	if (err >= 0)
		err = user_get(calls->users, call->uid, &user);
	if (err < 0) {
		free(call->owner);
		free(call->groups);
		free(call);
		return err;
	}
	call->user = user;
	user->held++;
	snprintf(call->path, sizeof(call->path), CALL_PATH_PREFIX "%016" PRIx64, call->id);
	call_enter(call);
	err = revive(call, r, scope, now);
	if (err < 0)
		call_free(call);
	return err == -ENXIO ? 0 : err;
}

void calls_ask_again(struct calls *calls, uid_t uid)
{
	struct call *call, *next;

	for (call = LIST_FIRST(&calls->all); call != NULL; call = next) {
		next = LIST_NEXT(call, all);
		if (call->uid != uid || !call->unasked)
			continue;
		call->unasked = false;
		call_peer_ask(call);
		call_touch(call);
	}
}

int calls_unpack(struct calls *calls, struct reader *r, unsigned int n)
{
	uint64_t now = call_clock();
	int err = 0;

	for (unsigned int i = 0; i < n && err >= 0; i++)
		err = unpack(calls, r, now);
	if (err >= 0 && !reader_done(r))
		err = -EBADMSG;
	if (err < 0)
		calls_end_all(calls, SESSION_END_INTERNAL);
	return err;
}
