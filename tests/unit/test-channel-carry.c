// SPDX-License-Identifier: LGPL-2.1-or-later
/* A running channel that passes from one process to the next as bytes. */
#include "channel-carry.h"
#include "channel-rig.h"

struct packed {
	uint8_t bytes[CHANNEL_CARRY_MAX];
	size_t len;
};

static bool pack(struct channel *c, struct packed *ret)
{
	struct writer w = { .p = ret->bytes, .left = sizeof(ret->bytes) };

	if (!channel_pack(c, &w))
		return false;
	ret->len = (size_t)(w.p - ret->bytes);
	return true;
}

static int unpack(struct rig *t, const uint8_t *bytes, size_t len, struct channel **ret)
{
	const struct channel_params params = { .peer_allowed = rig_allowed_a, .data = t };
	struct reader r = { .p = bytes, .left = len };
	int err = channel_unpack(ret, &params, &r, t->now);

	if (err == 0 && !reader_done(&r)) {
		*ret = channel_free(*ret);
		return -EBADMSG;
	}
	return err;
}

/* The end @end goes through bytes. */
static void move(struct rig *t, struct channel **end)
{
	struct packed packed;
	struct channel *next = NULL;

	assert_true(pack(*end, &packed));
	channel_free(*end);
	assert_int_equal(unpack(t, packed.bytes, packed.len, &next), 0);
	*end = next;
}

static void go_on_after_either_end_moved(void **state)
{
	struct rig t = { 0 };

	rig_live(&t);
	for (unsigned int i = 0; i < 6; i++) {
		rig_run(&t, 5 * SEC);
		move(&t, i % 2 ? &t.b : &t.a);
		rig_run(&t, 15 * SEC);
		assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
		assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	}
	/* Keys and pins were not looked at anew. */
	assert_int_equal(t.asked_a, 1);
	rig_free(&t);
}

static void keep_what_is_known(void **state)
{
	char before[CHANNEL_SAS_LEN], after[CHANNEL_SAS_LEN];
	uint8_t key[CHANNEL_KEY_LEN], same[CHANNEL_KEY_LEN], peer[CHANNEL_KEY_LEN];
	struct channel_claims claims;
	struct rig t = { 0 };
	uint64_t alive;

	rig_live(&t);
	assert_int_equal(channel_set_local(t.b, CHANNEL_MICROPHONE, CHANNEL_MICROPHONE,
					   CHANNEL_SAS_MATCHES, true, t.now),
			 0);
	assert_int_equal(channel_media_key(t.a, CHANNEL_I2R, CHANNEL_CAMERA, t.now, key), 0);
	rig_run(&t, 4 * SEC);
	assert_true(channel_sas(t.a, before));
	memcpy(peer, channel_peer_key(t.a), sizeof(peer));
	alive = channel_alive_until(t.a);
	move(&t, &t.a);
	assert_true(channel_sas(t.a, after));
	assert_string_equal(before, after);
	assert_memory_equal(channel_peer_key(t.a), peer, sizeof(peer));
	assert_int_equal(channel_alive_until(t.a), alive);
	assert_true(channel_confirmed(t.a));
	assert_int_equal(channel_accepted(t.a, CHANNEL_I2R), CHANNEL_KINDS);
	assert_int_equal(channel_offered(t.a, CHANNEL_R2I), CHANNEL_MICROPHONE);
	assert_int_equal(channel_interval_ms(t.a), 2000);
	assert_true(channel_peer_claims(t.a, &claims));
	assert_int_equal(claims.captured, CHANNEL_MICROPHONE);
	assert_int_equal(claims.sas, CHANNEL_SAS_MATCHES);
	assert_int_equal(channel_media_key(t.a, CHANNEL_I2R, CHANNEL_CAMERA, t.now, same), 0);
	assert_memory_equal(key, same, sizeof(key));
	rig_free(&t);
}

