/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The call history as callgatectl reads it: fetched from the daemon, unlocked here. */
#ifndef CALLGATE_CALLGATECTL_JOURNAL_H
#define CALLGATE_CALLGATECTL_JOURNAL_H

#include "callgatectl-key.h"
#include "callgatectl.h"
#include "client.h"
#include "record-walk.h"

#define CLIENT_HISTORY "org.callgate1.History"

struct history_part {
	char name[64];
	uint32_t day;
	uint64_t size;
};

/* A contact's key under the pseudonym of one day. */
struct history_name {
	uint8_t peer[RECORD_PEER_LEN];
	uint8_t key[CRYPTO_KEY_LEN];
	char *name;
};

/**
 * struct history_view
 * @protected_key: the key has a passphrase
 * @made_key: there was none, it was made now
 * @days: @unit: of the policy
 * @names: of contacts, for each day
 */
struct history_view {
	struct client client;
	struct history_key *key;
	bool protected_key, made_key;
	uint32_t days, unit;
	struct keyring *keyring;
	struct history_part *parts;
	size_t n_parts;
	struct history_name *names;
	size_t n_names;
};

/* Connects, unlocks, and gets the list. Explains its failure. */
int history_begin(const struct ctl_request *request, struct history_view *view);
void history_end(struct history_view *view);

/* The file of a segment, whole and read-only; free it with history_unmap(). */
int history_map(struct history_view *view, const struct history_part *part, const uint8_t **ret,
		size_t *ret_len);
void history_unmap(const uint8_t *bytes, size_t len);

/* Reads everything; walk has the callbacks. */
int history_walk(struct history_view *view, const struct ctl_request *request, struct walk *walk);

/* Contact of a pseudonym, or NULL. */
const struct history_name *history_name(const struct history_view *view, const uint8_t *peer);

/* Calls a method of the daemon that takes what append puts in; explains its failure with what. */
int history_call(struct history_view *view, const char *what, const char *method,
		 int (*append)(sd_bus_message *m, void *userdata), void *userdata,
		 sd_bus_message **ret_reply);

/* "2026-11-26", and "2026-11-26 09:15", UTC. */
void history_day_text(uint32_t day, char ret[16]);
void history_time_text(uint64_t seconds, char ret[24]);
/* Why something was deleted last; "" when nothing was. */
const char *history_deletion(const struct keyring *keyring);
/* -1: not a day. */
int64_t history_parse_day(const char *text);

/* callgatectl-forget.c, callgatectl-export.c */
int history_forget(const struct ctl_request *request);
int history_export(const struct ctl_request *request);
/* One record as JSON or a line of CSV. */
void history_print_json(FILE *out, const struct history_view *view, const struct record *record);

#endif
