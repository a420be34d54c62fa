// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl history forget. Whole days go without any key: the daemon destroys theirs. A peer goes by writing its days
 * anew without it, under new keys, which only the owner can do; the daemon checks the new ones and destroys the old keys.
 */
#include "callgatectl-journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/hex.h"
#include "util/macro.h"

/* One day as it will be. */
struct day {
	struct keyring_day key;
	uint8_t chain[CRYPTO_KEY_LEN];
	int fd;
};

struct rewriting {
	struct history_view *view;
	const char *peer;
	uint8_t pseudonym[RECORD_PEER_LEN];
	bool has_pseudonym;
	struct day *days;
	size_t n;
	struct segment_keys *keys;
	uint64_t number, next;
	uint8_t tag[SEGMENT_TAG_LEN], old_tag[SEGMENT_TAG_LEN];
	size_t removed, kept;
	int error;
	bool damaged, foreign;
};

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool is_peer(const struct rewriting *w, const struct record *record)
{
	const struct history_name *name;

	if (record->type != RECORD_SESSION)
		return false;
	if (w->has_pseudonym && !memcmp(w->pseudonym, record->peer, RECORD_PEER_LEN))
		return true;
	name = history_name(w->view, record->peer);
	return name && !strcmp(name->name, w->peer);
}

/* Another pseudonym, which nobody can join to the old one once its day's key is gone. */
static void rename_peer(const struct rewriting *w, const struct day *day, struct record *record)
{
	static const uint8_t nobody[RECORD_PEER_LEN];
	const struct history_name *name = history_name(w->view, record->peer);
	uint8_t stand_in[CRYPTO_KEY_LEN] = { 0 };

	if (!memcmp(record->peer, nobody, sizeof(nobody)))
		return;
	memcpy(stand_in, record->peer, RECORD_PEER_LEN);
	keyring_pseudonym(&day->key, name ? name->key : stand_in, record->peer);
}

static int begin_day(struct rewriting *w, uint32_t of)
{
	uint8_t header[SEGMENT_HEADER_LEN];
	struct segment_head head;
	struct day *day;

	if (w->n == KEYRING_DAYS_MAX)
		return -E2BIG;
	day = &w->days[w->n];
	*day = (struct day){
		.key = { .day = of,
			 .generation = w->view->keyring->generation + (uint32_t)w->n + 1 },
		.fd = memfd_create("history", MFD_CLOEXEC | MFD_ALLOW_SEALING),
	};
	if (day->fd < 0)
		return -errno;
	w->n++;
	crypto_random(day->key.key, sizeof(day->key.key));
	head = (struct segment_head){ .day = of,
				      .generation = day->key.generation,
				      .first = w->number };
	memcpy(head.previous, w->tag, sizeof(head.previous));
	segment_begin(&head, day->key.key, w->view->keyring->public_key, w->keys, header, w->tag);
	memcpy(day->chain, w->keys->chain, sizeof(day->chain));
	return write_all(day->fd, header, sizeof(header));
}

static void on_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	uint8_t bytes[RECORD_LEN_MAX],
		cells[(RECORD_LEN_MAX / SEGMENT_CELL_DATA + 1) * SEGMENT_CELL_LEN];
	struct rewriting *w = userdata;
	struct record kept = *record;
	int len;

	if (w->error)
		return;
	if (is_peer(w, record)) {
		w->removed++;
		return;
	}
	if (w->n == 0 || w->days[w->n - 1].key.day != place->day)
		w->error = begin_day(w, place->day);
	if (w->error)
		return;
	rename_peer(w, &w->days[w->n - 1], &kept);
	len = record_encode(&kept, bytes);
	if (len < 0) {
		w->error = len;
		return;
	}
	segment_seal(w->keys, &w->number, w->tag, bytes, (size_t)len, cells);
	w->error = write_all(w->days[w->n - 1].fd, cells,
			     segment_cells((size_t)len) * SEGMENT_CELL_LEN);
	w->kept++;
}

static void on_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
	struct rewriting *w = userdata;

	w->damaged |= problem != WALK_TORN && problem != WALK_FOREIGN;
	w->foreign |= problem == WALK_FOREIGN;
}

