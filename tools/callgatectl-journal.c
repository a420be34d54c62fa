// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Gets the sealed files of the user's call history from the daemon, as descriptors, and opens them here. Owns the key while a
 * verb runs. Must not print records. Called by the verbs history and report.
 */
#include "callgatectl-journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "util/bytes.h"
#include "util/hex.h"
#include "util/macro.h"
#include "util/text.h"

#define DAY_SECONDS 86400
/* A multiple of every page size. */
#define DROP_BYTES  (4u << 20)

int history_call(struct history_view *view, const char *what, const char *method,
		 int (*append)(sd_bus_message *m, void *userdata), void *userdata,
		 sd_bus_message **ret_reply)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r;

	r = sd_bus_message_new_method_call(view->client.bus, &m, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_HISTORY, method);
	if (r >= 0 && append)
		r = append(m, userdata);
	/* The agent may have to confirm it, or much has to be written. */
	if (r >= 0)
		r = sd_bus_call(view->client.bus, m, 650 * 1000000ull, &error, ret_reply);
	r = r < 0 ? ctl_explain(what, r, &error) : CTL_OK;
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return r;
}

/* ---- days ---------------------------------------------------------------------------------------- */

void history_day_text(uint32_t day, char ret[16])
{
	time_t t = (time_t)day * DAY_SECONDS;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(ret, 16, "%Y-%m-%d", &tm))
		snprintf(ret, 16, "day %u", day);
}

void history_time_text(uint64_t seconds, char ret[24])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(ret, 24, "%Y-%m-%d %H:%M", &tm))
		snprintf(ret, 24, "?");
}

const char *history_deletion(const struct keyring *keyring)
{
	switch ((enum keyring_deletion)keyring->deletion) {
	case KEYRING_EXPIRED:
		return "days that were old enough went by themselves";
	case KEYRING_BEFORE:
		return "you forgot the days before one";
	case KEYRING_ALL:
		return "you forgot everything";
	case KEYRING_PEER:
		return "you forgot the calls with somebody";
	case KEYRING_NOTHING:
	case KEYRING_DELETION_COUNT:
		break;
	}
	return "";
}

