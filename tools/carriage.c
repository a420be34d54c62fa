// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The byte stream to the relay: frames in, frames out. Owns the socket and two
 * bounded queues. Must not look into blobs or media, and must not block after
 * carriage_connect(). Called by callgatectl call and answer.
 *
 * Everything that is read is the relay's word: types, lengths and names are
 * checked before a byte is stored, and one frame at a time is held. Blobs leave
 * before media, and the receiver grants media by credit, so that a slow program
 * at either end delays media and never a proof of life.
 */
#include "carriage.h"

#include "plain.h"
#include "util/text.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER_LEN  5
#define URGENT_MAX  64
#define QUEUED_MAX  (64 * 1024)
/* Small, so that a blob waits behind little media that the kernel holds already. */
#define SEND_BUFFER 65536
#define CONNECT_MS  10000

struct frame {
	struct frame *next;
	size_t len, done;
	enum carriage_type type;
	uint8_t data[];
};

struct queue {
	struct frame *first, **last;
	size_t frames, bytes;
};

/**
 * struct carriage
 * @current: the frame that is partly written; in neither queue
 * @urgent: hello, blobs, credit
 * @media: media and its end, at most QUEUED_MAX and one frame
 * @credit_in: bytes of media that the other side may still send
 * @credit_out: bytes of media that may still be sent
 * @was_full: room() is owed
 * @mute: writing failed; nothing is queued any more
 */
struct carriage {
	const struct carriage_ops *ops;
	void *userdata;
	int fd;
	sd_event_source *io;
	struct frame *current;
	struct queue urgent, media;
	uint64_t credit_in, credit_out;
	bool was_full, greeted, ended, paused, mute, dead;
	size_t have;
	uint8_t in[HEADER_LEN + CARRIAGE_MEDIA_MAX];
};

static void queue_push(struct queue *queue, struct frame *frame)
{
	frame->next = NULL;
	*queue->last = frame;
	queue->last = &frame->next;
	queue->frames++;
	queue->bytes += frame->len;
}

static struct frame *queue_pop(struct queue *queue)
{
	struct frame *frame = queue->first;

	if (!frame)
		return NULL;
	queue->first = frame->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->frames--;
	queue->bytes -= frame->len;
	return frame;
}

/* Forget the oldest blob; whatever else is in the queue must arrive. */
static void queue_drop_blob(struct queue *queue)
{
	struct frame **p, *frame;

	for (p = &queue->first; *p && (*p)->type != CARRIAGE_BLOB; p = &(*p)->next)
		;
	frame = *p;
	if (!frame)
		return;
	*p = frame->next;
	if (!*p)
		queue->last = p;
	queue->frames--;
	queue->bytes -= frame->len;
	free(frame);
}

static void drop_queues(struct carriage *carriage)
{
	struct frame *frame;

	while ((frame = queue_pop(&carriage->urgent)) || (frame = queue_pop(&carriage->media)))
		free(frame);
	free(carriage->current);
	carriage->current = NULL;
}

static void fail(struct carriage *carriage, int error, const char *reason)
{
	if (carriage->dead)
		return;
	carriage->dead = true;
	carriage->io = sd_event_source_disable_unref(carriage->io);
	carriage->ops->closed(carriage->userdata, error, reason);
}

