// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The beginning of a session: refuses what can be refused, finds out who
 * captures, asks the user, and takes the answer. Called by bus-manager.c through
 * calls_add(); after the approval call.c goes on.
 *
 * Security: the subject is identified when the session is made, so that the
 * prompt is about it, and again when the answer comes, so that the answer is
 * about what was shown. An answer with more kinds than were asked is a no.
 */
#include "call-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app-entry.h"
#include "util/log.h"
#include "util/macro.h"
#include "util/text.h"

#define TIMER_ACCURACY_US 20000u

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	call_touch(userdata);
	return 0;
}

static int on_subject_exit(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	call_end(userdata, SESSION_END_SUBJECT_GONE);
	return 0;
}

static void on_owner_gone(void *userdata)
{
	call_end(userdata, SESSION_END_OWNER_GONE);
}

int call_watch_owner(struct call *call)
{
	return watch_begin(call->calls->watches, &call->watch, call->owner, on_owner_gone, call);
}

/* Still the image that was shown in the prompt? */
static bool same_subject(struct call *call)
{
	struct process_facts now;

	if (call->calls->hooks->identify(call->calls->userdata, call->pidfd, &now) < 0)
		return false;
	if (now.uid != call->uid || now.proven != call->subject.proven)
		return false;
	if (!now.proven)
		return true;
	return call->scope != NULL ? now.cgroup == scope_id(call->scope)
				   : now.cookie == call->subject.cookie;
}

/* Nobody has to answer and nothing to be compared: it lasts for as long as the question said. */
static int begin_local(struct call *call)
{
	call->facts.confirmed = true;
	call->facts.confirmed_at = call_clock();
	call->facts.alive_until = call->facts.confirmed_at + call->asked_ns;
	call->facts.verification = SESSION_UNVERIFIED;
	return 0;
}

static struct pause_subject pause_subject(const struct call *call)
{
	return (struct pause_subject){
		.uid = call->uid, .app = call->app, .exe = call->app_exe, .contact = call->contact
	};
}

static void on_approval(void *userdata, const struct question_answer *answer)
{
	struct call *call = userdata;
	struct pauses *pauses = &call->calls->pauses;
	const struct pause_subject subject = pause_subject(call);
	int r;

	call->question = NULL;
	if (answer->result == QUESTION_ANSWERED && answer->allow)
		pause_allowed(pauses, &subject);
	else if (answer->result == QUESTION_ANSWERED)
		pause_denied(pauses, &subject, call_clock());
	switch (answer->result) {
	case QUESTION_TIMEOUT:
		call_end(call, SESSION_END_UNANSWERED);
		return;
	case QUESTION_AGENT_GONE:
		call_end(call, SESSION_END_AGENT_GONE);
		return;
	case QUESTION_REFUSED:
	case _QUESTION_RESULT_MAX:
		call_end(call, SESSION_END_DENIED);
		return;
	case QUESTION_ANSWERED:
		break;
	}
	if (!answer->allow || (answer->kinds & ~call->facts.asked) != 0 ||
	    (answer->kinds == 0 && call->facts.asked != 0)) {
		call_end(call, SESSION_END_DENIED);
		return;
	}
	if (!same_subject(call)) {
		call_end(call, process_alive(call->pidfd) ? SESSION_END_SUBJECT_EXEC
							  : SESSION_END_SUBJECT_GONE);
		return;
	}
	call->facts.approved = true;
	call->facts.approved_kinds = answer->kinds;
	call->facts.approved_on = answer->asked_on;
	r = call->facts.local ? begin_local(call) : call_peer_begin(call, call_clock());
	if (r < 0) {
		log_event(LOG_EVENT_CALL_FAILED, call->uid,
			  "The call's channel cannot be opened: %s", strerror(-r));
		call_end(call, SESSION_END_INTERNAL);
		return;
	}
	call->facts.offered = true;
	call_touch(call);
}

