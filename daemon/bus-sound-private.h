/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What bus-sound.c and bus-sound-watch.c share. */
#ifndef CALLGATE_BUS_SOUND_PRIVATE_H
#define CALLGATE_BUS_SOUND_PRIVATE_H

#include "bus.h"

#define SOUND_DEVICES 2 /* kinds that the kernel knows: microphone, camera */

/**
 * struct sound_client - a process that is a client of the server
 * @kinds: what the manager program was told last
 * @used: kinds for which it is linked
 * @session: whose kinds these are; 0 for none
 * @heard: it is linked with what is played, for the history; NULL: it is not
 */
struct sound_client {
	LIST_ENTRY(sound_client) all;
	uint32_t id;
	int pidfd;
	uint32_t kinds;
	uint32_t used;
	uint64_t session;
	struct capture *heard;
};

/* What the kernel holds for the server. */
struct sound_grant {
	LIST_ENTRY(sound_grant) all;
	uint64_t session;
	uint64_t id;
	uint32_t kinds;
};

/**
 * struct sound - a user's sound server and the program that manages it
 * @name: the program's connection
 * @tripped: somebody captured without being allowed; nothing is granted any more
 * @linked: how many microphones and how many cameras the program says are linked with somebody who may
 * @doubt: runs while the kernel sees the server capture with more than that
 */
struct sound {
	LIST_ENTRY(sound) all;
	struct service *service;
	uid_t uid;
	char *name;
	struct watch watch;
	struct process_facts server;
	bool tripped;
	uint32_t linked[SOUND_DEVICES];
	sd_event_source *doubt;
	uint32_t next_id;
	unsigned int n_clients;
	LIST_HEAD(, sound_client) clients;
	LIST_HEAD(, sound_grant) grants;
};

/* bus-sound.c */
void sound_end_grants(struct sound *sound);
void sound_refresh(struct sound *sound);
/* By the kernel's word of now. */
int sound_identify(const struct sound *sound, const struct sound_client *client,
		   struct process_facts *ret_facts);

/* bus-sound-watch.c */
/* Shuts everything until the next Attach, and tells the user. @who: did @what with these kinds */
void sound_trip(struct sound *sound, const char *who, const char *what, uint32_t kinds);
/* The kernel's streams and what is linked may be others now. */
void sound_agree(struct sound *sound);
/* What the client is linked for may be another now. */
void sound_hear(struct sound *sound, struct sound_client *client);

#endif
