// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verbs seal and unseal: frames of media from standard input to standard output, under one media key of a session.
 * Must not speak to the daemon: the caller fetched the keys with MediaKeys and hands them over.
 *
 * Security: a key that sealed two streams would give both away, as their counters repeat. A key in a file is therefore erased in
 * the file before the first frame is sealed; a pipe is empty once it was read. Nothing of a frame is written before all of
 * it proved genuine, and the first frame that does not ends the stream.
 */
#include "callgatectl.h"

#include "crypto.h"
#include "sframe.h"
#include "util/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_LEN  38
#define RECORD_KEY  6
#define RECORDS_MAX 16
#define ANY	    0xff

#define PLAIN_MAX  (4u << 20)
#define FRAME_MAX  (PLAIN_MAX + SFRAME_OVERHEAD)
#define STREAM_MAX 16384u

/**
 * struct pipeline - one run of seal or unseal; all that is secret is in @secret
 * @key_fd: where the records come from; @file: whether that is a file, which others could read again
 */
struct pipeline {
	const struct ctl_request *request;
	bool sealing;
	uint8_t direction, kind;
	int key_fd;
	bool key_fd_is_ours, file;
	struct secret {
		struct sframe_sender sender;
		struct sframe_receiver receiver;
		uint8_t records[RECORD_LEN * RECORDS_MAX + 1];
	} * secret;
	uint8_t *in, *out;
	unsigned long long frames;
};

/* Fills what it can. Return: bytes, fewer than asked for only at the end of the input; -1 with errno. */
static ssize_t read_all(int fd, void *ret, size_t len)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = read(fd, (uint8_t *)ret + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int write_all(const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len) {
		n = write(STDOUT_FILENO, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ctl_complain("cannot write: %s", strerror(errno));
			return CTL_FAILED;
		}
		p += n;
		len -= (size_t)n;
	}
	return CTL_OK;
}

/* ---- the key ---- */

static const char *key_name(const struct pipeline *p)
{
	return p->request->key ?: "the key's descriptor";
}

static int open_key(struct pipeline *p)
{
	const struct ctl_request *request = p->request;
	struct stat st;
	char *end;
	long n;

	if (request->key) {
		p->key_fd = open(request->key, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		p->key_fd_is_ours = true;
	} else {
		errno = 0;
		n = strtol(request->key_fd, &end, 10);
		if (errno || *end || end == request->key_fd || n <= STDERR_FILENO || n > 65535) {
			ctl_complain("--key-fd wants the number of a descriptor from 3 on: %s",
				     request->key_fd);
			return CTL_USAGE;
		}
		p->key_fd = (int)n;
	}
	if (p->key_fd < 0 || fstat(p->key_fd, &st) < 0) {
		ctl_complain("cannot open %s: %s", key_name(p), strerror(errno));
		return CTL_FAILED;
	}
	p->file = S_ISREG(st.st_mode);
	if (p->file && st.st_mode & (S_IRWXG | S_IRWXO)) {
		ctl_complain("others may read %s; take fresh keys and keep them with mode 600",
			     key_name(p));
		return CTL_FAILED;
	}
	return CTL_OK;
}

static int read_key(struct pipeline *p, size_t *ret_len)
{
	uint8_t *records = p->secret->records;
	ssize_t n;

	if (p->file)
		n = pread(p->key_fd, records, sizeof(p->secret->records), 0);
	else
		n = read_all(p->key_fd, records, sizeof(p->secret->records));
	if (n < 0) {
		ctl_complain("cannot read %s: %s", key_name(p), strerror(errno));
		return CTL_FAILED;
	}
	if (n == 0 || n % RECORD_LEN) {
		ctl_complain(
			"%s holds no list of media keys, or one that is cut short: each record has %d bytes",
			key_name(p), RECORD_LEN);
		return CTL_FAILED;
	}
	*ret_len = (size_t)n;
	return CTL_OK;
}

/* The one record that fits what was asked for. */
static int find_key(struct pipeline *p, size_t len, size_t *ret_at)
{
	static const uint8_t epoch[4], used[CRYPTO_KEY_LEN];
	unsigned int found = 0;

	for (size_t at = 0; at < len; at += RECORD_LEN) {
		const uint8_t *r = p->secret->records + at;

		if (r[0] > 1 || r[1] < 1 || r[1] > 3 || memcmp(r + 2, epoch, sizeof(epoch)))
			continue;
		if ((p->direction != ANY && r[0] != p->direction) ||
		    (p->kind != ANY && r[1] != p->kind))
			continue;
		found++;
		*ret_at = at;
	}
	if (found == 0) {
		ctl_complain("%s holds no key for this direction and kind", key_name(p));
		return CTL_FAILED;
	}
	if (found > 1) {
		ctl_complain("%s holds several keys; say which with --direction and --kind",
			     key_name(p));
		return CTL_USAGE;
	}
	if (crypto_equal(p->secret->records + *ret_at + RECORD_KEY, used, sizeof(used))) {
		ctl_complain(
			"the key in %s has sealed a stream already, and seals only one; take the keys of a new call",
			key_name(p));
		return CTL_FAILED;
	}
	return CTL_OK;
}

/* Erases the key where it lies, so that no later run seals under it. */
static int use_up(struct pipeline *p, size_t at)
{
	static const uint8_t used[CRYPTO_KEY_LEN];
	char path[32];
	int fd, r = CTL_FAILED;
	bool same;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->key_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ctl_complain(
			"cannot erase the key in %s (%s); a key seals one stream only, so the file must be yours to "
			"write and nobody else may be using it",
			key_name(p), strerror(errno));
		if (fd >= 0)
			close(fd);
		return CTL_FAILED;
	}
	/* Under the lock: another run may have used it since it was read. */
	same = pread(fd, p->in, RECORD_LEN, (off_t)at) == RECORD_LEN &&
	       crypto_equal(p->in, p->secret->records + at, RECORD_LEN);
	crypto_wipe(p->in, RECORD_LEN);
	if (!same)
		ctl_complain("%s changed while it was read; take the keys of a new call",
			     key_name(p));
	else if (pwrite(fd, used, sizeof(used), (off_t)(at + RECORD_KEY)) != sizeof(used) ||
		 fdatasync(fd) < 0)
		ctl_complain("cannot erase the key in %s: %s", key_name(p), strerror(errno));
	else
		r = CTL_OK;
	close(fd);
	return r;
}