static void watch(struct carriage *carriage)
{
	uint32_t events = carriage->paused ? 0 : EPOLLIN;

	if (carriage->dead)
		return;
	if (carriage->current || carriage->urgent.first || carriage->media.first)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(carriage->io, events);
	/* Off, not only without events: a hang-up is always reported, and what was sent before it is yet unread. */
	sd_event_source_set_enabled(carriage->io, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int send_frame(struct carriage *carriage, enum carriage_type type, const void *data,
		      size_t len)
{
	bool urgent = type != CARRIAGE_MEDIA && type != CARRIAGE_END;
	struct frame *frame;
	uint32_t be = htobe32(len);

	if (carriage->dead || carriage->mute)
		return -ENOTCONN;
	frame = malloc(sizeof(*frame) + HEADER_LEN + len);
	if (!frame)
		return -ENOMEM;
	*frame = (struct frame){ .len = HEADER_LEN + len, .type = type };
	frame->data[0] = type;
	memcpy(frame->data + 1, &be, sizeof(be));
	memcpy(frame->data + HEADER_LEN, data, len);
	if (urgent && carriage->urgent.frames >= URGENT_MAX)
		queue_drop_blob(&carriage->urgent);
	queue_push(urgent ? &carriage->urgent : &carriage->media, frame);
	watch(carriage);
	return 0;
}

int carriage_send_hello(struct carriage *carriage, const char *name)
{
	if (!text_is_name(name, CARRIAGE_NAME_MAX))
		return -EINVAL;
	return send_frame(carriage, CARRIAGE_HELLO, name, strlen(name));
}

int carriage_send_blob(struct carriage *carriage, const void *data, size_t len)
{
	if (len == 0 || len > CARRIAGE_BLOB_MAX)
		return -EMSGSIZE;
	return send_frame(carriage, CARRIAGE_BLOB, data, len);
}

bool carriage_has_room(const struct carriage *carriage)
{
	return !carriage->dead && !carriage->mute && carriage->media.bytes < QUEUED_MAX &&
	       carriage->credit_out >= CARRIAGE_MEDIA_MAX;
}

int carriage_send_media(struct carriage *carriage, const void *data, size_t len)
{
	int r;

	if (len == 0 || len > CARRIAGE_MEDIA_MAX)
		return -EMSGSIZE;
	if (!carriage_has_room(carriage))
		return -ENOBUFS;
	r = send_frame(carriage, CARRIAGE_MEDIA, data, len);
	if (r < 0)
		return r;
	carriage->credit_out -= len;
	carriage->was_full = !carriage_has_room(carriage);
	return 0;
}

int carriage_send_end(struct carriage *carriage, const void *data, size_t len)
{
	if (len == 0 || len > CARRIAGE_END_MAX)
		return -EMSGSIZE;
	return send_frame(carriage, CARRIAGE_END, data, len);
}

int carriage_grant(struct carriage *carriage, uint32_t bytes)
{
	uint32_t be = htobe32(bytes);
	int r;

	assert(carriage->credit_in + bytes <= CARRIAGE_WINDOW);
	r = send_frame(carriage, CARRIAGE_CREDIT, &be, sizeof(be));
	if (r >= 0)
		carriage->credit_in += bytes;
	return r;
}

bool carriage_is_flushed(const struct carriage *carriage)
{
	return carriage->dead ||
	       (!carriage->current && !carriage->urgent.first && !carriage->media.first);
}

void carriage_pause(struct carriage *carriage, bool pause)
{
	carriage->paused = pause;
	watch(carriage);
}

static void do_write(struct carriage *carriage)
{
	for (;;) {
		struct frame *frame = carriage->current;
		ssize_t n;

		if (!frame)
			frame = queue_pop(&carriage->urgent);
		if (!frame)
			frame = queue_pop(&carriage->media);
		if (!frame)
			break;
		carriage->current = frame;
		n = send(carriage->fd, frame->data + frame->done, frame->len - frame->done,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			/* The end of the stream is found by reading: what came before it still counts. */
			carriage->mute = true;
			drop_queues(carriage);
			return;
		}
		frame->done += n;
		if (frame->done == frame->len) {
			free(frame);
			carriage->current = NULL;
		}
	}
	if (carriage_is_flushed(carriage) || (carriage->was_full && carriage_has_room(carriage))) {
		carriage->was_full = false;
		carriage->ops->room(carriage->userdata);
	}
}

/* The smallest and largest payload of a type; false for an unknown type. */
static bool bounds(uint8_t type, size_t *least, size_t *most)
{
	*least = 1;
	switch (type) {
	case CARRIAGE_HELLO:
		*most = CARRIAGE_NAME_MAX;
		return true;
	case CARRIAGE_BLOB:
		*most = CARRIAGE_BLOB_MAX;
		return true;
	case CARRIAGE_MEDIA:
		*most = CARRIAGE_MEDIA_MAX;
		return true;
	case CARRIAGE_END:
		*most = CARRIAGE_END_MAX;
		return true;
	case CARRIAGE_CREDIT:
		*least = *most = sizeof(uint32_t);
		return true;
	}
	return false;
}

static void take_credit(struct carriage *carriage, const uint8_t *data)
{
	uint32_t be;

	memcpy(&be, data, sizeof(be));
	carriage->credit_out += be32toh(be);
	/* More than a window can only come from a relay that wants our memory or our counter. */
	if (carriage->credit_out > CARRIAGE_WINDOW)
		return fail(carriage, -EPROTO, "it granted more media than a receiver may hold");
	if (carriage_has_room(carriage)) {
		carriage->was_full = false;
		carriage->ops->room(carriage->userdata);
	}
}

static void take_frame(struct carriage *carriage, uint8_t type, const uint8_t *data, size_t len)
{
	char name[CARRIAGE_NAME_MAX + 1] = "";

	if (type == CARRIAGE_HELLO) {
		memcpy(name, data, len);
		if (carriage->greeted || strlen(name) != len ||
		    !text_is_name(name, CARRIAGE_NAME_MAX))
			return fail(carriage, -EPROTO,
				    "it sent a name that cannot be shown, or a second one");
		carriage->greeted = true;
		return carriage->ops->hello(carriage->userdata, name);
	}
	if (!carriage->greeted)
		return fail(carriage, -EPROTO,
			    "it does not speak Callgate's framing (no name came first)");
	switch ((enum carriage_type)type) {
	case CARRIAGE_HELLO:
		return;
	case CARRIAGE_BLOB:
		return carriage->ops->blob(carriage->userdata, data, len);
	case CARRIAGE_CREDIT:
		return take_credit(carriage, data);
	case CARRIAGE_MEDIA:
	case CARRIAGE_END:
		if (carriage->ended)
			return fail(carriage, -EPROTO, "it sent media after the end of media");
		if (type == CARRIAGE_MEDIA && len > carriage->credit_in)
			return fail(carriage, -EPROTO, "it sent more media than was asked for");
		if (type == CARRIAGE_MEDIA)
			carriage->credit_in -= len;
		carriage->ended = type == CARRIAGE_END;
		return carriage->ops->media(carriage->userdata, data, len, carriage->ended);
	}
}

static void do_read(struct carriage *carriage)
{
	size_t want, least, most, len;
	uint32_t be;
	ssize_t n;

	/* A header, then exactly its payload: one frame is held, and a pause takes effect between two. */
	for (int frames = 0; frames < 32 && !carriage->paused && !carriage->dead;) {
		len = 0;
		want = HEADER_LEN;
		if (carriage->have >= HEADER_LEN) {
			memcpy(&be, carriage->in + 1, sizeof(be));
			len = be32toh(be);
			if (!bounds(carriage->in[0], &least, &most) || len < least || len > most)
				return fail(
					carriage, -EPROTO,
					"it does not speak Callgate's framing (unknown type or length)");
			want += len;
		}
		n = recv(carriage->fd, carriage->in + carriage->have, want - carriage->have,
			 MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			return fail(carriage, -errno, "the connection to the relay broke");
		if (n == 0)
			return fail(carriage, 0, "the relay closed the connection");
		carriage->have += n;
		if (carriage->have < want || !len)
			continue;
		carriage->have = 0;
		frames++;
		take_frame(carriage, carriage->in[0], carriage->in + HEADER_LEN, len);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct carriage *carriage = userdata;

	if (revents & EPOLLOUT)
		do_write(carriage);
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
		do_read(carriage);
	watch(carriage);
	return 0;
}

int carriage_new(sd_event *event, int fd, const struct carriage_ops *ops, void *userdata,
		 struct carriage **ret)
{
	struct carriage *carriage = calloc(1, sizeof(*carriage));
	int size = SEND_BUFFER, one = 1, r;

	if (!carriage) {
		close(fd);
		return -ENOMEM;
	}
	carriage->fd = fd;
	carriage->ops = ops;
	carriage->userdata = userdata;
	carriage->urgent.last = &carriage->urgent.first;
	carriage->media.last = &carriage->media.first;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = sd_event_add_io(event, &carriage->io, fd, EPOLLIN, on_io, carriage);
	if (r < 0) {
		carriage_free(carriage);
		return r;
	}
	*ret = carriage;
	return 0;
}

struct carriage *carriage_free(struct carriage *carriage)
{
	if (!carriage)
		return NULL;
	sd_event_source_disable_unref(carriage->io);
	drop_queues(carriage);
	close(carriage->fd);
	free(carriage);
	return NULL;
}

/* tcp:HOST:PORT, where HOST may stand in brackets. False unless it has that form. */
static bool split_tcp(const char *via, char host[static 256], char port[static 32])
{
	const char *colon;
	size_t len;

	if (strncmp(via, "tcp:", 4))
		return false;
	via += 4;
	colon = strrchr(via, ':');
	if (!colon || !colon[1] || strlen(colon + 1) > 31)
		return false;
	len = colon - via;
	if (len >= 2 && via[0] == '[' && via[len - 1] == ']') {
		via++;
		len -= 2;
	}
	if (len == 0 || len > 255)
		return false;
	memcpy(host, via, len);
	host[len] = '\0';
	strcpy(port, colon + 1);
	return true;
}

bool carriage_is_address(const char *via)
{
	char host[256], port[32];

	if (!strncmp(via, "unix:", 5))
		return via[5] && strlen(via + 5) < sizeof(((struct sockaddr_un *)0)->sun_path);
	return split_tcp(via, host, port);
}

static int try_connect(int family, const struct sockaddr *address, socklen_t len)
{
	int fd, error = 0, r;
	socklen_t size = sizeof(error);
	struct pollfd poller;

	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, address, len) == 0)
		return fd;
	error = errno;
	if (error == EINPROGRESS) {
		poller = (struct pollfd){ .fd = fd, .events = POLLOUT };
		r = poll(&poller, 1, CONNECT_MS);
		if (r < 0)
			error = errno;
		else if (r == 0)
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
			error = errno;
	}
	if (error == 0)
		return fd;
	close(fd);
	return -error;
}

int carriage_connect(const char *via, const char **ret_why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *p;
	char host[256], port[32];
	int r;

	if (!carriage_is_address(via)) {
		*ret_why = "it is neither tcp:HOST:PORT nor unix:PATH";
		return -EINVAL;
	}
	if (!split_tcp(via, host, port)) {
		strcpy(address.sun_path, via + 5);
		r = try_connect(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	} else {
		r = getaddrinfo(host, port, &hints, &list);
		if (r != 0) {
			*ret_why = gai_strerror(r);
			return -EHOSTUNREACH;
		}
		r = -EHOSTUNREACH;
		for (p = list; p && r < 0; p = p->ai_next)
			r = try_connect(p->ai_family, p->ai_addr, p->ai_addrlen);
		freeaddrinfo(list);
	}
	if (r < 0)
		*ret_why = strerror(-r);
	return r;
}