/* The lists themselves are told anew; that the ends understand them was agreed once. */
static void keep_that_lists_of_programs_are_taken(void **state)
{
	struct channel_programs told = { .n = 1,
					 .list = { { .name = "cheese", .seconds = { 3 } } } };
	struct channel_programs heard;
	struct rig t = { 0 };

	rig_live(&t);
	move(&t, &t.a);
	move(&t, &t.b);
	assert_int_equal(channel_tell_programs(t.a, &told, t.now), 0);
	rig_run(&t, 10 * SEC);
	assert_true(channel_peer_programs(t.b, &heard));
	assert_int_equal(heard.n, 1);
	assert_string_equal(heard.list[0].name, "cheese");
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void deny_sealing_after_packing(void **state)
{
	uint8_t key[CHANNEL_KEY_LEN];
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	assert_true(pack(t.a, &packed));
	t.now += 3 * SEC;
	channel_tick(t.a, t.now);
	channel_close(t.a, CHANNEL_END_HANGUP, t.now);
	rig_nothing_from(t.a);
	assert_int_equal(channel_media_key(t.a, CHANNEL_I2R, CHANNEL_CAMERA, t.now, key),
			 -ENOTCONN);
	assert_false(pack(t.a, &packed));
	rig_free(&t);
}

static uint64_t number_of(const struct blob *b)
{
	return get_be64(b->bytes + WIRE_HEADER_LEN + 4);
}

static void use_no_number_twice(void **state)
{
	struct rig t = { 0 };
	struct blob before, after;

	rig_live(&t);
	t.now += 3 * SEC;
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &before);
	move(&t, &t.a);
	t.now += 3 * SEC;
	channel_tick(t.a, t.now);
	rig_must_pop(t.a, WIRE_DATA, &after);
	assert_int_equal(number_of(&after), number_of(&before) + 1);
	/* What was under way meanwhile still counts. */
	assert_int_equal(rig_give(&t, t.b, &before), CHANNEL_OK);
	assert_int_equal(rig_give(&t, t.b, &after), CHANNEL_OK);
	rig_free(&t);
}

static void deny_what_was_taken_before(void **state)
{
	struct rig t = { 0 };
	struct blob seen;

	rig_live(&t);
	t.now += 3 * SEC;
	channel_tick(t.b, t.now);
	rig_must_pop(t.b, WIRE_DATA, &seen);
	assert_int_equal(rig_give(&t, t.a, &seen), CHANNEL_OK);
	rig_drain(t.a);
	move(&t, &t.a);
	assert_int_equal(rig_give(&t, t.a, &seen), CHANNEL_REPLAYED);
	rig_free(&t);
}