int64_t history_parse_day(const char *text)
{
	struct tm tm = { 0 };
	char again[16];
	int64_t t;

	if (sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	t = timegm(&tm) / DAY_SECONDS;
	if (t < 0 || t >= UINT32_MAX)
		return -1;
	/* Only a day that exists, spelt as it is shown. */
	history_day_text((uint32_t)t, again);
	return strcmp(again, text) == 0 ? t : -1;
}

/* ---- the key ------------------------------------------------------------------------------------- */

static int append_key(sd_bus_message *m, void *userdata)
{
	return sd_bus_message_append_array(m, 'y', userdata, CRYPTO_KEY_LEN);
}

/* Makes daemon and user agree on a key, and reads it. */
static int agree(const struct ctl_request *request, struct history_view *view)
{
	uint8_t public_key[CRYPTO_KEY_LEN];
	sd_bus_message *reply = NULL;
	const void *known = NULL;
	size_t len = 0;
	int r;

	r = key_read(request->passphrase_fd, &view->key, &view->protected_key);
	if (r == CTL_OK)
		r = history_call(view, "cannot ask for the history's key", "GetKey", NULL, NULL,
				 &reply);
	if (r == CTL_OK && sd_bus_message_read_array(reply, 'y', &known, &len) < 0)
		r = CTL_FAILED;
	if (r == CTL_OK && !view->key && len) {
		ctl_complain(
			"the history is sealed to a key that is not here; restore %s from a backup, or "
			"make a new key with 'callgatectl history setup', which cannot read what there is",
			key_path());
		r = CTL_FAILED;
	}
	if (r == CTL_OK && !view->key) {
		r = key_write(&view->key, KEY_OPEN, NULL);
		view->made_key = r == CTL_OK;
	}
	if (r == CTL_OK && !len) {
		crypto_x25519_public(view->key->private_key, public_key);
		r = history_call(view, "cannot set the history's key", "SetKey", append_key,
				 public_key, NULL);
	}
	sd_bus_message_unref(reply);
	return r;
}

/* ---- the list ------------------------------------------------------------------------------------ */

static int read_keyring(struct history_view *view, int fd)
{
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(KEYRING_ENCODED_MAX);
	ssize_t len;

	view->keyring = keyring_new();
	if (!bytes || !view->keyring) {
		ctl_complain("memory for secrets cannot be locked; raise 'ulimit -l'");
		return CTL_FAILED;
	}
	len = pread(fd, bytes, KEYRING_ENCODED_MAX, 0);
	if (len >= 0 && keyring_decode(view->keyring, bytes, (size_t)len) == 0)
		return CTL_OK;
	ctl_complain("the history's key file is damaged: what it opened cannot be read any more; "
		     "'callgatectl history forget --all' begins anew");
	return CTL_FAILED;
}

static int read_parts(struct history_view *view, sd_bus_message *m)
{
	struct history_part *more;
	const char *name;
	uint64_t size;
	uint32_t day;
	int r = sd_bus_message_enter_container(m, 'a', "(sut)");

	while (r >= 0 && (r = sd_bus_message_read(m, "(sut)", &name, &day, &size)) > 0) {
		if (view->n_parts % 64 == 0) {
			more = reallocarray(view->parts, view->n_parts + 64, sizeof(*more));
			if (!more)
				return -ENOMEM;
			view->parts = more;
		}
		more = &view->parts[view->n_parts++];
		*more = (struct history_part){ .day = day, .size = size };
		snprintf(more->name, sizeof(more->name), "%s", name);
	}
	return r;
}

/* Who is behind the pseudonyms of each day, as far as the user's contacts say. */
static int read_names(struct history_view *view)
{
	struct client_list peers = { 0 };
	sd_bus_error error = SD_BUS_ERROR_NULL;
	size_t n = 0;
	int r = client_fetch(&view->client, "ListPeers", &peers, &error);

	if (r < 0)
		r = ctl_explain("cannot list the peers", r, &error);
	sd_bus_error_free(&error);
	if (r != CTL_OK)
		return r;
	for (size_t i = 0; i < peers.n; i++) {
		const struct client_field *keys = client_find(&peers.items[i], "Keys");

		for (char **key = keys && keys->type == 'a' ? keys->list : NULL; key && *key; key++)
			n += view->keyring->n;
	}
	view->names = calloc(n ? n : 1, sizeof(*view->names));
	for (size_t i = 0; view->names && i < peers.n; i++) {
		const struct client_field *keys = client_find(&peers.items[i], "Keys");

		for (char **key = keys && keys->type == 'a' ? keys->list : NULL; key && *key; key++)
			for (size_t day = 0; day < view->keyring->n; day++) {
				struct history_name *name = &view->names[view->n_names];

				if (hex_decode(*key, name->key, CRYPTO_KEY_LEN) != CRYPTO_KEY_LEN)
					continue;
				name->name = strdup(client_text(&peers.items[i], "Name"));
				keyring_pseudonym(&view->keyring->days[day], name->key, name->peer);
				view->n_names++;
			}
	}
	client_list_clear(&peers);
	return view->names ? CTL_OK : CTL_FAILED;
}

const struct history_name *history_name(const struct history_view *view, const uint8_t *peer)
{
	for (size_t i = 0; i < view->n_names; i++)
		if (!memcmp(view->names[i].peer, peer, RECORD_PEER_LEN))
			return &view->names[i];
	return NULL;
}

static int read_policy(struct history_view *view)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	r = sd_bus_get_property_trivial(view->client.bus, CLIENT_NAME, CLIENT_ROOT, CLIENT_HISTORY,
					"Days", &error, 'u', &view->days);
	if (r >= 0)
		r = sd_bus_get_property_trivial(view->client.bus, CLIENT_NAME, CLIENT_ROOT,
						CLIENT_HISTORY, "Unit", &error, 'u', &view->unit);
	r = r < 0 ? ctl_explain("cannot ask for the history's policy", r, &error) : CTL_OK;
	sd_bus_error_free(&error);
	return r;
}

int history_begin(const struct ctl_request *request, struct history_view *view)
{
	sd_bus_message *reply = NULL;
	int fd, r;

	*view = (struct history_view){ 0 };
	if (crypto_init() < 0) {
		ctl_complain("the crypto library did not start");
		return CTL_FAILED;
	}
	r = ctl_connect(&view->client);
	if (r == CTL_OK)
		r = agree(request, view);
	if (r == CTL_OK)
		r = read_policy(view);
	if (r == CTL_OK)
		r = history_call(view, "cannot list the history", "List", NULL, NULL, &reply);
	if (r == CTL_OK && sd_bus_message_read(reply, "h", &fd) < 0)
		r = CTL_FAILED;
	if (r == CTL_OK)
		r = read_keyring(view, fd);
	if (r == CTL_OK && read_parts(view, reply) < 0)
		r = CTL_FAILED;
	if (r == CTL_OK)
		r = read_names(view);
	sd_bus_message_unref(reply);
	if (r == CTL_OK && view->made_key)
		fprintf(stderr,
			"A key for your call history was made now: %s\n"
			"It has no passphrase; whoever can read your files can read the history. "
			"'callgatectl history passphrase' sets one.\n",
			key_path());
	return r;
}

