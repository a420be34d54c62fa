// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One end of a call channel for a program in another language: commands on standard input, what the channel says on standard
 * output, in time that the commands set. Owns one channel. Called by the tests in tests/peers; prints secrets, so it
 * must be installed nowhere.
 *
 * A record is u32 length (big-endian), a letter, and bytes. Commands: B blob; T u64 milliseconds to let pass; A u16 u16
 * accepted, each direction; S u16 granted, u16 captured, u8 numbers, u8 gate; C u8 reason; K to fetch all media keys; Q for
 * nothing. Each is answered by records B for each blob to carry, then one record J: the state as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "util/bytes.h"
#include "util/hex.h"

#define COMMAND_MAX 1024

static struct channel *channel;
static struct channel_params params;
static uint64_t now = CHANNEL_NSEC_PER_SEC;
static bool show_keys;

static bool allow(void *data, const uint8_t key[CHANNEL_KEY_LEN])
{
	return true;
}

static void die(const char *why)
{
	fprintf(stderr, "endpoint: %s\n", why);
	exit(2);
}

static void record(char letter, const void *data, size_t len)
{
	uint8_t head[5];

	put_be32(head, (uint32_t)len + 1);
	head[4] = (uint8_t)letter;
	fwrite(head, 1, sizeof(head), stdout);
	fwrite(data, 1, len, stdout);
}

static void print_hex(FILE *out, const char *name, const uint8_t *p, size_t len)
{
	char text[2 * CHANNEL_KEY_LEN + 1];

	hex_encode(p, len, text);
	fprintf(out, ", \"%s\": \"%s\"", name, text);
}

static void print_keys(FILE *out)
{
	uint8_t key[CHANNEL_KEY_LEN];
	char name[16];

	fputs(", \"keys\": {\"none\": \"\"", out);
	for (unsigned int dir = 0; dir < 2; dir++)
		for (unsigned int kind = 1; kind <= CHANNEL_MIXED; kind++) {
			if (channel_media_key(channel, dir, kind, now, key) != 0)
				continue;
			snprintf(name, sizeof(name), "%u.%u", dir, kind);
			print_hex(out, name, key, sizeof(key));
		}
	fputc('}', out);
}

static void print_peer(FILE *out)
{
	struct channel_claims c;

	if (!channel_peer_claims(channel, &c))
		return;
	fprintf(out, ", \"peer\": {\"captured\": %u, \"granted\": %u, \"sas\": %d, \"gate\": %d, ",
		c.captured, c.granted, (int)c.sas, (int)c.gate);
	fprintf(out, "\"levels\": [%d, %d]}", (int)c.level[0], (int)c.level[1]);
}

/* Names are as the test gave them: without anything that JSON would have to quote. */
static void print_programs(FILE *out)
{
	struct channel_programs programs;

	if (!channel_peer_programs(channel, &programs))
		return;
	fputs(", \"programs\": [", out);
	for (unsigned int i = 0; i < programs.n; i++)
		fprintf(out, "%s[\"%s\", %u, %u]", i ? ", " : "", programs.list[i].name,
			programs.list[i].seconds[0], programs.list[i].seconds[1]);
	fputc(']', out);
}

static void print_state(const char *result)
{
	char *text = NULL, sas[CHANNEL_SAS_LEN];
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		die("no memory");
	fprintf(out, "{\"now\": %llu, \"result\": \"%s\"",
		(unsigned long long)(now / CHANNEL_NSEC_PER_MSEC), result);
	if (channel) {
		fprintf(out, ", \"state\": \"%s\", \"end\": \"%s\", \"peer_reason\": %u",
			channel_state_name(channel_state(channel, now)),
			channel_end_name(channel_end_reason(channel)),
			channel_peer_reason(channel));
		fprintf(out, ", \"accepted\": [%u, %u], \"interval\": %u, \"alive_until\": %llu",
			channel_accepted(channel, 0), channel_accepted(channel, 1),
			channel_interval_ms(channel),
			(unsigned long long)(channel_alive_until(channel) / CHANNEL_NSEC_PER_MSEC));
		fprintf(out, ", \"levels\": [%d, %d]",
			(int)channel_level(channel, CHANNEL_MICROPHONE),
			(int)channel_level(channel, CHANNEL_CAMERA));
		print_hex(out, "sid", channel_sid(channel), CHANNEL_SID_LEN);
		if (channel_sas(channel, sas))
			fprintf(out, ", \"sas\": \"%s\"", sas);
		if (channel_peer_key(channel))
			print_hex(out, "peer_key", channel_peer_key(channel), CHANNEL_KEY_LEN);
		if (show_keys)
			print_keys(out);
		print_peer(out);
		print_programs(out);
	}
	fputc('}', out);
	if (fclose(out) != 0)
		die("no memory");
	record('J', text, len);
	free(text);
	show_keys = false;
}

