// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The byte stream from the relay to callgatectl: any bytes, answered as callgatectl answers, while memory runs out.
 *
 * Input: failing allocations u8, then the stream.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carriage.h"
#include "fuzz.h"
#include "plain.h"
#include "util/text.h"

struct owner {
	struct carriage *carriage;
	uint64_t granted, taken;
	bool greeted, ended, closed;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return crypto_init();
}

static void on_hello(void *userdata, const char *name)
{
	struct owner *o = userdata;

	MUST(!o->greeted && !o->closed && text_is_name(name, CARRIAGE_NAME_MAX));
	o->greeted = true;
	carriage_send_hello(o->carriage, name);
}

static void on_blob(void *userdata, const uint8_t *data, size_t len)
{
	struct owner *o = userdata;

	MUST(o->greeted && !o->closed && len >= 1 && len <= CARRIAGE_BLOB_MAX);
	carriage_send_blob(o->carriage, data, len);
	carriage_pause(o->carriage, data[0] == 'P');
}

static void on_media(void *userdata, const uint8_t *data, size_t len, bool end)
{
	struct owner *o = userdata;

	MUST(o->greeted && !o->closed && !o->ended && len >= 1 && len <= CARRIAGE_MEDIA_MAX);
	o->ended = end;
	if (!end)
		o->taken += len;
	MUST(o->taken <= o->granted);
	if (!end && carriage_grant(o->carriage, (uint32_t)len) == 0)
		o->granted += len;
	if (carriage_has_room(o->carriage))
		carriage_send_media(o->carriage, data, len);
}

static void on_room(void *userdata)
{
}

static void on_closed(void *userdata, int error, const char *reason)
{
	struct owner *o = userdata;

	MUST(!o->closed && reason && error <= 0);
	o->closed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct carriage_ops ops = { .hello = on_hello,
						 .blob = on_blob,
						 .media = on_media,
						 .room = on_room,
						 .closed = on_closed };
	static sd_event *event;
	struct owner o = {};
	int fds[2];

	if (!size || size > 32768)
		return 0;
	if (!event)
		MUST(sd_event_new(&event) >= 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	MUST(write(fds[1], data + 1, size - 1) == (ssize_t)(size - 1));
	MUST(shutdown(fds[1], SHUT_WR) == 0);
	fuzz_memory(data[0]);
	if (carriage_new(event, fds[0], &ops, &o, &o.carriage) == 0) {
		if (carriage_grant(o.carriage, 4096) == 0)
			o.granted = 4096;
		for (unsigned int i = 0; i < 200 && !o.closed; i++) {
			carriage_pause(o.carriage, false);
			sd_event_run(event, 0);
		}
		MUST(o.closed);
		carriage_free(o.carriage);
	}
	fuzz_memory(0);
	close(fds[1]);
	return 0;
}
