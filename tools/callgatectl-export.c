// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl history export FILE: everything that is stored about the user, as JSON, and beside it FILE.sig, an Ed25519
 * signature of the whole file under a key that signs nothing else.
 */
#include "callgatectl-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/hex.h"
#include "util/macro.h"

struct exporting {
	struct history_view *view;
	FILE *out;
	bool first;
};

static void on_record(void *userdata, const struct record *record, const struct walk_place *place)
{
	struct exporting *e = userdata;

	fputs(e->first ? "\n  " : ",\n  ", e->out);
	history_print_json(e->out, e->view, record);
	e->first = false;
}

static void on_problem(void *userdata, enum walk_problem problem, const struct walk_place *place)
{
}

static int write_json(const struct ctl_request *request, struct history_view *view, FILE *out,
		      uint64_t *ret_records)
{
	struct exporting e = { .view = view, .out = out, .first = true };
	struct walk walk = { .on_record = on_record, .on_problem = on_problem, .userdata = &e };
	uint8_t public_key[CRYPTO_KEY_LEN];
	char hex[2 * SEGMENT_TAG_LEN + 1];
	const struct record_field *fields;
	size_t n = record_fields(&fields);
	int r;

	crypto_sign_public(view->key->sign_seed, public_key);
	hex_encode(public_key, sizeof(public_key), hex);
	fprintf(out,
		"{\"format\": \"callgate history 1\", \"signed_by\": \"%s\",\n\"days\": %u, "
		"\"fields\": {",
		hex, view->days);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s\"%s\": ", i ? ", " : "", fields[i].name);
		print_json_text(out, fields[i].meaning);
	}
	fputs("},\n\"keys\": [", out);
	for (size_t i = 0; i < view->keyring->n; i++) {
		char day[16], until[16];

		history_day_text(view->keyring->days[i].day, day);
		history_day_text(view->keyring->days[i].until, until);
		fprintf(out, "%s{\"day\": \"%s\", \"until\": \"%s\"}", i ? ", " : "", day, until);
	}
	fputs("],\n\"history\": [", out);
	r = history_walk(view, request, &walk);
	hex_encode(walk.tag, SEGMENT_TAG_LEN, hex);
	fprintf(out, "],\n\"damaged\": %" PRIu64 ", \"anchor\": ", walk.problems);
	if (walk.started)
		fprintf(out, "\"%" PRIu64 ":%s\"}\n", walk.next - 1, hex);
	else
		fputs("null}\n", out);
	*ret_records = walk.records;
	return r;
}

static int sign(const struct history_view *view, const char *path, int fd)
{
	uint8_t signature[CRYPTO_SIGN_LEN];
	_cleanup_close_ int sig = -1;
	char name[4096];
	struct stat st;
	void *bytes;

	if (fstat(fd, &st) < 0)
		return -errno;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	crypto_sign_with(view->key->sign_seed, bytes, (size_t)st.st_size, signature);
	munmap(bytes, (size_t)st.st_size);
	if ((size_t)snprintf(name, sizeof(name), "%s.sig", path) >= sizeof(name))
		return -ENAMETOOLONG;
	sig = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (sig < 0)
		return -errno;
	return write(sig, signature, sizeof(signature)) == sizeof(signature) ? 0 : -EIO;
}

int history_export(const struct ctl_request *request)
{
	const char *path = request->arguments[1];
	struct history_view view;
	uint64_t records = 0;
	FILE *out = NULL;
	int fd, r, e = 0;

	r = history_begin(request, &view);
	if (r != CTL_OK)
		goto out;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w+");
	if (!out) {
		e = errno;
		goto out;
	}
	r = write_json(request, &view, out, &records);
	if (fflush(out) != 0)
		e = errno;
	if (r == CTL_OK && !e)
		e = -sign(&view, path, fd);
	if (r == CTL_OK && !e)
		printf("%" PRIu64 " record%s in %s, signed in %s.sig.\n", records,
		       records == 1 ? "" : "s", path, path);
out:
	if (e) {
		ctl_complain("%s cannot be written: %s", path, strerror(e));
		r = CTL_FAILED;
	}
	if (out)
		fclose(out);
	history_end(&view);
	return r;
}
