// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * org.callgate1.History: hands the caller's own sealed files out, read-only, and deletes. Registered by manager.c. Must not
 * open a record, and cannot: passphrase and private key stay with callgatectl.
 *
 * Security: everything is done for the caller's own uid; there is no argument that names another user. Any program of the
 * user may delete, as any may end a call: to forget is to restrict. To put another key in the place of one that
 * is there would turn the user's history over to whoever has that key; so the agent confirms it.
 */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/macro.h"

/* Every negative errno of the journal. */
static int failed(sd_bus_error *error, int r)
{
	struct refusal refusal;

	if (r != -EBADMSG)
		return bus_failed(error, r);
	refuse(&refusal, REFUSAL_FAILED,
	       "Your call history's key file is damaged: what it opened cannot be read any more. 'callgatectl history "
	       "forget --all' begins anew.");
	return bus_refused(error, &refusal);
}

static int get_journal(struct service *service, sd_bus_message *m, struct journal **ret_journal,
		       sd_bus_error *error)
{
	struct refusal refusal;
	uid_t uid;
	int r;

	r = bus_caller_uid(service, m, &uid);
	if (r >= 0)
		r = history_journal(&service->history, uid, ret_journal);
	if (r >= 0)
		return 0;
	if (r == -ENODATA)
		refuse(&refusal, REFUSAL_FAILED,
		       "This machine keeps no call history: callgate.conf says days = 0 under [history].");
	else
		return bus_failed(error, r);
	return bus_refused(error, &refusal);
}

/* ---- the journal key ----------------------------------------------------------------------------- */

static int method_get_key(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	uint8_t key[CRYPTO_KEY_LEN] = { 0 };
	sd_bus_message *reply = NULL;
	struct journal *journal;
	int r;

	r = get_journal(userdata, m, &journal, error);
	if (r < 0)
		return r;
	r = journal_public(journal, key);
	if (r < 0 && r != -ENOKEY)
		return failed(error, r);
	size_t len = r == -ENOKEY ? 0 : sizeof(key);

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', key, len);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? failed(error, r) : 1;
}

static int set_key(struct service *service, uid_t uid, const uint8_t *key)
{
	struct journal *journal;
	int r = history_journal(&service->history, uid, &journal);

	if (r >= 0)
		r = journal_set_public(journal, key);
	/* What waited for it. */
	return r < 0 ? r : history_journal(&service->history, uid, &journal);
}

static int apply_key(struct confirm *confirm, sd_bus_error *error)
{
	int r = set_key(confirm->service, confirm->user->uid, confirm->key);

	return r < 0 ? failed(error, r) : 0;
}

/* Days of which something would be readable with the old key only. */
static uint32_t count_days(struct journal *journal)
{
	_cleanup_free_ struct journal_part *parts = NULL;
	uint32_t days = 0;
	size_t n;

	if (journal_list(journal, &parts, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		days += i == 0 || parts[i].day != parts[i - 1].day;
	return days;
}

/* Who has the new key reads what comes, who has not cannot: so the agent asks, and says which program wants it. */
static int ask_key(struct service *service, sd_bus_message *m, struct journal *journal,
		   const uint8_t *key, sd_bus_error *error)
{
	struct process_facts facts = { .proven = false };
	struct app app;
	struct bus_caller caller;
	struct confirm *confirm;
	struct user *user;
	int r;

	r = bus_caller(service, m, &caller);
	if (r >= 0)
		r = user_get(&service->users, caller.uid, &user);
	if (r < 0)
		return bus_failed(error, r);
	r = bus_caller_facts(service, &caller, &facts);
	if (r >= 0)
		r = app_identify(&facts, &app);
	if (r < 0)
		app = (struct app){ .label = "unknown" };
	const struct dict_entry details[] = {
		DICT_TEXT("App", app.label),
		DICT_FLAG("AppProven", app.proven),
		DICT_U32("Days", count_days(journal)),
		DICT_U32("Timeout", (uint32_t)(service->policy.prompt_ns / SESSION_NS_PER_S)),
	};

	confirm = confirm_new();
	if (confirm == NULL)
		return bus_failed(error, -ENOMEM);
	confirm->user = user;
	confirm->apply = apply_key;
	memcpy(confirm->key, key, sizeof(confirm->key));
	return bus_confirm(service, confirm, m, "history-key", details, ARRAY_SIZE(details), error);
}

static int method_set_key(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	static const uint8_t weak[CRYPTO_KEY_LEN];
	struct service *service = userdata;
	uint8_t old[CRYPTO_KEY_LEN], shared[CRYPTO_KEY_LEN];
	struct journal *journal;
	struct refusal refusal;
	const void *key;
	size_t len;
	uid_t uid;
	int r;

	r = sd_bus_message_read_array(m, 'y', &key, &len);
	if (r < 0)
		return r;
	/* A point of low order would seal to nobody. */
	if (len != sizeof(old) || crypto_x25519(weak, key, shared) < 0) {
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "A journal key is a public X25519 key of 32 bytes.");
		return bus_refused(error, &refusal);
	}
	r = get_journal(service, m, &journal, error);
	if (r < 0)
		return r;
	r = bus_caller_uid(service, m, &uid);
	if (r < 0)
		return failed(error, r);
	r = journal_public(journal, old);
	if (r == -ENOKEY)
		r = set_key(service, uid, key);
	else if (r == 0 && memcmp(old, key, sizeof(old)) != 0)
		return ask_key(service, m, journal, key, error);
	return r < 0 ? failed(error, r) : sd_bus_reply_method_return(m, NULL);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static int append_parts(sd_bus_message *reply, const struct journal_part *parts, size_t n)
{
	int r = sd_bus_message_open_container(reply, 'a', "(sut)");

	for (size_t i = 0; i < n && r >= 0; i++)
		r = sd_bus_message_append(reply, "(sut)", parts[i].name, parts[i].day,
					  parts[i].size);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int method_list(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ struct journal_part *parts = NULL;
	_cleanup_close_ int keys = -1;
	struct service *service = userdata;
	sd_bus_message *reply = NULL;
	struct journal *journal;
	size_t n;
	int r;

	r = get_journal(service, m, &journal, error);
	if (r < 0)
		return r;
	r = journal_expire(journal, history_today());
	if (r >= 0)
		r = journal_list(journal, &parts, &n);
	if (r < 0)
		return failed(error, r);
	keys = journal_file(journal, JOURNAL_KEYS);
	if (keys < 0)
		return keys == -ENOENT ? bus_not_found(error) : bus_failed(error, keys);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "h", keys);
	if (r >= 0)
		r = append_parts(reply, parts, n);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? failed(error, r) : 1;
}

static int method_open(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_close_ int fd = -1;
	struct journal *journal;
	const char *name;
	int r;

	r = sd_bus_message_read(m, "s", &name);
	if (r >= 0)
		r = get_journal(userdata, m, &journal, error);
	if (r < 0)
		return r;
	fd = journal_file(journal, name);
	if (fd < 0)
		return fd == -ENOENT ? bus_not_found(error) : bus_failed(error, fd);
	return sd_bus_reply_method_return(m, "h", fd);
}

/* ---- deleting ------------------------------------------------------------------------------------ */

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	struct journal *journal;
	uint32_t before;
	int r;

	r = sd_bus_message_read(m, "u", &before);
	if (r >= 0)
		r = get_journal(service, m, &journal, error);
	if (r < 0)
		return r;
	r = journal_forget(journal, before, history_today());
	return r < 0 ? failed(error, r) : sd_bus_reply_method_return(m, NULL);
}

/* Only memory that its sender cannot change any more, and that cannot make the reader wait. */
static int map_sealed(int fd, struct journal_new *day)
{
	int seals = fcntl(fd, F_GET_SEALS), wanted = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	void *bytes;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    st.st_size > (off_t)BOUND_REPLACE_BYTES)
		return -EBADMSG;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	day->bytes = bytes;
	day->len = (size_t)st.st_size;
	return 0;
}

