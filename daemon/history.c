// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Turns sessions, at their end, and denied attempts into records. Owns the users' journals. Must not decide what may be
 * captured, nor know of captures but what usage.c sums up. Called by manager.c with all news, by bus-history.c for the journals.
 *
 * A record that cannot be written waits in memory, a few for each user, as do those of a user who has set no journal key yet.
 * Denied attempts are counted; the first of a program is written at once, then each time that the count has doubled, and
 * what is left a quarter of an hour later, or when the day or the daemon ends: a crash loses at most half of a count and
 * nothing that is older, and no flood fills the disk.
 */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

#define DAY_SECONDS 86400u

struct waiting {
	struct record record;
	bool has_peer;
	uint8_t peer_key[CRYPTO_KEY_LEN];
};

/* Attempts of one program on one kind, today. */
struct counted {
	char app[RECORD_PROGRAM_MAX + 1];
	uint8_t kinds;
	uint32_t written, more;
};

struct history_user {
	LIST_ENTRY(history_user) all;
	uid_t uid;
	struct journal *journal;
	struct waiting *waiting[BOUND_PENDING_UID];
	unsigned int n_waiting;
	struct counted counted[BOUND_DENIED_UID];
	unsigned int n_counted;
	uint32_t counted_day;
	int error;
};

uint32_t history_today(void)
{
	return journal_day((uint64_t)time(NULL));
}

/* ---- users --------------------------------------------------------------------------------------- */

static void free_user(struct history *history, struct history_user *user)
{
	LIST_REMOVE(user, all);
	history->count--;
	journal_free(user->journal);
	for (unsigned int i = 0; i < user->n_waiting; i++)
		free(user->waiting[i]);
	free(user);
}

static bool is_idle(const struct history_user *user)
{
	for (unsigned int i = 0; i < user->n_counted; i++)
		if (user->counted[i].more)
			return false;
	return user->n_waiting == 0;
}

/* A uid costs nothing to whoever has a range of them: those with nothing to lose make room. */
static bool make_room(struct history *history)
{
	struct history_user *user;

	LIST_FOREACH(user, &history->all, all)
	{
		if (is_idle(user)) {
			free_user(history, user);
			return true;
		}
	}
	return false;
}

static struct history_user *get_user(struct history *history, uid_t uid)
{
	struct history_user *user;

	if (history->policy->history_days == 0)
		return NULL;
	LIST_FOREACH(user, &history->all, all)
	if (user->uid == uid)
		return user;
	if (history->count >= BOUND_USERS && !make_room(history))
		return NULL;
	user = calloc(1, sizeof(*user));
	if (user == NULL)
		return NULL;
	user->uid = uid;
	LIST_INSERT_HEAD(&history->all, user, all);
	history->count++;
	return user;
}

