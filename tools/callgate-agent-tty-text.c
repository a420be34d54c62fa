// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the terminal agent's questions say. Called by callgate-agent-tty.c. Must not know how they are shown or answered.
 *
 * Security: every value goes through prompt_field(), which cleans it and keeps it from looking like a line of its own.
 */
#include "callgate-agent-tty-text.h"

#include "callgate-agent-tty.h"
#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *means(const char *authentication)
{
	if (!strcmp(authentication, "verified"))
		return "their key is known, and you compared the numbers";
	if (!strcmp(authentication, "pinned"))
		return "their key is known, but you never compared the numbers";
	return "new: no key is known yet";
}

static bool add_unproven(char **text, const struct client_dict *details)
{
	return client_number(details, "AppProven") ||
	       prompt_line(text, "              (unproven: only the program's own word)");
}

/* Which program asks, and what will capture. */
static bool add_program(char **text, const char *label, const struct client_dict *details)
{
	bool good = prompt_field(text, label, client_text(details, "App"));

	if (*client_text(details, "AppName"))
		good = good && prompt_field(text, "Called", client_text(details, "AppName"));
	good = good && add_unproven(text, details);
	good = good && prompt_field(text, "Captures", client_text(details, "Subject"));
	if (client_number(details, "Traced"))
		good = good &&
		       prompt_line(
			       text,
			       "              (a debugger is attached to it and sees what it captures)");
	return good && prompt_field(text, "With", plain_kinds(client_number(details, "Kinds")));
}

static char *text_of_local(const struct client_dict *details)
{
	char *text = NULL, seconds[48];
	bool good;

	snprintf(seconds, sizeof(seconds), "%u seconds at most",
		 (unsigned)client_number(details, "Seconds"));
	good = prompt_line(&text, "Callgate: a program wants to capture outside a call. May it?") &&
	       add_program(&text, "Program", details) && prompt_field(&text, "For", seconds) &&
	       prompt_line(
		       &text,
		       "  NOT A CALL, NOT ENCRYPTED: what it captures it can keep or send to anybody.");
	if (good)
		return text;
	free(text);
	return NULL;
}

/* How far sound and picture are bound to the call, in words that promise no more than doc/protocol.md does. */
static bool add_level(char **text, const struct client_dict *details, const char *none)
{
	const char *level = client_text(details, "Level");

	if (!strcmp(level, "keyed"))
		none = "both apps took the keys of the call for sound and picture";
	else if (!strcmp(level, "channel"))
		none = "only while the call lives; the app carries sound and picture in its own way";
	return prompt_field(text, "Protected", none);
}

char *text_of_approve(const struct client_dict *details)
{
	bool incoming = client_number(details, "Incoming"),
	     claimed = client_number(details, "ContactClaimed");
	char *text = NULL;
	bool good;

	if (client_number(details, "Local"))
		return text_of_local(details);
	good = prompt_line(&text, incoming ? "Callgate: a call comes in. Take it?"
					   : "Callgate: a program wants to call somebody. May it?");
	if (incoming && claimed)
		good = good && prompt_field(&text, "App says", client_text(details, "Contact")) &&
		       prompt_line(&text, "              (unproven: only the app's word)");
	else
		good = good &&
		       prompt_field(&text, incoming ? "From" : "Calls",
				    client_text(details, "Contact")) &&
		       prompt_field(&text, "Known",
				    means(client_text(details, "PeerAuthentication")));
	good = good && add_program(&text, "Through", details) &&
	       add_level(&text, details,
			 "not yet; nothing is captured before the other side confirmed the keys");
	if (client_number(details, "TellsPrograms"))
		good = good &&
		       prompt_field(&text, "Tells them",
				    "which programs have camera or microphone here, how long");
	if (good)
		return text;
	free(text);
	return NULL;
}