static int read_day(sd_bus_message *m, struct journal_new *day)
{
	const void *key, *chain;
	size_t key_len, chain_len;
	int fd, r;

	r = sd_bus_message_read(m, "u", &day->day);
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &key, &key_len);
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &chain, &chain_len);
	if (r >= 0)
		r = sd_bus_message_read(m, "h", &fd);
	if (r < 0)
		return r;
	if (key_len != sizeof(day->key) || chain_len != sizeof(day->chain))
		return -EBADMSG;
	memcpy(day->key, key, key_len);
	memcpy(day->chain, chain, chain_len);
	return map_sealed(fd, day);
}

static int read_days(sd_bus_message *m, struct journal_new *days, size_t *n)
{
	int r = sd_bus_message_enter_container(m, 'a', "(uayayh)");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "uayayh")) > 0) {
		r = *n == KEYRING_DAYS_MAX ? -EBADMSG : read_day(m, &days[*n]);
		if (r < 0)
			return r;
		++*n;
		r = sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int method_replace(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_free_ struct journal_new *days = NULL;
	struct service *service = userdata;
	struct journal *journal;
	struct refusal refusal;
	const void *tag;
	size_t len, n = 0;
	uint64_t next;
	int r;

	days = calloc(KEYRING_DAYS_MAX, sizeof(*days));
	if (days == NULL)
		return bus_failed(error, -ENOMEM);
	r = sd_bus_message_read(m, "t", &next);
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &tag, &len);
	if (r < 0)
		return r;
	r = get_journal(service, m, &journal, error);
	if (r < 0)
		return r;
	r = len != SEGMENT_TAG_LEN ? -EBADMSG : read_days(m, days, &n);
	if (r >= 0)
		r = journal_replace(journal, history_today(), next, tag, days, n);
	for (size_t i = 0; i < n; i++)
		munmap((void *)days[i].bytes, days[i].len);
	crypto_wipe(days, KEYRING_DAYS_MAX * sizeof(*days));
	if (r == -ESTALE)
		refuse(&refusal, REFUSAL_FAILED,
		       "Something was recorded while the history was rewritten; nothing was changed. Try again.");
	else if (r == -EBADMSG)
		refuse(&refusal, REFUSAL_BAD_ARGUMENT,
		       "The rewritten history is not a whole one; nothing was changed.");
	else
		return r < 0 ? failed(error, r) : sd_bus_reply_method_return(m, NULL);
	return bus_refused(error, &refusal);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct service *service = userdata;
	const struct dict_entry entries[] = {
		DICT_U32("Days", service->policy.history_days),
		DICT_U32("Unit", service->policy.history_unit),
	};

	return bus_get(reply, property, entries, ARRAY_SIZE(entries));
}

static const sd_bus_vtable history_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Days", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Unit", "u", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	NO_ARGS("GetKey", ("ay", public_key), method_get_key),
	NO_RESULT("SetKey", ("ay", public_key), method_set_key),
	NO_ARGS("List", ("h", keys, "a(sut)", segments), method_list),
	METHOD("Open", ("s", segment), ("h", file), method_open),
	NO_RESULT("Forget", ("u", before), method_forget),
	NO_RESULT("Replace", ("t", next, "ay", tag, "a(uayayh)", days), method_replace),
	SD_BUS_VTABLE_END,
};

int bus_history_register(struct service *service)
{
	return sd_bus_add_object_vtable(service->bus, NULL, BUS_PATH, BUS_HISTORY, history_vtable,
					service);
}
