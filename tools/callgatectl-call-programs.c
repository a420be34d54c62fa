// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What callgatectl call and answer say at the end about the programs that had camera or microphone meanwhile: here, and at
 * the other side by its own word. Called by callgatectl-call.c. Believes the daemon, shows every text cleaned.
 */
#include "callgatectl-call.h"

#include "plain.h"

#include <stdlib.h>

#define NAME_SHOWN 300

static void say(struct call *call, const char *whose, const char *name, unsigned microphone,
		unsigned camera)
{
	char *clean = plain_copy(name), times[80];

	if (camera && microphone)
		snprintf(times, sizeof(times), "the camera for %u s and the microphone for %u s",
			 camera, microphone);
	else
		snprintf(times, sizeof(times), "the %s for %u s", camera ? "camera" : "microphone",
			 camera ? camera : microphone);
	call_say(call, "programs", "%s%.*s had %s", whose, NAME_SHOWN, clean ? clean : "?", times);
	free(clean);
}

/* Return: how many, or a negative errno. */
static int say_all(struct call *call, sd_bus_message *m, const char *whose)
{
	unsigned microphone, camera;
	const char *name;
	int n = 0, r;

	r = sd_bus_message_enter_container(m, 'a', "(suu)");
	while (r >= 0 && (r = sd_bus_message_read(m, "(suu)", &name, &microphone, &camera)) > 0) {
		say(call, whose, name, microphone, camera);
		n++;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	return r < 0 ? r : n;
}

void call_say_programs(struct call *call, sd_bus_message *m)
{
	int told, r;

	r = say_all(call, m, "");
	if (r == 0)
		call_say(call, "programs", "%s",
			 call->enforced ? "no program of yours had camera or microphone"
					: "without the gate it is not seen which programs have "
					  "camera or microphone");
	if (r < 0 || sd_bus_message_read(m, "b", &told) < 0 || !told)
		return;
	if (say_all(call, m, "the other side says that there ") == 0)
		call_say(call, "programs",
			 "the other side says that no program there had camera or microphone");
}