static int append_days(sd_bus_message *m, void *userdata)
{
	struct rewriting *w = userdata;
	int r = sd_bus_message_append(m, "t", w->next);

	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', w->old_tag, SEGMENT_TAG_LEN);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(uayayh)");
	for (size_t i = 0; i < w->n && r >= 0; i++) {
		struct day *day = &w->days[i];

		r = sd_bus_message_open_container(m, 'r', "uayayh");
		if (r >= 0)
			r = sd_bus_message_append(m, "u", day->key.day);
		if (r >= 0)
			r = sd_bus_message_append_array(m, 'y', day->key.key, CRYPTO_KEY_LEN);
		if (r >= 0)
			r = sd_bus_message_append_array(m, 'y', day->chain, CRYPTO_KEY_LEN);
		if (r >= 0)
			r = sd_bus_message_append(m, "h", day->fd);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int rewrite(const struct ctl_request *request, struct history_view *view,
		   struct rewriting *w)
{
	struct walk walk = { .on_record = on_record, .on_problem = on_problem, .userdata = w };
	char day[16];
	int r;

	for (size_t i = 0, bytes = 0; i < view->n_parts; i++) {
		bytes = i && view->parts[i].day == view->parts[i - 1].day ? bytes : 0;
		bytes += view->parts[i].size;
		if (bytes > BOUND_REPLACE_BYTES) {
			history_day_text(view->parts[i].day, day);
			ctl_complain(
				"%s has more records than can be rewritten at once (%u MiB); forget whole days with "
				"--before or --all",
				day, BOUND_REPLACE_BYTES >> 20);
			return CTL_FAILED;
		}
	}
	w->number = view->keyring->floor;
	r = history_walk(view, request, &walk);
	if (r != CTL_OK)
		return r;
	if (w->damaged) {
		ctl_complain(
			"the history is damaged, and to rewrite it would hide that; see 'callgatectl history', "
			"or forget whole days with --before or --all");
		return CTL_FORGED;
	}
	if (w->foreign) {
		ctl_complain(
			"a part of the history is sealed to another key than yours and cannot be rewritten; see "
			"'callgatectl history', or forget whole days with --before or --all");
		return CTL_FAILED;
	}
	if (w->error) {
		ctl_complain("the days cannot be written anew: %s", strerror(-w->error));
		return CTL_FAILED;
	}
	if (!w->removed) {
		ctl_complain("no call with '%s' is recorded; nothing was changed", w->peer);
		return CTL_FAILED;
	}
	for (size_t i = 0; i < w->n; i++)
		fcntl(w->days[i].fd, F_ADD_SEALS,
		      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	w->next = walk.started ? walk.next : view->keyring->floor;
	memcpy(w->old_tag, walk.tag, sizeof(w->old_tag));
	return history_call(view, "nothing was forgotten", "Replace", append_days, w, NULL);
}

static int forget_peer(const struct ctl_request *request)
{
	struct history_view view;
	struct rewriting w = { .view = &view, .peer = request->peer };
	int r = history_begin(request, &view);

	w.has_pseudonym = hex_decode(w.peer, w.pseudonym, RECORD_PEER_LEN) == RECORD_PEER_LEN;
	w.days = crypto_secret_new(KEYRING_DAYS_MAX * sizeof(*w.days));
	w.keys = crypto_secret_new(sizeof(*w.keys));
	if (r == CTL_OK && (!w.days || !w.keys)) {
		ctl_complain("memory for secrets cannot be locked; raise 'ulimit -l'");
		r = CTL_FAILED;
	}
	if (r == CTL_OK)
		r = rewrite(request, &view, &w);
	if (r == CTL_OK && request->json)
		printf("{\"forgotten\": %zu, \"kept\": %zu}\n", w.removed, w.kept);
	else if (r == CTL_OK)
		printf("Forgot %zu record%s; %zu stay.\n", w.removed, w.removed == 1 ? "" : "s",
		       w.kept);
	for (size_t i = 0; i < w.n; i++)
		close(w.days[i].fd);
	crypto_secret_free(w.days);
	crypto_secret_free(w.keys);
	history_end(&view);
	return r;
}

static int append_before(sd_bus_message *m, void *userdata)
{
	return sd_bus_message_append(m, "u", *(uint32_t *)userdata);
}

int history_forget(const struct ctl_request *request)
{
	struct history_view view = { 0 };
	uint32_t before = UINT32_MAX;
	int64_t day;
	int r;

	if (!!request->all + !!request->before + !!request->peer != 1) {
		ctl_complain("say what to forget: --before DAY, --peer NAME or --all");
		return CTL_USAGE;
	}
	if (request->peer)
		return forget_peer(request);
	if (request->before) {
		day = history_parse_day(request->before);
		if (day < 0) {
			ctl_complain("--before wants a day like 2026-11-26, not '%s'",
				     request->before);
			return CTL_USAGE;
		}
		before = (uint32_t)day;
	}
	/* No key is needed: this also works when the passphrase is lost. */
	r = ctl_connect(&view.client);
	if (r == CTL_OK)
		r = history_call(&view, "nothing was forgotten", "Forget", append_before, &before,
				 NULL);
	if (r == CTL_OK && request->json)
		puts("{\"forgotten\": true}");
	else if (r == CTL_OK)
		puts("Forgotten: the keys of these days were destroyed.");
	client_close(&view.client);
	return r;
}