static int ask_approval(struct call *call)
{
	char subject[CALL_SUBJECT_MAX];
	struct app_entry entry;
	const struct dict_entry details[] = {
		DICT_FLAG("Incoming", call->incoming),
		DICT_TEXT("Contact", call->contact),
		DICT_FLAG("ContactClaimed", call->claimed),
		DICT_TEXT("PeerAuthentication", identity_auth_name(call->auth)),
		DICT_TEXT("App", call->app),
		DICT_FLAG("AppProven", call->app_proven),
		DICT_TEXT("AppName", entry.name),
		DICT_TEXT("AppIcon", entry.icon),
		DICT_TEXT("Subject", subject),
		DICT_FLAG("Traced", call->subject.traced),
		DICT_TEXT("Level", channel_level_name(call_level(call))),
		DICT_FLAG("TellsPrograms", call->tells),
		DICT_FLAG("Local", call->facts.local),
		DICT_U32("Seconds", call->policy.local_ns / SESSION_NS_PER_S),
		DICT_U32("Kinds", call->facts.asked),
		DICT_U32("Timeout", call->policy.prompt_ns / SESSION_NS_PER_S),
	};
	const struct question_text text = {
		.type = QUESTION_APPROVE,
		.subject = call->path,
		.details = details,
		.n_details = ARRAY_SIZE(details),
		.timeout_ns = call->policy.prompt_ns,
		.asks = call->asks,
	};

	app_entry_lookup(call->app, &entry);
	call->asked_ns = call->policy.local_ns;
	call_subject_text(call, subject, sizeof(subject));
	return question_ask(call->calls->approvals, call->uid, &text, on_approval, call,
			    &call->question);
}

void call_open_later(struct call *call, uint64_t now)
{
	int r;

	if (call->facts.locked && now < call->waits_until)
		return;
	call->waits_until = 0;
	if (call->facts.locked) {
		call_end(call, SESSION_END_UNANSWERED);
		return;
	}
	r = ask_approval(call);
	if (r < 0)
		call_end(call, r == -ENOENT ? SESSION_END_AGENT_GONE : SESSION_END_INTERNAL);
}

/* Caps, and everything that can be refused without making anything. */
static int check_request(struct calls *calls, const struct call_request *request,
			 const struct user *user, struct refusal *refusal)
{
	unsigned int own = 0;
	struct call *call;

	if (request->local && request->kinds == 0)
		return refuse(refusal, REFUSAL_BAD_ARGUMENT,
			      "Kinds is 0: outside a call that asks for nothing.");
	if (!request->local && !text_is_name(request->contact, BOUND_NAME))
		return refuse(refusal, REFUSAL_BAD_ARGUMENT,
			      "A contact's name is 1 to %d bytes of printable UTF-8.", BOUND_NAME);
	if ((request->kinds & ~POLICY_KIND_ALL) != 0)
		return refuse(
			refusal, REFUSAL_BAD_ARGUMENT,
			"Kinds is a mask of 1 (microphone), 2 (camera) and 4 (speaker), not %" PRIu32
			".",
			request->kinds);
	if ((request->kinds & user->blocked) != 0)
		return refuse(refusal, REFUSAL_BLOCKED,
			      "You blocked the %s; unblock it with 'callgatectl unblock'.",
			      policy_kinds_name(request->kinds & user->blocked));
	if (agent_of(calls->approvals, request->uid, POLICY_ASK_ALL) == NULL)
		return refuse(refusal, REFUSAL_NO_AGENT,
			      "No program is there to ask you for approval; start "
			      "callgate-agent or 'callgatectl agent'.");
	CALL_FOREACH_OF(call, calls, request->uid)
	own += call->uid == request->uid;
	if (calls->n_open >= BOUND_SESSIONS || own >= BOUND_SESSIONS_UID)
		return refuse(refusal, REFUSAL_LIMIT,
			      "There are too many open sessions (%u of at most %d); end one first.",
			      own, BOUND_SESSIONS_UID);
	return 0;
}

