// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Changes that loosen something and therefore wait for the user's word:
 * unblock, rename, forget, verify. Called by bus-manager.c and bus-peer.c.
 */
#include "bus.h"

#include <errno.h>
#include <stdlib.h>

struct confirm *confirm_new(void)
{
	return calloc(1, sizeof(struct confirm));
}

struct confirm *confirm_free(struct confirm *confirm)
{
	if (confirm == NULL)
		return NULL;
	if (confirm->m != NULL) {
		LIST_REMOVE(confirm, all);
		confirm->user->held--;
	}
	sd_bus_message_unref(confirm->m);
	question_cancel(confirm->question);
	free(confirm->label);
	free(confirm->name);
	free(confirm->new_name);
	free(confirm);
	return NULL;
}

static void on_answer(void *userdata, const struct question_answer *answer)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct confirm *confirm = userdata;
	struct refusal refusal;
	int r;

	confirm->question = NULL;
	if (answer->result == QUESTION_ANSWERED && answer->allow) {
		r = confirm->apply(confirm, &error);
	} else {
		refuse(&refusal, REFUSAL_DENIED,
		       answer->result == QUESTION_ANSWERED || answer->result == QUESTION_REFUSED
			       ? "You did not confirm it; nothing was changed."
			       : "Nobody confirmed it; nothing was changed. Try again and answer the question.");
		r = bus_refused(&error, &refusal);
	}
	if (r < 0)
		sd_bus_reply_method_error(confirm->m, &error);
	else
		sd_bus_reply_method_return(confirm->m, NULL);
	sd_bus_error_free(&error);
	confirm_free(confirm);
}

int bus_confirm(struct service *service, struct confirm *confirm, sd_bus_message *m,
		const char *action, const struct dict_entry *details, size_t n, sd_bus_error *error)
{
	const struct question_text text = {
		.type = QUESTION_CONFIRM,
		.subject = action,
		.details = details,
		.n_details = n,
		.timeout_ns = service->policy.prompt_ns,
	};
	struct refusal refusal;
	int r;

	confirm->service = service;
	confirm->m = sd_bus_message_ref(m);
	LIST_INSERT_HEAD(&service->confirms, confirm, all);
	confirm->user->held++;
	r = question_ask(&service->approvals, confirm->user->uid, &text, on_answer, confirm,
			 &confirm->question);
	if (r >= 0)
		return 1;
	confirm_free(confirm);
	if (r == -ENOENT)
		refuse(&refusal, REFUSAL_NO_AGENT,
		       "No program is there to ask you for confirmation; start callgate-agent "
		       "or 'callgatectl agent'.");
	else if (r == -ENOSPC)
		refuse(&refusal, REFUSAL_LIMIT,
		       "Too many questions are open already; answer them first.");
	else
		return bus_failed(error, r);
	return bus_refused(error, &refusal);
}
