// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sessions as bytes: what is cut or changed is refused and leaves nothing behind. What a whole one does is tests/bus/restart.py's. */
#include "channel-rig.h"

#include "call-private.h"
#include "usage.h"

#define UID 1000

static struct policy policy;
static struct users users = { .dir_fd = -1 };
static struct user user = { .users = &users, .uid = UID };
static struct watches watches;
static struct captures captures;
static struct usages usages;
static struct rules *rules;
static unsigned int told;

static void on_call(void *userdata, struct call *call)
{
	told++;
}

static void on_blob(void *userdata, struct call *call, const void *blob, size_t len)
{
}

static bool on_gate(void *userdata)
{
	return false;
}

static uint32_t on_captured(void *userdata, struct call *call)
{
	return 0;
}

static bool on_seat(void *userdata, uid_t uid)
{
	return false;
}

static const struct call_hooks hooks = {
	.added = on_call,
	.removed = on_call,
	.changed = on_call,
	.blob = on_blob,
	.gate = on_gate,
	.captured = on_captured,
	.away = on_seat,
	.locked = on_seat,
};

static void begin(struct calls *calls)
{
	*calls = (struct calls){
		.policy = &policy, .rules = rules, .users = &users, .watches = &watches
	};
	assert_int_equal(calls_init(calls, NULL, NULL, &hooks, NULL), -EINVAL);
}

static void count(struct call *call, uint64_t id, uint64_t now)
{
	struct usage *usage = usage_new(&usages, id, UID, true, now);

	for (unsigned int i = 0; i < USAGE_PROGRAMS; i++) {
		struct capture stream = { .kinds = RECORD_CAMERA, .since = now, .session = id };

		stream.who.uid = UID;
		snprintf(stream.who.exe, sizeof(stream.who.exe), "/usr/bin/program-%u", i);
		usages_started(&usages, &stream);
	}
	call->usage = usage;
}

/* A session of the caller's end of a live channel, with all that can be counted of it. */
static struct call *add(struct calls *calls, struct rig *t, uint64_t id)
{
	struct call *call = calloc(1, sizeof(*call));

	count(call, id, t->now);
	call->calls = calls;
	call->id = id;
	call->uid = UID;
	call->asks = POLICY_ASK_ALL;
	call->groups = calloc(2, sizeof(call->groups[0]));
	call->groups[call->n_groups++] = 44;
	call->policy = policy;
	call->user = &user;
	user.held++;
	call->owner = strdup(":1.7");
	snprintf(call->app, sizeof(call->app), "exe:/usr/bin/app");
	snprintf(call->contact, sizeof(call->contact), "bob");
	call->pidfd = -1;
	call->subject = (struct process_facts){ .pid = 77, .cookie = 5, .proven = true };
	call->facts = (struct session_facts){
		.asked = 3,
		.approved = true,
		.approved_kinds = 3,
		.confirmed = true,
		.confirmed_at = t->now,
		.verification = SESSION_VERIFIED,
	};
	call->channel = t->a;
	t->a = NULL;
	call_enter(call);
	return call;
}

struct bytes {
	uint8_t at[2 * CALL_CARRY_MAX];
	size_t len;
	unsigned int n;
};

static void live(struct rig *t)
{
	t->now = call_clock();
	rig_live(t);
}

static void pack(struct calls *calls, struct bytes *ret)
{
	struct writer w = { .p = ret->at, .left = sizeof(ret->at) };

	ret->n = calls_pack(calls, &w);
	ret->len = (size_t)(w.p - ret->at);
}

/* One packed session, and nothing that is left of it. */
static void one(struct bytes *ret)
{
	struct rig t = { .now = 0 };
	struct calls calls;

	begin(&calls);
	live(&t);
	add(&calls, &t, 1);
	pack(&calls, ret);
	assert_int_equal(ret->n, 1);
	assert_true(LIST_EMPTY(&calls.all));
	assert_int_equal(user.held, 0);
	usages_deinit(&usages);
	rig_free(&t);
}