static void know_the_blobs_of_the_handshake(void **state)
{
	struct blob resp, fin, ready, other;
	struct rig t = { 0 };

	rig_accept(&t, &resp);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_OK);
	rig_must_pop(t.a, WIRE_FIN, &fin);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_OK);
	rig_must_pop(t.b, WIRE_DATA, &ready);
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	rig_carry(&t);
	move(&t, &t.a);
	move(&t, &t.b);
	assert_int_equal(rig_give(&t, t.a, &resp), CHANNEL_DUPLICATE);
	assert_int_equal(rig_give(&t, t.b, &fin), CHANNEL_DUPLICATE);
	assert_int_equal(rig_give(&t, t.b, &t.init), CHANNEL_DUPLICATE);
	other = resp;
	other.bytes[100] ^= 1;
	assert_int_equal(rig_give(&t, t.a, &other), CHANNEL_CONFLICT);
	other = fin;
	other.bytes[100] ^= 1;
	assert_int_equal(rig_give(&t, t.b, &other), CHANNEL_CONFLICT);
	rig_run(&t, 15 * SEC);
	assert_int_equal(channel_state(t.b, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void go_on_dying(void **state)
{
	struct rig t = { 0 };
	uint64_t alive;

	rig_live(&t);
	alive = channel_alive_until(t.a);
	t.now += 9 * SEC;
	channel_tick(t.a, t.now);
	rig_drain(t.a);
	move(&t, &t.a);
	t.now = alive;
	channel_tick(t.a, t.now);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_STALLED);
	rig_drain(t.a);
	move(&t, &t.a);
	t.now = alive + CHANNEL_ERASE_AFTER;
	channel_tick(t.a, t.now);
	assert_int_equal(channel_end_reason(t.a), CHANNEL_END_LOST);
	rig_free(&t);
}

static void deny_before_it_is_confirmed(void **state)
{
	struct packed packed;
	struct rig t = { 0 };
	struct blob ready;

	rig_ready(&t, &ready);
	assert_false(pack(t.a, &packed));
	assert_false(pack(t.b, &packed));
	/* It did no harm. */
	assert_int_equal(rig_give(&t, t.a, &ready), CHANNEL_OK);
	/* Its first heartbeat still waits to be carried. */
	assert_false(pack(t.a, &packed));
	rig_carry(&t);
	assert_true(pack(t.a, &packed));
	rig_free(&t);
}

static void deny_without_room(void **state)
{
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	for (size_t room = 0; room < 1200; room += 7) {
		struct writer w = { .p = packed.bytes, .left = room };

		assert_false(channel_pack(t.a, &w));
		assert_ptr_equal(w.p, packed.bytes);
	}
	rig_run(&t, 5 * SEC);
	assert_int_equal(channel_state(t.a, t.now), CHANNEL_STATE_LIVE);
	rig_free(&t);
}

static void deny_cut_at_each_byte(void **state)
{
	struct channel *c = NULL;
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	assert_true(pack(t.a, &packed));
	for (size_t len = 0; len < packed.len; len++) {
		/* Of exactly that length, so that a sanitizer sees who reads further. */
		uint8_t *copy = malloc(len ?: 1);

		memcpy(copy, packed.bytes, len);
		assert_int_equal(unpack(&t, copy, len, &c), -EBADMSG);
		free(copy);
	}
	assert_int_equal(unpack(&t, packed.bytes, packed.len, &c), 0);
	channel_free(c);
	rig_free(&t);
}

/* Whatever is changed, it is refused or it is a channel that lives no longer and allows no more than the protocol knows. */
static void survive_each_changed_bit(void **state)
{
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	assert_true(pack(t.a, &packed));
	for (size_t at = 0; at < packed.len; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct channel *c = NULL;
			struct blob b;

			packed.bytes[at] ^= 1u << bit;
			if (unpack(&t, packed.bytes, packed.len, &c) == 0) {
				assert_true(channel_alive_until(c) <= t.now + 75 * SEC);
				assert_int_equal(channel_accepted(c, 0) & ~channel_offered(c, 0),
						 0);
				channel_tick(c, t.now + 2 * SEC);
				rig_pop(c, &b);
				channel_free(c);
			}
			packed.bytes[at] ^= 1u << bit;
		}
	}
	rig_free(&t);
}

static void deny_a_longer_life(void **state)
{
	struct channel *c = NULL;
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	t.a->alive_until += 1 * SEC;
	assert_true(pack(t.a, &packed));
	assert_int_equal(unpack(&t, packed.bytes, packed.len, &c), -EBADMSG);
	/* The twin: a second later it is what a proof of then would give. */
	t.b->alive_until = t.now + CHANNEL_DEAD_INTERVALS * 2 * SEC;
	assert_true(pack(t.b, &packed));
	assert_int_equal(unpack(&t, packed.bytes, packed.len, &c), 0);
	channel_free(c);
	rig_free(&t);
}

static void deny_times_to_come(void **state)
{
	struct channel *c = NULL;
	struct packed packed;
	struct rig t = { 0 };

	rig_live(&t);
	assert_true(pack(t.a, &packed));
	t.now -= 1;
	assert_int_equal(unpack(&t, packed.bytes, packed.len, &c), -EBADMSG);
	t.now += 1;
	assert_int_equal(unpack(&t, packed.bytes, packed.len, &c), 0);
	channel_free(c);
	rig_free(&t);
}

int main(void)
{
	struct unit u = { .n = 0 };

	UNIT(&u, go_on_after_either_end_moved);
	UNIT(&u, keep_what_is_known);
	UNIT(&u, keep_that_lists_of_programs_are_taken);
	UNIT(&u, deny_sealing_after_packing);
	UNIT(&u, use_no_number_twice);
	UNIT(&u, deny_what_was_taken_before);
	UNIT(&u, know_the_blobs_of_the_handshake);
	UNIT(&u, go_on_dying);
	UNIT(&u, deny_before_it_is_confirmed);
	UNIT(&u, deny_without_room);
	UNIT(&u, deny_cut_at_each_byte);
	UNIT(&u, survive_each_changed_bit);
	UNIT(&u, deny_a_longer_life);
	UNIT(&u, deny_times_to_come);
	return unit_run(&u);
}