static int open_journal(struct history *history, struct history_user *user)
{
	struct user *owner;
	int fd, r;

	if (user->journal != NULL)
		return 0;
	r = user_get(history->users, user->uid, &owner);
	if (r >= 0)
		r = user_subdir(owner, "journal", true, &fd);
	if (r >= 0)
		r = journal_open(&user->journal, fd, history->policy->history_days);
	return r;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static int write_record(struct history_user *user, const struct waiting *waiting)
{
	struct record record = waiting->record;
	uint8_t bytes[RECORD_LEN_MAX];
	uint32_t today = history_today();
	int len, r = 0;

	if (waiting->has_peer)
		r = journal_pseudonym(user->journal, today, waiting->peer_key, record.peer);
	if (r < 0)
		return r;
	len = record_encode(&record, bytes);
	return len < 0 ? len : journal_append(user->journal, today, bytes, (size_t)len);
}

static int write_count(struct history_user *user, struct counted *counted)
{
	struct waiting waiting = { .record = { .type = RECORD_DENIED,
					       .unit = DAY_SECONDS,
					       .kinds = counted->kinds,
					       .count = counted->more } };
	int r;

	waiting.record.start = waiting.record.end = (uint64_t)user->counted_day * DAY_SECONDS;
	snprintf(waiting.record.app, sizeof(waiting.record.app), "%s", counted->app);
	r = write_record(user, &waiting);
	if (r < 0)
		return r;
	counted->written += counted->more;
	counted->more = 0;
	return 0;
}

static void report(struct history *history, struct history_user *user, int error)
{
	char message[256];

	if (error == user->error || error == -ENOKEY)
		return;
	user->error = error;
	if (error == 0)
		return;
	log_event(LOG_EVENT_HISTORY_FAILED, user->uid,
		  "The call history in %u/journal in the state directory cannot be written: %s.",
		  user->uid, strerror(-error));
	snprintf(message, sizeof(message), "Your call history cannot be written (%s). %s",
		 strerror(-error),
		 history->policy->history_deny ? "Until it can, no call is allowed."
					       : "Calls go on; this one may be missing there.");
	history->tell(history->userdata, user->uid, message);
}

/* Everything that waits; with @counts also the counts that have not doubled. */
static int flush(struct history *history, struct history_user *user, bool counts)
{
	int r = open_journal(history, user);
	bool wrote = false;
	unsigned int done = 0;

	while (r >= 0 && done < user->n_waiting) {
		r = write_record(user, user->waiting[done]);
		/* One that can never be written must not hold up the others. */
		if (r >= 0 || r == -EINVAL || r == -EMSGSIZE) {
			free(user->waiting[done++]);
			wrote = true;
			r = 0;
		}
	}
	memmove(user->waiting, user->waiting + done,
		(user->n_waiting - done) * sizeof(user->waiting[0]));
	user->n_waiting -= done;
	for (unsigned int i = 0; r >= 0 && i < user->n_counted; i++)
		if (user->counted[i].more &&
		    (counts || user->counted[i].more >= user->counted[i].written)) {
			r = write_count(user, &user->counted[i]);
			wrote = true;
		}
	/* That there was nothing to write does not mean that it could be. */
	if (r < 0 || wrote)
		report(history, user, r < 0 ? r : 0);
	return r;
}

/* Once for all that waits: a timer that runs is not put off. */
static void count_later(struct history *history)
{
	int enabled;

	if (history->counting == NULL ||
	    sd_event_source_get_enabled(history->counting, &enabled) < 0 || enabled)
		return;
	sd_event_source_set_time(history->counting,
				 call_clock() / 1000 + BOUND_COUNT_SECONDS * 1000000ull);
	sd_event_source_set_enabled(history->counting, SD_EVENT_ONESHOT);
}

static void add(struct history *history, struct history_user *user, const struct waiting *waiting)
{
	struct waiting *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return;
	*copy = *waiting;
	if (user->n_waiting == BOUND_PENDING_UID) {
		free(user->waiting[0]);
		memmove(user->waiting, user->waiting + 1,
			--user->n_waiting * sizeof(user->waiting[0]));
	}
	user->waiting[user->n_waiting++] = copy;
	flush(history, user, false);
}

/* ---- coming and going ---------------------------------------------------------------------------- */

static int expire_one(const struct users *users, uid_t uid, int dir_fd, void *userdata)
{
	struct history *history = userdata;
	uint32_t days = history->policy->history_days;
	struct history_user *user;
	struct journal *journal;
	int fd, r = 0;

	LIST_FOREACH(user, &history->all, all)
	{
		if (user->uid != uid || user->journal == NULL)
			continue;
		flush(history, user, true);
		r = journal_expire(user->journal, history_today());
		goto out;
	}
	fd = openat(dir_fd, "journal", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	r = journal_open(&journal, fd, days ? days : 1);
	if (r < 0)
		goto out;
	r = days ? journal_expire(journal, history_today())
		 : journal_forget(journal, UINT32_MAX, history_today());
	journal_free(journal);
out:
	if (r < 0)
		log_event(
			LOG_EVENT_HISTORY_FAILED, uid,
			"The call history in %u/journal in the state directory cannot be looked through "
			"for what is too old: %s.",
			uid, strerror(-r));
	return 0;
}

static int on_midnight(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct history *history = userdata;

	users_each(history->users, expire_one, history);
	sd_event_source_set_time(source, (history_today() + 1ull) * DAY_SECONDS * 1000000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Also those that were to be written before and could not. */
static int on_counting(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct history *history = userdata;
	struct history_user *user;
	bool left = false;

	LIST_FOREACH(user, &history->all, all)
	{
		if (is_idle(user))
			continue;
		/* Without a key it may wait for ever. */
		if (flush(history, user, true) != -ENOKEY)
			left |= !is_idle(user);
	}
	if (left)
		count_later(history);
	return 0;
}

int history_init(struct history *history, sd_event *event, const struct policy *policy,
		 struct users *users, void (*tell)(void *userdata, uid_t uid, const char *message),
		 void *userdata)
{
	int r;

	*history = (struct history){
		.policy = policy, .users = users, .tell = tell, .userdata = userdata
	};
	LIST_INIT(&history->all);
	users_each(users, expire_one, history);
	r = sd_event_add_time(event, &history->counting, CLOCK_BOOTTIME, 0, 1000000, on_counting,
			      history);
	if (r >= 0)
		r = sd_event_source_set_enabled(history->counting, SD_EVENT_OFF);
	return r < 0 ? r
		     : sd_event_add_time(event, &history->midnight, CLOCK_REALTIME,
					 (history_today() + 1ull) * DAY_SECONDS * 1000000, 1000000,
					 on_midnight, history);
}

void history_deinit(struct history *history)
{
	struct history_user *user;

	while ((user = LIST_FIRST(&history->all)) != NULL) {
		if (!is_idle(user))
			flush(history, user, true);
		free_user(history, user);
	}
	history->midnight = sd_event_source_disable_unref(history->midnight);
	history->counting = sd_event_source_disable_unref(history->counting);
}

int history_journal(struct history *history, uid_t uid, struct journal **ret_journal)
{
	struct history_user *user;
	int r;

	if (history->policy->history_days == 0)
		return -ENODATA;
	user = get_user(history, uid);
	if (user == NULL)
		return -ENOSPC;
	r = open_journal(history, user);
	if (r < 0)
		return r;
	flush(history, user, true);
	*ret_journal = user->journal;
	return 0;
}

int history_check(struct history *history, uid_t uid, struct refusal *ret_refusal)
{
	struct history_user *user;
	int r;

	if (history->policy->history_days == 0 || !history->policy->history_deny)
		return 0;
	user = get_user(history, uid);
	r = user != NULL ? flush(history, user, false) : -ENOSPC;
	if (r >= 0) {
		r = journal_ready(user->journal, history_today());
		if (r < 0)
			report(history, user, r);
	}
	if (r >= 0 || r == -ENOKEY)
		return 0;
	return refuse(
		ret_refusal, REFUSAL_FAILED,
		r == -EBADMSG
			? "Your call history's key file is damaged (%s), and a call that is not "
			  "recorded is not allowed here; 'callgatectl history forget --all' begins anew."
			: "Your call history cannot be written (%s), and a call that is not recorded is "
			  "not allowed here; make room on the disk and try again.",
		strerror(-r));
}

/* ---- sessions ------------------------------------------------------------------------------------ */

void history_session_changed(const struct call *call)
{
	/* The level of a channel that has ended is none. */
	if (call->usage != NULL && call_state(call) == SESSION_LIVE)
		call->usage->level = call_level(call);
}

void history_session_removed(struct history *history, const struct call *call)
{
	uint32_t unit = history->policy->history_unit;
	struct history_user *user = get_user(history, call->uid);
	struct waiting waiting = { .has_peer = false };
	struct record *record = &waiting.record;
	uint64_t wall = (uint64_t)time(NULL);
	const uint8_t *peer;

	/* More may be known of the other side than at the beginning, and a rule may be about that. */
	if (user == NULL || call->usage == NULL || !call->policy.history)
		return;
	usage_record(call->usage, call_clock(), record);
	record->type = RECORD_SESSION;
	record->unit = unit;
	record->start = record_coarsen(call->opened, unit);
	record->end = record_coarsen(wall > call->opened ? wall : call->opened, unit);
	record->incoming = call->incoming;
	text_show(record->app, sizeof(record->app), call->app);
	/* Not a call: neither encrypted nor with anybody. */
	snprintf(record->level, sizeof(record->level), "%s",
		 call->facts.local ? RECORD_LEVEL_LOCAL : channel_level_name(call->usage->level));
	snprintf(record->auth, sizeof(record->auth), "%s", identity_auth_name(call->auth));
	snprintf(record->end_reason, sizeof(record->end_reason), "%s",
		 session_end_name(call->facts.end));
	peer = call->channel != NULL ? channel_peer_key(call->channel) : NULL;
	waiting.has_peer = peer != NULL;
	if (peer != NULL)
		memcpy(waiting.peer_key, peer, sizeof(waiting.peer_key));
	add(history, user, &waiting);
}

/* ---- denied attempts ------------------------------------------------------------------------------ */

void history_denied(struct history *history, const struct capture *attempt)
{
	struct history_user *user = get_user(history, attempt->who.uid);
	uint8_t kinds = (uint8_t)(attempt->kinds & (RECORD_MICROPHONE | RECORD_CAMERA));
	const char *exe = attempt->who.exe;
	struct counted *counted = NULL;
	char app[RECORD_PROGRAM_MAX + 1];

	if (user == NULL || kinds == 0)
		return;
	if (user->counted_day != history_today()) {
		flush(history, user, true);
		user->n_counted = 0;
		user->counted_day = history_today();
	}
	if (strlen(exe) > RECORD_PROGRAM_MAX)
		exe += strlen(exe) - RECORD_PROGRAM_MAX;
	text_show(app, sizeof(app), *exe ? exe : "unknown");
	for (unsigned int i = 0; i < user->n_counted && counted == NULL; i++)
		if (user->counted[i].kinds == kinds && strcmp(user->counted[i].app, app) == 0)
			counted = &user->counted[i];
	if (counted == NULL && user->n_counted == BOUND_DENIED_UID) {
		/* The last one counts for all that have no room. */
		counted = &user->counted[BOUND_DENIED_UID - 1];
		counted->kinds |= kinds;
		snprintf(counted->app, sizeof(counted->app), "others");
	} else if (counted == NULL) {
		counted = &user->counted[user->n_counted++];
		*counted = (struct counted){ .kinds = kinds };
		memcpy(counted->app, app, sizeof(app));
	}
	if (counted->more + attempt->count >= counted->more)
		counted->more += attempt->count;
	if (counted->more >= counted->written)
		flush(history, user, false);
	if (counted->more)
		count_later(history);
}