static int unpack(const uint8_t *at, size_t len, unsigned int n)
{
	struct reader r = { .p = at, .left = len };
	struct calls calls;
	int err;

	begin(&calls);
	err = calls_unpack(&calls, &r, n);
	assert_true(LIST_EMPTY(&calls.all) && LIST_EMPTY(&calls.dead));
	assert_int_equal(calls.n_open, 0);
	assert_int_equal(user.held, 0);
	return err;
}

static void drop_one_whose_owner_is_gone(void **state)
{
	struct bytes bytes;

	one(&bytes);
	assert_true(bytes.len < CALL_CARRY_MAX);
	told = 0;
	assert_int_equal(unpack(bytes.at, bytes.len, 1), 0);
	assert_int_equal(told, 0);
}

static void deny_cut_at_each_byte(void **state)
{
	struct bytes bytes;

	one(&bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *copy = malloc(len ?: 1);

		memcpy(copy, bytes.at, len);
		assert_int_equal(unpack(copy, len, 1), -EBADMSG);
		free(copy);
	}
}

static void deny_more_than_was_packed(void **state)
{
	struct bytes bytes;

	one(&bytes);
	bytes.at[bytes.len] = 0;
	assert_int_equal(unpack(bytes.at, bytes.len + 1, 1), -EBADMSG);
	assert_int_equal(unpack(bytes.at, bytes.len, 2), -EBADMSG);
	assert_int_equal(unpack(bytes.at, bytes.len, 0), -EBADMSG);
}

static void survive_each_changed_byte(void **state)
{
	struct bytes bytes;

	one(&bytes);
	for (size_t at = 0; at < bytes.len; at++) {
		for (unsigned int value = 1; value < 256; value <<= 1) {
			bytes.at[at] ^= (uint8_t)value;
			unpack(bytes.at, bytes.len, 1);
			bytes.at[at] ^= (uint8_t)value;
		}
	}
}

static void deny_more_kinds_than_were_asked(void **state)
{
	struct rig t = { .now = 0 };
	struct bytes bytes;
	struct calls calls;
	struct call *call;

	begin(&calls);
	live(&t);
	call = add(&calls, &t, 1);
	call->facts.asked = 1;
	pack(&calls, &bytes);
	assert_int_equal(unpack(bytes.at, bytes.len, 1), -EBADMSG);
	usages_deinit(&usages);
	rig_free(&t);
}

/* Ends one, and packs the other. */
static void carry_no_session_that_is_not_confirmed(void **state)
{
	struct rig first = { .now = 0 }, second = { .now = 0 };
	struct bytes bytes;
	struct calls calls;
	struct call *call;

	begin(&calls);
	live(&first);
	live(&second);
	add(&calls, &first, 1);
	call = add(&calls, &second, 2);
	call->facts.approved = false;
	pack(&calls, &bytes);
	assert_int_equal(bytes.n, 1);
	assert_ptr_equal(LIST_FIRST(&calls.dead), call);
	assert_int_equal(call->facts.end, SESSION_END_RESTARTED);
	call_free(call);
	assert_int_equal(unpack(bytes.at, bytes.len, 1), 0);
	usages_deinit(&usages);
	rig_free(&first);
	rig_free(&second);
}

int main(void)
{
	struct unit u = { .n = 0 };

	policy_init(&policy);
	rules = rules_new();
	rules->complete = true;
	captures_init(&captures);
	usages_init(&usages, &captures);
	LIST_INSERT_HEAD(&users.all, &user, all);
	users.count = 1;
	UNIT(&u, drop_one_whose_owner_is_gone);
	UNIT(&u, deny_cut_at_each_byte);
	UNIT(&u, deny_more_than_was_packed);
	UNIT(&u, survive_each_changed_byte);
	UNIT(&u, deny_more_kinds_than_were_asked);
	UNIT(&u, carry_no_session_that_is_not_confirmed);
	return unit_run(&u);
}