/* Where the executable alone does not tell. What it says was read when the pidfd was alive, or is empty. */
void call_name_subject(struct call *call)
{
	struct app app;

	call->subject_app[0] = '\0';
	if (app_identify(&call->subject, &app) == 0 && call->subject.proven && !app.proven)
		memcpy(call->subject_app, app.label, sizeof(call->subject_app));
}

static int identify_subject(struct call *call, const struct call_request *request,
			    struct refusal *refusal)
{
	struct calls *calls = call->calls;
	int r = calls->hooks->identify(calls->userdata, request->pidfd, &call->subject);

	if (r == -EBADF)
		return refuse(refusal, REFUSAL_BAD_ARGUMENT, "The subject is not a pidfd.");
	if (r == -ESRCH)
		return refuse(refusal, REFUSAL_BAD_ARGUMENT, "The subject has ended.");
	if (r == -EPERM)
		return refuse(
			refusal, REFUSAL_NOT_ALLOWED,
			"The subject is out of sight or changed its user; it has to run as you throughout.");
	if (r < 0)
		return r;
	if (call->subject.uid != request->uid)
		return refuse(refusal, REFUSAL_NOT_ALLOWED,
			      "The subject is a process of another user.");
	call_name_subject(call);
	return 0;
}

/* Fills in who captures; moves it into a scope where that was asked for. */
static int adopt_subject(struct call *call, const struct call_request *request,
			 struct refusal *refusal)
{
	struct calls *calls = call->calls;
	int r;

	r = identify_subject(call, request, refusal);
	if (r != 0)
		return r;
	call->pidfd = fcntl(request->pidfd, F_DUPFD_CLOEXEC, 3);
	if (call->pidfd < 0)
		return -errno;
	if (!request->scope)
		return 0;
	if (calls->scopes == NULL)
		return refuse(refusal, REFUSAL_FAILED,
			      "This machine has no control groups of version 2 that the service "
			      "can use; make the call without the option scope.");
	r = scope_take(calls->scopes, call->uid, &call->scope);
	if (r == -EDQUOT)
		return refuse(refusal, REFUSAL_LIMIT,
			      "You have %d scopes in use already; end a call, or what it started.",
			      BOUND_SCOPES_UID);
	if (r == -ENOSPC)
		return refuse(refusal, REFUSAL_LIMIT,
			      "All %d scopes are in use; end a call, or what it started.",
			      BOUND_SCOPES);
	if (r < 0)
		return r;
	r = scope_enter(call->scope, call->pidfd);
	if (r == -ESRCH)
		return refuse(refusal, REFUSAL_BAD_ARGUMENT, "The subject has ended.");
	if (r < 0)
		return r;
	/* It may have become another program, of another user even, until it was in there. */
	return identify_subject(call, request, refusal);
}

static int adopt_owner(struct call *call, const struct call_request *request,
		       struct refusal *refusal)
{
	struct app app;
	int r = app_identify(request->owner_facts, &app);

	if (r == -ENXIO)
		return refuse(
			refusal, REFUSAL_NOT_ALLOWED,
			"The calling program's file is out of sight, and it was not started as an app of Flatpak or "
			"Snap; start it as one, or, if its file was replaced, start it anew.");
	if (r == -ESTALE)
		return refuse(
			refusal, REFUSAL_NOT_ALLOWED,
			"The file of the calling program was replaced or cannot be reached; restart the program.");
	if (r == -EILSEQ)
		return refuse(
			refusal, REFUSAL_NOT_ALLOWED,
			"The path of the calling program has characters that cannot be shown.");
	if (r < 0)
		return r;
	memcpy(call->app, app.label, sizeof(call->app));
	memcpy(call->app_exe, app.exe, sizeof(call->app_exe));
	call->app_proven = app.proven;
	call->owner = strdup(request->owner);
	if (call->owner == NULL)
		return -ENOMEM;
	return call_watch_owner(call);
}

int call_listen(struct call *call)
{
	sd_event *event = call->calls->event;
	int r;

	r = sd_event_add_io(event, &call->pidfd_source, call->pidfd, EPOLLIN, on_subject_exit,
			    call);
	if (r >= 0)
		r = sd_event_add_time(event, &call->timer, CLOCK_BOOTTIME, 0, TIMER_ACCURACY_US,
				      on_timer, call);
	return r < 0 ? r : sd_event_source_set_enabled(call->timer, SD_EVENT_OFF);
}