static int take_key(struct pipeline *p)
{
	const uint8_t *record;
	size_t len = 0, at = 0;
	uint64_t kid;
	int r;

	r = open_key(p);
	if (r == CTL_OK)
		r = read_key(p, &len);
	if (r == CTL_OK)
		r = find_key(p, len, &at);
	if (r == CTL_OK && p->sealing && p->file)
		r = use_up(p, at);
	if (r == CTL_OK) {
		record = p->secret->records + at;
		kid = SFRAME_KID(record[0], record[1]);
		if ((p->sealing ? sframe_sender_init(&p->secret->sender, kid, record + RECORD_KEY,
						     CRYPTO_KEY_LEN)
				: sframe_receiver_init(&p->secret->receiver, kid,
						       record + RECORD_KEY, CRYPTO_KEY_LEN)) < 0) {
			ctl_complain(
				"neither libsodium nor OpenSSL has AES-256-GCM on this machine, without which media "
				"is not sealed");
			r = CTL_FAILED;
		}
	}
	crypto_wipe(p->secret->records, sizeof(p->secret->records));
	if (p->key_fd_is_ours && p->key_fd >= 0)
		close(p->key_fd);
	return r;
}

/* ---- frames ---- */

/* Return: 1 with a frame in p->in, 0 at the end of the input, -1 after a complaint. */
static int get_frame(struct pipeline *p, size_t most, size_t *ret_len)
{
	uint8_t head[4];
	ssize_t n = read_all(STDIN_FILENO, head, sizeof(head));
	size_t len;

	if (n == 0)
		return 0;
	if (n == sizeof(head)) {
		len = get_be32(head);
		if (len > most) {
			ctl_complain(
				"frame %llu of the input says that it has %zu bytes; it may have %zu",
				p->frames + 1, len, most);
			return -1;
		}
		n = read_all(STDIN_FILENO, p->in, len);
		if (n == (ssize_t)len) {
			*ret_len = len;
			return 1;
		}
	}
	if (n < 0)
		ctl_complain("cannot read: %s", strerror(errno));
	else
		ctl_complain("the input ends in the middle of frame %llu", p->frames + 1);
	return -1;
}

static int put_sealed(struct pipeline *p, size_t len)
{
	size_t sealed;

	if (sframe_seal(&p->secret->sender, NULL, 0, p->in, len, p->out + 4, &sealed) < 0) {
		ctl_complain("frame %llu could not be sealed; take the keys of a new call",
			     p->frames + 1);
		return CTL_FAILED;
	}
	put_be32(p->out, (uint32_t)sealed);
	p->frames++;
	return write_all(p->out, 4 + sealed);
}

static int seal_frames(struct pipeline *p)
{
	size_t len;
	int more, r = CTL_OK;

	while (r == CTL_OK && (more = get_frame(p, PLAIN_MAX, &len)) != 0)
		r = more < 0 ? CTL_FAILED : put_sealed(p, len);
	return r;
}

