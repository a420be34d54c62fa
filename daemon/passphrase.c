// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns a passphrase from the pipe until it is a key, and the one thread of the
 * daemon. Must not know what the key opens. Called by bus-identity.c.
 *
 * Security: passphrase and key are in secret memory and wiped as soon as they
 * were used. The thread touches nothing but its own stretch; the event loop
 * looks at the result only after the thread's last write, which wakes it.
 */
#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* In secret memory, as one piece. */
struct stretch_secret {
	char passphrase[CARRY_PASSPHRASE_MAX];
	uint8_t key[CRYPTO_KEY_LEN];
};

struct stretch {
	struct carry_head head;
	struct stretch_secret *secret;
	size_t len;
	int result;
	int wake_fd;
	pthread_t thread;
	bool started;
	sd_event_source *source;
	stretch_done done;
	void *userdata;
};

static bool busy;

int passphrase_read(int fd, void **ret_passphrase, size_t *ret_len)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;
	char *p;

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -EINVAL;
	/* The agent wrote it before it answered: nothing is waited for. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	p = crypto_secret_new(CARRY_PASSPHRASE_MAX + 1);
	if (p == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	while (n > 0 && len <= CARRY_PASSPHRASE_MAX) {
		n = read(fd, p + len, CARRY_PASSPHRASE_MAX + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n != 0 || len == 0 || len > CARRY_PASSPHRASE_MAX) {
		crypto_secret_free(p);
		return -EINVAL;
	}
	*ret_passphrase = p;
	*ret_len = len;
	return 0;
}

static void *run(void *userdata)
{
	struct stretch *stretch = userdata;
	const uint64_t one = 1;
	ssize_t n;

	stretch->result = crypto_stretch(stretch->secret->passphrase, stretch->len,
					 stretch->head.salt, stretch->head.passes,
					 stretch->head.mib, stretch->secret->key);
	/* An eventfd at 0 takes it at once. */
	do
		n = write(stretch->wake_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	return NULL;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct stretch *stretch = userdata;

	pthread_join(stretch->thread, NULL);
	stretch->started = false;
	stretch->source = sd_event_source_disable_unref(stretch->source);
	/* Frees the stretch. */
	stretch->done(stretch->userdata, stretch->result, stretch->secret->key);
	return 0;
}

int stretch_new(struct stretch **ret, sd_event *event, const struct carry_head *head,
		const void *passphrase, size_t len, stretch_done done, void *userdata)
{
	struct stretch *stretch;
	int r = -ENOMEM;

	if (busy)
		return -EBUSY;
	if (len > CARRY_PASSPHRASE_MAX)
		return -EINVAL;
	stretch = calloc(1, sizeof(*stretch));
	if (stretch == NULL)
		return -ENOMEM;
	busy = true;
	stretch->head = *head;
	stretch->len = len;
	stretch->done = done;
	stretch->userdata = userdata;
	stretch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	stretch->secret = crypto_secret_new(sizeof(*stretch->secret));
	if (stretch->wake_fd < 0 || stretch->secret == NULL)
		goto bad;
	memcpy(stretch->secret->passphrase, passphrase, len);
	r = sd_event_add_io(event, &stretch->source, stretch->wake_fd, EPOLLIN, on_wake, stretch);
	if (r >= 0)
		r = -pthread_create(&stretch->thread, NULL, run, stretch);
	if (r < 0)
		goto bad;
	stretch->started = true;
	*ret = stretch;
	return 0;
bad:
	stretch_free(stretch);
	return r;
}

struct stretch *stretch_free(struct stretch *stretch)
{
	if (stretch == NULL)
		return NULL;
	if (stretch->started)
		pthread_join(stretch->thread, NULL);
	sd_event_source_disable_unref(stretch->source);
	if (stretch->wake_fd >= 0)
		close(stretch->wake_fd);
	crypto_secret_free(stretch->secret);
	free(stretch);
	busy = false;
	return NULL;
}
