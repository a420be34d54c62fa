/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CALLGATECTL_H
#define CALLGATE_CALLGATECTL_H

#include "client.h"

#include <stdbool.h>
#include <stdio.h>

/* What callgatectl exits with; the man page explains them. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_DENIED = 3,
	CTL_ABSENT = 4,
	CTL_ENDED = 5,
	CTL_FORGED = 6,
};

/**
 * struct ctl_request - a command line, read
 * @arguments: what stands before "--" and is no option; ends with NULL
 * @command: what stands after "--"; NULL where there is none
 */
struct ctl_request {
	bool json, all, yes, send, receive, stream, replace, csv, passphrase, tell_programs,
		secret_service;
	unsigned kinds;
	const char *via, *as, *tty;
	const char *before, *peer, *anchor, *passphrase_fd;
	const char *key, *key_fd, *direction, *kind;
	const char *app, *user, *rules;
	bool apps;
	int n_arguments;
	char **arguments;
	char **command;
};

/* The verbs. Each returns an enum ctl_exit. */
int verb_status(const struct ctl_request *request);
int verb_devices(const struct ctl_request *request);
int verb_sessions(const struct ctl_request *request);
int verb_peers(const struct ctl_request *request);
int verb_block(const struct ctl_request *request);
int verb_unblock(const struct ctl_request *request);
int verb_local(const struct ctl_request *request);
int verb_retry(const struct ctl_request *request);
int verb_end(const struct ctl_request *request);
int verb_doctor(const struct ctl_request *request);
int verb_enforce(const struct ctl_request *request);
int verb_permissive(const struct ctl_request *request);
int verb_monitor(const struct ctl_request *request);
int verb_agent(const struct ctl_request *request);
int verb_call(const struct ctl_request *request);
int verb_answer(const struct ctl_request *request);
int verb_seal(const struct ctl_request *request);
int verb_unseal(const struct ctl_request *request);
int verb_identity(const struct ctl_request *request);
int verb_history(const struct ctl_request *request);
int verb_report(const struct ctl_request *request);
int verb_metrics(const struct ctl_request *request);
int verb_policy(const struct ctl_request *request);

/* Print "callgatectl: ..." on standard error. */
void ctl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Complain about a D-Bus error (or a negative errno when error is unset) and return the exit code for it. */
int ctl_explain(const char *what, int r, const sd_bus_error *error);
/* The exit code for a D-Bus error alone. */
int ctl_exit_for(int r, const sd_bus_error *error);
/* What an error says; its name when it says nothing. */
const char *ctl_message(const sd_bus_error *error);
/* Connect and learn who the daemon is; explains its own failure, and the daemon's absence. */
int ctl_connect(struct client *client);

/* Call a method of the Manager that polkit may have to authorise; whoever is there is asked for a password. */
int ctl_admin(struct client *client, const char *method, sd_bus_message **ret_reply,
	      sd_bus_error *error, const char *types, ...);

/* A user's number, given a name or a number; complains. */
bool ctl_find_user(const char *name, uid_t *ret_uid);

/* callgatectl-print.c: print cleaned text, or JSON. */
void print_text(FILE *out, const char *text);
void print_json_text(FILE *out, const char *text);
/* The members of an object without its braces; path, where there is one, is the first. */
void print_json_members(FILE *out, const struct client_dict *dict);
void print_json_list(FILE *out, const struct client_list *list);
void print_json_kinds(FILE *out, unsigned kinds);
/* "3 min", from seconds. */
void print_duration(FILE *out, unsigned long long seconds);
/* The last component of an object path. */
const char *print_path_end(const char *path);

#endif
