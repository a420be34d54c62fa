// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the user said no to. Pure; called by call-open.c with each answer and
 * before each question, by bus-manager.c when the user lifts it. Must not be
 * written anywhere: a no is for this time only.
 *
 * Security: an app must not get its yes by asking until the user is tired. The
 * same call is not asked about for a while that doubles with each no; and since an
 * app can call the other side by any name, three times no, whomever it named, are a
 * no to the program. The names of programs that are not proven are its own choice
 * as well: those count together.
 */
#include "pause.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000ull

/* By what a program is known that may not choose it. */
static void group_of(const struct pause_subject *subject, char ret_group[BOUND_LABEL + 1])
{
	const char *label = *subject->exe != '\0' ? subject->exe : subject->app;
	int length = (int)strlen(label);

	if (strncmp(label, "exe:", 4) != 0)
		length = (int)strcspn(label, ":");
	snprintf(ret_group, BOUND_LABEL + 1, "%.*s", length, label);
}

static struct pause *find(struct pauses *pauses, const struct pause_subject *subject, bool whole)
{
	char group[BOUND_LABEL + 1];

	group_of(subject, group);
	for (unsigned int i = 0; i < BOUND_PAUSES; i++) {
		struct pause *pause = &pauses->pause[i];

		if (pause->denials > 0 && pause->uid == subject->uid && pause->whole == whole &&
		    strcmp(pause->app, whole ? group : subject->app) == 0 &&
		    (whole || strcmp(pause->contact, subject->contact) == 0))
			return pause;
	}
	return NULL;
}

/* Of the user's own the oldest goes first, so that nobody takes away what another user said. */
static struct pause *place(struct pauses *pauses, uid_t uid)
{
	struct pause *oldest = NULL, *own = NULL;

	for (unsigned int i = 0; i < BOUND_PAUSES; i++) {
		struct pause *pause = &pauses->pause[i];

		if (pause->denials == 0)
			return pause;
		if (oldest == NULL || pause->at < oldest->at)
			oldest = pause;
		if (pause->uid == uid && !pause->whole && (own == NULL || pause->at < own->at))
			own = pause;
	}
	return own != NULL ? own : oldest;
}

static void deny(struct pauses *pauses, const struct pause_subject *subject, bool whole,
		 unsigned int free_denials, uint64_t now)
{
	struct pause *pause = find(pauses, subject, whole);
	uint64_t seconds = BOUND_PAUSE_SECONDS;

	if (pause == NULL) {
		pause = place(pauses, subject->uid);
		*pause = (struct pause){ .uid = subject->uid, .whole = whole };
		if (whole)
			group_of(subject, pause->app);
		else
			snprintf(pause->app, sizeof(pause->app), "%s", subject->app);
		snprintf(pause->contact, sizeof(pause->contact), "%s",
			 whole ? "" : subject->contact);
	} else if (now >= pause->until && now - pause->at >= BOUND_PAUSE_FORGET * NS_PER_S) {
		pause->denials = 0;
	}
	pause->at = now;
	pause->told = pause->lift_asked = false;
	if (++pause->denials <= free_denials)
		return;
	for (unsigned int i = pause->denials - free_denials; i > 1 && seconds < BOUND_PAUSE_MAX;
	     i--)
		seconds *= 2;
	pause->until = now + (seconds < BOUND_PAUSE_MAX ? seconds : BOUND_PAUSE_MAX) * NS_PER_S;
}

void pause_denied(struct pauses *pauses, const struct pause_subject *subject, uint64_t now)
{
	deny(pauses, subject, false, 0, now);
	deny(pauses, subject, true, BOUND_PAUSE_DENIALS - 1, now);
}

void pause_allowed(struct pauses *pauses, const struct pause_subject *subject)
{
	struct pause *pause;

	for (int whole = 0; whole < 2; whole++) {
		pause = find(pauses, subject, whole);
		if (pause != NULL)
			pause->denials = 0;
	}
}

uint32_t pause_left(struct pauses *pauses, const struct pause_subject *subject, uint64_t now,
		    bool *ret_first)
{
	struct pause *pause, *longest = NULL;

	for (int whole = 0; whole < 2; whole++) {
		pause = find(pauses, subject, whole);
		if (pause != NULL && pause->until > now &&
		    (longest == NULL || pause->until > longest->until))
			longest = pause;
	}
	if (longest == NULL)
		return 0;
	*ret_first = !longest->told;
	longest->told = true;
	return (uint32_t)((longest->until - now + NS_PER_S - 1) / NS_PER_S);
}

bool pause_ask_lift(struct pauses *pauses, uid_t uid, uint64_t now, bool *ret_asked)
{
	bool any = false;

	*ret_asked = true;
	for (unsigned int i = 0; i < BOUND_PAUSES; i++) {
		struct pause *pause = &pauses->pause[i];

		if (pause->denials == 0 || pause->uid != uid || pause->until <= now)
			continue;
		any = true;
		*ret_asked = *ret_asked && pause->lift_asked;
		pause->lift_asked = true;
	}
	return any;
}

void pause_lift(struct pauses *pauses, uid_t uid)
{
	for (unsigned int i = 0; i < BOUND_PAUSES; i++)
		if (pauses->pause[i].uid == uid)
			pauses->pause[i].denials = 0;
}