char *text_of_compare(const char *number, const struct client_dict *details)
{
	bool claimed = client_number(details, "ContactClaimed");
	char *text = NULL;
	bool good;

	good = prompt_line(&text, "Callgate: compare this number with the other side.") &&
	       prompt_field(&text, claimed ? "App says" : "With",
			    client_text(details, "Contact")) &&
	       prompt_field(&text, "Known", means(client_text(details, "PeerAuthentication"))) &&
	       add_level(
		       &text, details,
		       "not yet; the other side has not told how its app carries sound and picture") &&
	       prompt_field(&text, "Number", number) &&
	       prompt_line(
		       &text,
		       "Read it to each other. If you see the same, nobody between your two machines has the keys.") &&
	       prompt_line(
		       &text,
		       "The app carries the voices and could imitate one: make sure whom you hear,") &&
	       prompt_line(
		       &text,
		       "or compare another way. \"differs\" ends the call; \"unverified\" goes on with the microphone only.");
	if (good)
		return text;
	free(text);
	return NULL;
}

static char *text_of_history_key(const struct client_dict *details)
{
	char *text = NULL, days[64];
	bool good;

	snprintf(days, sizeof(days), "%u days open with the old key only",
		 (unsigned)client_number(details, "Days"));
	good = prompt_line(
		       &text,
		       "Callgate: a program wants your call history to have another key. May it?") &&
	       prompt_field(&text, "Asks", client_text(details, "App"));
	good = good && add_unproven(&text, details);
	good = good && prompt_field(&text, "Then", days) &&
	       prompt_line(&text,
			   "  Who has the new key can read what is recorded from now on. If you") &&
	       prompt_line(&text, "  did not start this (callgatectl history setup), refuse.");
	if (good)
		return text;
	free(text);
	return NULL;
}

char *text_of_confirm(const char *action, const struct client_dict *details)
{
	char *text = NULL;
	bool good;

	if (!strcmp(action, "unblock"))
		good = prompt_line(&text,
				   "Callgate: a program wants to lift your block. May it?") &&
		       prompt_field(&text, "Lifts", plain_kinds(client_number(details, "Kinds")));
	else if (!strcmp(action, "ask-again"))
		good = prompt_line(
			&text,
			"Callgate: a program wants you to be asked again about what you said no to. May it?");
	else if (!strcmp(action, "rename"))
		good = prompt_line(
			       &text,
			       "Callgate: a program wants to rename somebody you know. May it?") &&
		       prompt_field(&text, "Now", client_text(details, "Name")) &&
		       prompt_field(&text, "Then", client_text(details, "NewName"));
	else if (!strcmp(action, "forget"))
		good = prompt_line(
			       &text,
			       "Callgate: a program wants to forget somebody's keys. May it?") &&
		       prompt_field(&text, "Forgets", client_text(details, "Name"));
	else if (!strcmp(action, "verify"))
		good = prompt_line(&text,
				   "Callgate: did you compare this key with its owner yourself?") &&
		       prompt_field(&text, "Of", client_text(details, "Name")) &&
		       prompt_field(&text, "Key", client_text(details, "Fingerprint"));
	else
		return strcmp(action, "history-key") ? NULL : text_of_history_key(details);
	/* Each app has contacts of its own: the same name may be somebody else's in another. */
	if (*client_text(details, "App"))
		good = good && prompt_field(&text, "In", client_text(details, "App"));
	if (good)
		return text;
	free(text);
	return NULL;
}

char *text_of_passphrase(bool export, const struct client_dict *details)
{
	char *text = NULL, contacts[64];
	bool good;

	snprintf(contacts, sizeof(contacts), "%u keys of people you know",
		 (unsigned)client_number(details, "Contacts"));
	good = prompt_line(&text,
			   export ? "Callgate: a program wants to export your identity. May it?"
				  : "Callgate: a program wants to import an identity. May it?");
	good = good && prompt_field(&text, "Asks", client_text(details, "App"));
	good = good && add_unproven(&text, details);
	if (export) {
		good = good && prompt_field(&text, "With", contacts) &&
		       prompt_line(
			       &text,
			       "  Who has the file and the passphrase can call as you. Take one that") &&
		       prompt_line(&text,
				   "  you use nowhere else. If you did not start this, refuse.");
	} else if (client_number(details, "Replaces")) {
		good = good && prompt_field(&text, "LOSES", "the identity that is here") &&
		       prompt_field(&text, "and", contacts) &&
		       prompt_line(&text,
				   "  Who knows you by it will see another key and be warned.");
	}
	if (good)
		return text;
	free(text);
	return NULL;
}