/* Not again what the user has just said no to; he is told once that it was tried. */
static int check_pause(struct call *call, struct refusal *refusal)
{
	const struct pause_subject subject = pause_subject(call);
	const struct dict_entry details[] = { DICT_TEXT("App", call->app),
					      DICT_TEXT("Contact", call->contact) };
	char message[BOUND_LABEL + BOUND_NAME + 256];
	bool first = false;
	uint32_t seconds = pause_left(&call->calls->pauses, &subject, call_clock(), &first);

	if (seconds == 0)
		return 0;
	snprintf(message, sizeof(message),
		 "%s asked again after you said no. You are not asked for %u s; if you want to be, "
		 "'callgatectl retry' ends that.",
		 call->app, seconds);
	if (first)
		approval_notify(call->calls->approvals, call->uid, "paused", message, details,
				ARRAY_SIZE(details));
	return refuse(
		refusal, REFUSAL_DENIED,
		"You said no to this a moment ago and are not asked again for %u s. To be asked now: "
		"'callgatectl retry'.",
		seconds);
}

static int fill(struct call *call, const struct call_request *request, struct refusal *refusal)
{
	int r;

	r = adopt_owner(call, request, refusal);
	if (r == 0)
		r = call_policy_begin(call, request, refusal);
	if (r == 0)
		r = adopt_subject(call, request, refusal);
	if (r != 0)
		return r;
	if (!request->local)
		r = call_peer_prepare(call, request->init, request->init_len, call_clock(),
				      refusal);
	if (r != 0)
		return r;
	r = call_listen(call);
	if (r < 0)
		return r;
	call_policy_update(call);
	r = check_pause(call, refusal);
	if (r != 0)
		return r;
	if (call->calls->hooks->locked(call->calls->userdata, call->uid)) {
		call->waits_until = call_clock() + call->policy.prompt_ns;
		return 0;
	}
	r = ask_approval(call);
	if (r == -ENOSPC)
		return refuse(refusal, REFUSAL_LIMIT,
			      "Too many questions are open already; answer them first.");
	/* There is one, check_request() saw it: it is not of those that the rules let ask. */
	if (r == -ENOENT)
		return refuse(
			refusal, REFUSAL_NO_AGENT,
			"The administrator's rules want this call to be asked elsewhere: %s. Start an agent "
			"there.",
			policy_asks_name(call->asks));
	return r;
}

int calls_add(struct calls *calls, const struct call_request *request, struct call **ret_call,
	      struct refusal *ret_refusal)
{
	struct user *user;
	struct call *call;
	int r;

	r = user_get(calls->users, request->uid, &user);
	if (r == -ENOSPC)
		return refuse(ret_refusal, REFUSAL_LIMIT,
			      "The service keeps state for too many users already.");
	if (r < 0)
		return r;
	r = check_request(calls, request, user, ret_refusal);
	if (r != 0)
		return r;
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return -ENOMEM;
	call->calls = calls;
	call->pidfd = -1;
	call->id = calls->next_id++ ?: calls->next_id++;
	snprintf(call->path, sizeof(call->path), CALL_PATH_PREFIX "%016" PRIx64, call->id);
	call->uid = request->uid;
	call->user = user;
	user->held++;
	call->incoming = call->claimed = request->init != NULL;
	if (!request->local)
		snprintf(call->contact, sizeof(call->contact), "%s", request->contact);
	call->facts.local = request->local;
	call->facts.asked = request->kinds;
	call->tells = request->tells;
	call->opened = (uint64_t)time(NULL);
	call->began = call_clock();
	call_enter(call);
	r = fill(call, request, ret_refusal);
	if (r != 0) {
		call_free(call);
		return r;
	}
	calls->hooks->added(calls->userdata, call);
	call_touch(call);
	*ret_call = call;
	return 0;
}
