// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is watched behind a sound server: that the kernel's streams and the program's links say the same, and who hears
 * what is played, for the history. Called by bus-sound.c. Must not decide who may: bus-sound.c does.
 *
 * Security: the links are the word of a program of the user's, the streams are the kernel's. More streams than links is
 * a capture that nobody shows. A device goes on for seconds after its last link, so that is said after a while only; a
 * link that nobody allowed is said at once, by the program.
 */
#include "bus-sound-private.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/log.h"
#include "util/macro.h"

static const uint32_t kind_of[SOUND_DEVICES] = { POLICY_KIND_MICROPHONE, POLICY_KIND_CAMERA };

/* ---- the tripwire -------------------------------------------------------------------------------- */

void sound_trip(struct sound *sound, const char *who, const char *what, uint32_t kinds)
{
	const struct dict_entry details[] = { DICT_TEXT("Executable", who),
					      DICT_U32("Kinds", kinds) };
	char message[PROCESS_EXE_MAX + 256];

	sound->tripped = true;
	sound_end_grants(sound);
	sound_refresh(sound);
	snprintf(
		message, sizeof(message),
		"%s %s the %s through the sound server%s. Capture through it is shut until callgate-pipewire is "
		"started again: systemctl --user restart callgate-pipewire.",
		who, what, policy_kinds_name(kinds),
		who == sound->server.exe ? ", and no program is linked with that"
					 : " without being allowed");
	log_event(LOG_EVENT_INTRUDER, sound->uid, "User %u: %s", sound->uid, message);
	approval_notify(&sound->service->approvals, sound->uid, "denied", message, details,
			ARRAY_SIZE(details));
}

/* Kinds that the server captures with more devices than are linked. */
static uint32_t doubtful(const struct sound *sound)
{
	uint32_t running[SOUND_DEVICES] = { 0 }, kinds = 0;
	const struct capture *stream;

	/* Where nothing is denied, nothing is wrong. */
	if (sound->tripped || gate_mode(sound->service->gate) != GATE_PRESENT)
		return 0;
	LIST_FOREACH(stream, &sound->service->captures.streams, all)
	for (unsigned int i = 0; i < SOUND_DEVICES; i++)
		running[i] += (stream->kinds & kind_of[i]) != 0 &&
			      stream->who.pid == sound->server.pid &&
			      stream->who.cookie == sound->server.cookie;
	for (unsigned int i = 0; i < SOUND_DEVICES; i++)
		if (running[i] > sound->linked[i])
			kinds |= kind_of[i];
	return kinds;
}

static int on_doubt(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sound *sound = userdata;
	uint32_t kinds = doubtful(sound);

	sound->doubt = sd_event_source_disable_unref(sound->doubt);
	if (kinds != 0)
		sound_trip(sound, sound->server.exe, "captures with", kinds);
	return 0;
}

void sound_agree(struct sound *sound)
{
	int r;

	if (doubtful(sound) == 0) {
		sound->doubt = sd_event_source_disable_unref(sound->doubt);
		return;
	}
	if (sound->doubt != NULL)
		return;
	r = sd_event_add_time_relative(sd_bus_get_event(sound->service->bus), &sound->doubt,
				       CLOCK_BOOTTIME, BOUND_SOUND_DOUBT_S * 1000000ull, 0,
				       on_doubt, sound);
	/* What cannot be looked at again is not let go on. */
	if (r < 0)
		sound_trip(sound, sound->server.exe, "captures with", doubtful(sound));
}

/* ---- what is played ------------------------------------------------------------------------------ */

static struct capture *new_heard(const struct sound *sound, const struct sound_client *client)
{
	struct capture *heard = calloc(1, sizeof(*heard));

	if (heard == NULL)
		return NULL;
	if (sound_identify(sound, client, &heard->who) < 0) {
		free(heard);
		return NULL;
	}
	heard->kinds = POLICY_KIND_SPEAKER;
	heard->session = client->session;
	heard->since = call_clock();
	return heard;
}

void sound_hear(struct sound *sound, struct sound_client *client)
{
	bool hears = (client->used & client->kinds & POLICY_KIND_SPEAKER) != 0;

	if (client->heard != NULL && (!hears || client->heard->session != client->session)) {
		usages_stopped(&sound->service->usages, client->heard, call_clock());
		free(client->heard);
		client->heard = NULL;
	}
	if (!hears || client->heard != NULL)
		return;
	client->heard = new_heard(sound, client);
	if (client->heard != NULL)
		usages_started(&sound->service->usages, client->heard);
}
