// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether a press that the window saw was one of a hand's: of the same kind, within 50 ms, and only once. The lines are those
 * of callgate-presence, on a socket; what it hears is the virtual machine's to say (tests/desktop/presence_test).
 */
#include "unit.h"

#include "../../tools/callgate-agent/hand.c"

static void ignore(void *userdata)
{
}

struct rig {
	struct hand hand;
	int far;
	sd_event *event;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int pair[2];

	if (!rig || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 ||
	    sd_event_new(&rig->event) < 0)
		return -1;
	for (unsigned int i = 0; i < PRESSES_MAX; i++)
		rig->hand.presses[i].kind = -1;
	rig->hand.socket = pair[0];
	rig->far = pair[1];
	rig->hand.heard = ignore;
	*state = rig;
	return sd_event_add_io(rig->event, &rig->hand.io, pair[0], EPOLLIN, on_socket, &rig->hand);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	sd_event_source_disable_unref(rig->hand.io);
	sd_event_unref(rig->event);
	close(rig->hand.socket);
	close(rig->far);
	free(rig);
	return 0;
}

static struct hand *hear(struct rig *rig, const char *line)
{
	assert_int_equal(send(rig->far, line, strlen(line), 0), (ssize_t)strlen(line));
	assert_int_equal(sd_event_run(rig->event, 1000000), 1);
	return &rig->hand;
}

static void a_press_of_the_same_kind_and_time_is_a_hand(void **state)
{
	assert_true(hand_pressed(hear(*state, "pointer 5000\n"), "pointer", 5000));
	assert_true(hand_pressed(hear(*state, "touch 5000\n"), "touch", 5050));
	assert_true(hand_pressed(hear(*state, "key 5000\n"), "key", 4950));
}

static void another_time_is_not(void **state)
{
	struct hand *hand = hear(*state, "pointer 5000\n");

	assert_false(hand_pressed(hand, "pointer", 5051));
	assert_false(hand_pressed(hand, "pointer", 4949));
	assert_true(hand_pressed(hand, "pointer", 5050));
}

static void another_kind_is_not(void **state)
{
	struct hand *hand = hear(*state, "key 5000\n");

	assert_false(hand_pressed(hand, "pointer", 5000));
	assert_false(hand_pressed(hand, "touch", 5000));
	assert_true(hand_pressed(hand, "key", 5000));
}

static void no_kind_is_not(void **state)
{
	struct hand *hand = hear(*state, "wheel 5000\n");

	assert_false(hand_pressed(hand, "wheel", 5000));
	assert_false(hand_pressed(hand, "nothing", 5000));
	assert_false(hand_pressed(hear(*state, "nonsense\n"), "nonsense", 0));
}

static void a_press_counts_once(void **state)
{
	struct hand *hand = hear(*state, "pointer 5000\n");

	assert_true(hand_pressed(hand, "pointer", 5000));
	assert_false(hand_pressed(hand, "pointer", 5000));
}

/* The display's clock has 32 bits, the helper's 64. */
static void clocks_may_turn_over(void **state)
{
	assert_true(hand_pressed(hear(*state, "pointer 4294967300\n"), "pointer", UINT32_MAX - 9));
	assert_true(hand_pressed(hear(*state, "pointer 4294967290\n"), "pointer", 10));
}

static void old_presses_make_room(void **state)
{
	struct hand *hand = NULL;
	char line[32];

	for (unsigned int i = 0; i <= PRESSES_MAX; i++) {
		snprintf(line, sizeof(line), "pointer %u\n", 1000 * i);
		hand = hear(*state, line);
	}
	assert_false(hand_pressed(hand, "pointer", 0));
	assert_true(hand_pressed(hand, "pointer", 1000));
	assert_true(hand_pressed(hand, "pointer", 1000 * PRESSES_MAX));
}

static void the_end_of_the_helper_is_noticed(void **state)
{
	struct rig *rig = *state;

	assert_true(hand_is_ready(hear(rig, "ready\n")));
	assert_int_equal(shutdown(rig->far, SHUT_RDWR), 0);
	assert_int_equal(sd_event_run(rig->event, 1000000), 1);
	assert_true(hand_is_gone(&rig->hand));
	assert_false(hand_is_ready(&rig->hand));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_press_of_the_same_kind_and_time_is_a_hand),
		TEST(another_time_is_not),
		TEST(another_kind_is_not),
		TEST(no_kind_is_not),
		TEST(a_press_counts_once),
		TEST(clocks_may_turn_over),
		TEST(old_presses_make_room),
		TEST(the_end_of_the_helper_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
