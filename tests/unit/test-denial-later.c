// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is told of denials, when, and how often. */
#include "unit.h"

#include "denial-later.h"

#define SOME_US 20000000

static sd_event *loop;
static struct denial_later *later;
static struct capture told[2 * BOUND_DENIED_LATER];
static unsigned int n_told;

static void tell(void *userdata, const struct capture *attempt)
{
	assert_ptr_equal(userdata, &told);
	told[n_told++] = *attempt;
}

static void attempt(uint64_t cookie, uint32_t device)
{
	struct capture one = { .id = 1, .device = device, .kinds = 2 };

	one.who.pid = 100;
	one.who.cookie = cookie;
	denial_later_add(later, &one);
}

static void wait_for_told(unsigned int n)
{
	while (n_told < n)
		assert_true(sd_event_run(loop, SOME_US) > 0);
}

static void begin(void)
{
	n_told = 0;
	later = calloc(1, sizeof(*later));
	assert_int_equal(sd_event_new(&loop), 0);
	assert_true(denial_later_init(later, loop, tell, &told) >= 0);
}

static void end(void)
{
	denial_later_deinit(later);
	free(later);
	loop = sd_event_unref(loop);
}

static void one_is_told_and_then_the_loop_is_at_rest(void **state)
{
	begin();
	attempt(1, 7);
	assert_int_equal(n_told, 0);
	wait_for_told(1);
	assert_int_equal(told[0].count, 1);
	assert_int_equal(told[0].device, 7);
	assert_int_equal(sd_event_run(loop, 300000), 0);
	attempt(1, 7);
	wait_for_told(2);
	assert_int_equal(told[1].count, 1);
	end();
}

static void what_one_program_tries_again_is_told_once(void **state)
{
	begin();
	for (int i = 0; i < 1000; i++)
		attempt(1, 7);
	wait_for_told(1);
	assert_int_equal(told[0].count, 1000);
	assert_int_equal(sd_event_run(loop, 300000), 0);
	end();
}

static void another_image_and_another_device_are_told_apart_and_in_order(void **state)
{
	begin();
	attempt(1, 7);
	attempt(2, 7);
	attempt(1, 8);
	attempt(1, 7);
	wait_for_told(3);
	assert_true(told[0].who.cookie == 1 && told[0].device == 7 && told[0].count == 2);
	assert_true(told[1].who.cookie == 2 && told[1].device == 7 && told[1].count == 1);
	assert_true(told[2].who.cookie == 1 && told[2].device == 8 && told[2].count == 1);
	end();
}

static void beyond_the_bound_the_oldest_is_told_at_once(void **state)
{
	begin();
	for (unsigned int i = 0; i < BOUND_DENIED_LATER + 3; i++)
		attempt(1 + i, 7);
	assert_int_equal(n_told, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(told[i].who.cookie, 1 + i);
	wait_for_told(BOUND_DENIED_LATER + 3);
	for (unsigned int i = 0; i < n_told; i++)
		assert_int_equal(told[i].who.cookie, 1 + i);
	end();
}

static void before_the_end_all_is_told(void **state)
{
	begin();
	attempt(1, 7);
	attempt(2, 7);
	denial_later_flush(later);
	assert_int_equal(n_told, 2);
	assert_int_equal(sd_event_run(loop, 300000), 0);
	assert_int_equal(n_told, 2);
	end();
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, one_is_told_and_then_the_loop_is_at_rest);
	UNIT(&u, what_one_program_tries_again_is_told_once);
	UNIT(&u, another_image_and_another_device_are_told_apart_and_in_order);
	UNIT(&u, beyond_the_bound_the_oldest_is_told_at_once);
	UNIT(&u, before_the_end_all_is_told);
	return unit_run(&u);
}