/* Whatever comes, as it comes; an empty frame says that it ended in order. */
static int seal_stream(struct pipeline *p)
{
	ssize_t n;
	int r = CTL_OK;

	while (r == CTL_OK) {
		do {
			n = read(STDIN_FILENO, p->in, STREAM_MAX);
		} while (n < 0 && errno == EINTR);
		if (n < 0) {
			ctl_complain("cannot read: %s", strerror(errno));
			return CTL_FAILED;
		}
		r = put_sealed(p, (size_t)n);
		if (n == 0)
			break;
	}
	return r;
}

/* Opens what is in p->in to p->out + 4. */
static int open_frame(struct pipeline *p, size_t len, size_t *ret_len)
{
	int r = sframe_open(&p->secret->receiver, NULL, 0, p->in, len, p->out + 4, ret_len);

	if (r >= 0)
		return CTL_OK;
	if (r == -EALREADY)
		ctl_complain("frame %llu was here before, or is too old; somebody sent it again",
			     p->frames + 1);
	else if (r == -ENOKEY)
		ctl_complain("frame %llu is of another direction or kind than the key",
			     p->frames + 1);
	else
		ctl_complain("frame %llu was changed, or was sealed under another key",
			     p->frames + 1);
	return CTL_FORGED;
}

static int unseal_frames(struct pipeline *p)
{
	size_t len, plain;
	int more, r = CTL_OK;

	while (r == CTL_OK && (more = get_frame(p, FRAME_MAX, &len)) != 0) {
		r = more < 0 ? CTL_FAILED : open_frame(p, len, &plain);
		if (r != CTL_OK)
			break;
		put_be32(p->out, (uint32_t)plain);
		r = write_all(p->out, 4 + plain);
		p->frames++;
	}
	return r;
}

static int unseal_stream(struct pipeline *p)
{
	struct sframe_header header;
	bool ended = false;
	size_t len, plain;
	int more, r;

	while ((more = get_frame(p, FRAME_MAX, &len)) != 0) {
		if (more < 0)
			return CTL_FAILED;
		r = open_frame(p, len, &plain);
		if (r != CTL_OK)
			return r;
		if (ended || !sframe_header_get(p->in, len, &header) || header.ctr != p->frames) {
			ctl_complain("frame %llu is missing or not in its place", p->frames + 1);
			return CTL_FORGED;
		}
		p->frames++;
		ended = plain == 0;
		r = write_all(p->out + 4, plain);
		if (r != CTL_OK)
			return r;
	}
	if (!ended) {
		ctl_complain("the input was cut off after frame %llu: its end did not come",
			     p->frames);
		return CTL_FORGED;
	}
	return CTL_OK;
}

/* ---- the verbs ---- */

static int take_words(struct pipeline *p)
{
	const struct ctl_request *request = p->request;

	p->direction = ANY;
	p->kind = ANY;
	if (!request->key == !request->key_fd) {
		ctl_complain("say where the key is: either --key FILE or --key-fd NUMBER");
		return CTL_USAGE;
	}
	if (request->direction) {
		if (strcmp(request->direction, "caller") == 0)
			p->direction = 0;
		else if (strcmp(request->direction, "answerer") == 0)
			p->direction = 1;
		else {
			ctl_complain("--direction wants caller or answerer: %s",
				     request->direction);
			return CTL_USAGE;
		}
	}
	if (request->kind) {
		if (strcmp(request->kind, "microphone") == 0)
			p->kind = 1;
		else if (strcmp(request->kind, "camera") == 0)
			p->kind = 2;
		else if (strcmp(request->kind, "both") == 0)
			p->kind = 3;
		else {
			ctl_complain("--kind wants microphone, camera or both: %s", request->kind);
			return CTL_USAGE;
		}
	}
	return CTL_OK;
}

static int run(const struct ctl_request *request, bool sealing)
{
	struct pipeline p = { .request = request, .sealing = sealing, .key_fd = -1 };
	int r = take_words(&p);

	if (r != CTL_OK)
		return r;
	if (crypto_init() < 0) {
		ctl_complain("the cryptographic library did not start");
		return CTL_FAILED;
	}
	p.secret = crypto_secret_new(sizeof(*p.secret));
	p.in = malloc(FRAME_MAX);
	p.out = malloc(4 + FRAME_MAX);
	if (!p.secret || !p.in || !p.out) {
		ctl_complain(
			"no memory, or none could be locked for the key; raise the limit of locked memory (ulimit -l)");
		r = CTL_FAILED;
	}
	if (r == CTL_OK)
		r = take_key(&p);
	if (r == CTL_OK && sealing)
		r = request->stream ? seal_stream(&p) : seal_frames(&p);
	else if (r == CTL_OK)
		r = request->stream ? unseal_stream(&p) : unseal_frames(&p);
	crypto_secret_free(p.secret);
	free(p.in);
	free(p.out);
	return r;
}

int verb_seal(const struct ctl_request *request)
{
	return run(request, true);
}

int verb_unseal(const struct ctl_request *request)
{
	return run(request, false);
}