void history_end(struct history_view *view)
{
	crypto_secret_free(view->key);
	keyring_free(view->keyring);
	for (size_t i = 0; i < view->n_names; i++)
		free(view->names[i].name);
	free(view->names);
	free(view->parts);
	client_close(&view->client);
}

/* ---- the segments -------------------------------------------------------------------------------- */

static int append_name(sd_bus_message *m, void *userdata)
{
	return sd_bus_message_append(m, "s", userdata);
}

int history_map(struct history_view *view, const struct history_part *part, const uint8_t **ret,
		size_t *ret_len)
{
	sd_bus_message *reply = NULL;
	struct stat st;
	void *bytes = MAP_FAILED;
	int fd, r;

	r = history_call(view, "cannot open a part of the history", "Open", append_name,
			 (void *)part->name, &reply);
	if (r == CTL_OK && (sd_bus_message_read(reply, "h", &fd) < 0 || fstat(fd, &st) < 0))
		r = CTL_FAILED;
	if (r == CTL_OK && st.st_size == 0) {
		*ret = NULL;
		*ret_len = 0;
		goto out;
	}
	if (r == CTL_OK)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (r == CTL_OK && bytes == MAP_FAILED) {
		ctl_complain("a part of the history cannot be mapped: %s", strerror(errno));
		r = CTL_FAILED;
	}
	if (r == CTL_OK) {
		madvise(bytes, (size_t)st.st_size, MADV_SEQUENTIAL);
		*ret = bytes;
		*ret_len = (size_t)st.st_size;
	}
out:
	sd_bus_message_unref(reply);
	return r;
}

void history_unmap(const uint8_t *bytes, size_t len)
{
	if (len)
		munmap((void *)bytes, len);
}

/* "NUMBER:TAG", as 'history anchor' prints it. */
static int parse_anchor(const char *text, struct walk *walk)
{
	const char *colon = strchr(text, ':');
	char *end;

	errno = 0;
	walk->anchor_number = strtoull(text, &end, 10);
	if (!colon || end != colon || errno ||
	    hex_decode(colon + 1, walk->anchor_tag, SEGMENT_TAG_LEN) != SEGMENT_TAG_LEN) {
		ctl_complain("--anchor wants what 'callgatectl history anchor' printed, not '%s'",
			     text);
		return CTL_USAGE;
	}
	walk->has_anchor = true;
	return CTL_OK;
}

/*
 * struct passing - a caller's walk, while a segment is read
 * @bytes: the segment; pages before @dropped are not in memory any more
 */
struct passing {
	void (*on_record)(void *userdata, const struct record *record,
			  const struct walk_place *place);
	void (*on_problem)(void *userdata, enum walk_problem problem,
			   const struct walk_place *place);
	void *userdata;
	const uint8_t *bytes;
	size_t dropped;
};

/* A million records pass through without staying. */
static void pass_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	struct passing *passing = userdata;
	size_t done = place->offset / DROP_BYTES * DROP_BYTES;

	passing->on_record(passing->userdata, record, place);
	if (done <= passing->dropped)
		return;
	madvise((void *)(passing->bytes + passing->dropped), done - passing->dropped,
		MADV_DONTNEED);
	passing->dropped = done;
}

static void pass_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
	struct passing *passing = userdata;

	passing->on_problem(passing->userdata, problem, place);
}

int history_walk(struct history_view *view, const struct ctl_request *request, struct walk *walk)
{
	struct passing passing = { .on_record = walk->on_record,
				   .on_problem = walk->on_problem,
				   .userdata = walk->userdata };
	const uint8_t *bytes;
	size_t len;
	int r = CTL_OK;

	walk->on_record = pass_record;
	walk->on_problem = pass_problem;
	walk->userdata = &passing;
	walk->keyring = view->keyring;
	walk->private_key = view->key->private_key;
	if (request->anchor)
		r = parse_anchor(request->anchor, walk);
	for (size_t i = 0; i < view->n_parts && r == CTL_OK; i++) {
		r = history_map(view, &view->parts[i], &bytes, &len);
		if (r != CTL_OK)
			break;
		passing.bytes = bytes;
		passing.dropped = 0;
		if (walk_segment(walk, view->parts[i].name, bytes, len) < 0) {
			ctl_complain("memory for secrets cannot be locked; raise 'ulimit -l'");
			r = CTL_FAILED;
		}
		history_unmap(bytes, len);
	}
	if (r == CTL_OK)
		walk_end(walk);
	walk->on_record = passing.on_record;
	walk->on_problem = passing.on_problem;
	walk->userdata = passing.userdata;
	return r;
}
