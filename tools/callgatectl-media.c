// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The media keys of one call, and sealing and opening under them. Owns the keys,
 * in memory that is locked and not dumped, and wipes them with itself. Does no I/O
 * but reading the daemon's pipe.
 *
 * Security: a key seals in our direction only and opens in the other only, so a
 * reflected frame does not open; frames are taken in rising order of their
 * counter, so a relay can lose media but neither repeat nor shuffle it.
 */
#include "callgatectl-media.h"

#include "crypto.h"
#include "sframe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define RECORD_LEN  38
#define RECORDS_MAX 16
#define KINDS_MAX   3
/* The daemon has written before it answers. */
#define KEYS_MS	    2000

/**
 * struct media
 * @open: one for each kind of the other side, by kind - 1
 * @next: the lowest counter that is still taken, for each
 */
struct media {
	struct sframe_sender seal;
	struct sframe_receiver open[KINDS_MAX];
	bool can_seal, can_open[KINDS_MAX];
	uint64_t next[KINDS_MAX];
	uint64_t lost;
	uint8_t records[RECORD_LEN * RECORDS_MAX];
};

static int read_records(int fd, uint8_t *ret, size_t room, size_t *ret_len)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (poll(&poller, 1, KEYS_MS) <= 0)
			return -ETIMEDOUT;
		n = read(fd, ret + len, room - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
		if (len == room)
			return -E2BIG;
	}
	if (len == 0 || len % RECORD_LEN)
		return -EBADMSG;
	*ret_len = len;
	return 0;
}

static int take_record(struct media *media, const uint8_t *record, unsigned ours, unsigned kind)
{
	static const uint8_t epoch[4];
	unsigned direction = record[0], of = record[1];
	const uint8_t *key = record + 6;
	int r;

	if (direction > 1 || of < 1 || of > KINDS_MAX || memcmp(record + 2, epoch, sizeof(epoch)))
		return 0;
	if (direction != ours) {
		r = sframe_receiver_init(&media->open[of - 1], SFRAME_KID(direction, of), key,
					 CRYPTO_KEY_LEN);
		media->can_open[of - 1] = r >= 0;
		return r;
	}
	if (of != kind)
		return 0;
	r = sframe_sender_init(&media->seal, SFRAME_KID(direction, of), key, CRYPTO_KEY_LEN);
	media->can_seal = r >= 0;
	return r;
}

int media_new(int keys, bool incoming, unsigned kind, struct media **ret, const char **ret_why)
{
	struct media *media;
	size_t len = 0;
	int r;

	if (crypto_init() < 0) {
		*ret_why = "the cryptographic library did not start";
		return -EIO;
	}
	media = crypto_secret_new(sizeof(*media));
	if (!media) {
		*ret_why =
			"no memory could be locked for them; raise the limit of locked memory (ulimit -l)";
		return -ENOMEM;
	}
	r = read_records(keys, media->records, sizeof(media->records), &len);
	*ret_why = "what the daemon wrote is not a list of keys";
	for (size_t at = 0; r >= 0 && at < len; at += RECORD_LEN)
		r = take_record(media, media->records + at, incoming ? 1 : 0, kind);
	crypto_wipe(media->records, sizeof(media->records));
	if (r == -ENOTSUP)
		*ret_why =
			"neither libsodium nor OpenSSL has AES-256-GCM on this machine, without which media is not sealed";
	if (r < 0) {
		media_free(media);
		return r;
	}
	*ret = media;
	return 0;
}

struct media *media_free(struct media *media)
{
	return crypto_secret_free(media);
}

int media_seal(struct media *media, const void *plain, size_t len, uint8_t *ret, size_t room,
	       size_t *ret_len)
{
	if (!media->can_seal)
		return -ENOKEY;
	if (len + SFRAME_OVERHEAD > room)
		return -EMSGSIZE;
	return sframe_seal(&media->seal, NULL, 0, plain, len, ret, ret_len);
}

int media_open(struct media *media, const void *frame, size_t len, uint8_t *ret, size_t *ret_len)
{
	struct sframe_header header;
	unsigned i;
	int r;

	if (sframe_header_get(frame, len, &header) == 0)
		return -EBADMSG;
	for (i = 0; i < KINDS_MAX; i++)
		if (media->can_open[i] && media->open[i].kid == header.kid)
			break;
	if (i == KINDS_MAX)
		return -EBADMSG;
	r = sframe_open(&media->open[i], NULL, 0, frame, len, ret, ret_len);
	if (r < 0)
		return r == -EALREADY ? r : -EBADMSG;
	if (header.ctr < media->next[i])
		return -EALREADY;
	media->lost += header.ctr - media->next[i];
	media->next[i] = header.ctr + 1;
	return 0;
}

uint64_t media_lost(const struct media *media)
{
	return media->lost;
}