static void drain(void)
{
	uint8_t blob[CHANNEL_BLOB_MAX];
	size_t len;

	while (channel && channel_poll_output(channel, blob, &len))
		record('B', blob, len);
}

static const char *receive(const uint8_t *blob, size_t len)
{
	int r;

	if (channel)
		return channel_result_name(channel_receive(channel, blob, len, now));
	r = channel_new_responder(&channel, &params, blob, len, now);
	if (r < 0)
		die("cannot make a responder");
	return channel_result_name((enum channel_result)r);
}

/* As a daemon would: wakes at every timeout on the way. */
static void pass(uint64_t ms)
{
	uint64_t end = now + ms * CHANNEL_NSEC_PER_MSEC, due;

	while (channel && (due = channel_next_timeout(channel)) <= end) {
		/* The instant of a stall asks for nothing but to be looked at. */
		now = due > now ? due : now + 1;
		channel_tick(channel, now);
		drain();
	}
	now = end;
	if (channel)
		channel_tick(channel, now);
}

#define PROGRAM_LEN (8 + CHANNEL_PROGRAM_NAME)

static int tell(const uint8_t *p, size_t len)
{
	struct channel_programs programs = { .n = (unsigned int)(len / PROGRAM_LEN) };

	for (unsigned int i = 0; i < programs.n && i < CHANNEL_PROGRAMS_MAX;
	     i++, p += PROGRAM_LEN) {
		programs.list[i].seconds[0] = get_be32(p);
		programs.list[i].seconds[1] = get_be32(p + 4);
		memcpy(programs.list[i].name, p + 8, CHANNEL_PROGRAM_NAME);
	}
	return channel_tell_programs(channel, &programs, now);
}

static const char *command(char letter, const uint8_t *p, size_t len)
{
	uint16_t accepted[2];
	int r = 0;

	if (letter == 'B')
		return receive(p, len);
	if (letter == 'T' && len == 8) {
		pass(get_be64(p));
		return "";
	}
	if (!channel && letter != 'Q')
		die("a command before there is a channel");
	if (letter == 'A' && len == 4) {
		accepted[0] = get_be16(p);
		accepted[1] = get_be16(p + 2);
		r = channel_accept(channel, accepted, now);
	} else if (letter == 'S' && len == 6) {
		r = channel_set_local(channel, get_be16(p), get_be16(p + 2), p[4], p[5], now);
	} else if (letter == 'C' && len == 1) {
		channel_close(channel, p[0], now);
	} else if (letter == 'P' && len % PROGRAM_LEN == 0) {
		r = tell(p, len);
	} else if (letter == 'K' && len == 0) {
		show_keys = true;
	} else if (letter != 'Q') {
		die("no such command");
	}
	return r ? strerror(-r) : "";
}

int main(int argc, char **argv)
{
	uint8_t key[CHANNEL_KEY_LEN], head[4], in[COMMAND_MAX];
	size_t len;

	if (argc != 3 || crypto_init() < 0 ||
	    hex_decode(argv[2], key, sizeof(key)) != CHANNEL_KEY_LEN)
		die("usage: endpoint initiator|responder PRIVATE-KEY");
	params = (struct channel_params){
		.static_key = key,
		.offered = { CHANNEL_KINDS, CHANNEL_KINDS },
		.gate = true,
		.peer_allowed = allow,
	};
	if (strcmp(argv[1], "initiator") == 0 && channel_new_initiator(&channel, &params, now) < 0)
		die("cannot make an initiator");
	drain();
	print_state("");
	while (fflush(stdout) == 0 && fread(head, sizeof(head), 1, stdin) == 1) {
		len = get_be32(head);
		if (len < 1 || len > sizeof(in) || fread(in, len, 1, stdin) != 1)
			die("a record that is cut short or too long");
		const char *result = command((char)in[0], in + 1, len - 1);

		drain();
		print_state(result);
	}
	channel_free(channel);
	return 0;
}
