/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The harness of the kernel tests: KTAP on standard output.
 *
 *	TEST(deny_with_expired_grant)
 *	{
 *		ASSERT(fd >= 0);		ends the test
 *		EXPECT_EQ(read_one(fd), -EACCES);	goes on
 *	}
 *	HARNESS_MAIN
 *
 * Each test runs in a process group of its own, which is killed afterwards, and within a limit; so a
 * crash or a hang fails one test and leaves nothing behind. Run one alone with its name as argument.
 */
#ifndef KSELFTEST_HARNESS_H
#define KSELFTEST_HARNESS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct harness_test {
	const char *name;
	void (*run)(void);
	unsigned int limit;
	struct harness_test *next;
};

void harness_register(struct harness_test *test);
/* Runs all tests, or those that are named. Returns the exit status. */
int harness_main(int argc, char **argv);
/*
 * For a program that suspends, before anything else: goes on in a copy of itself in /tmp. The rig's shared folders do not
 * come back from a suspend, and whoever is the last to close a file there waits for ever. The environment then says where
 * the program itself is, and what was built beside it.
 */
#define HARNESS_CAME_FROM "CALLGATE_TEST_PROGRAM"
void harness_leave_shares(char **argv);

/* A line for people. */
void harness_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Marks the running test as failed. */
void harness_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Ends the running test. */
_Noreturn void harness_end(void);
/* Ends it as skipped. */
_Noreturn void harness_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ns on CLOCK_BOOTTIME. */
uint64_t harness_now(void);
/* When this test began, on the same clock; 0 outside of a test. */
uint64_t harness_begun(void);
/* True as soon as @check is; false after @ms. */
bool harness_wait(bool (*check)(void *arg), void *arg, unsigned int ms);

#define TEST_LIMIT(test_name, seconds)                                      \
	static void test_name(void);                                        \
	static struct harness_test test_name##_test = {                     \
		.name = #test_name,                                         \
		.run = test_name,                                           \
		.limit = (seconds),                                         \
	};                                                                  \
	__attribute__((constructor)) static void test_name##_register(void) \
	{                                                                   \
		harness_register(&test_name##_test);                        \
	}                                                                   \
	static void test_name(void)

/* A limit for TCG on a busy machine. */
#define TEST(test_name) TEST_LIMIT(test_name, 60)

#define HARNESS_MAIN                             \
	int main(int argc, char **argv)          \
	{                                        \
		return harness_main(argc, argv); \
	}

#define EXPECT(condition)                                                   \
	do {                                                                \
		if (!(condition))                                           \
			harness_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#define EXPECT_EQ(value, wanted)                                                              \
	do {                                                                                  \
		long long value_ = (value), wanted_ = (wanted);                               \
		if (value_ != wanted_)                                                        \
			harness_fail(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #value, \
				     value_, wanted_, #wanted);                               \
	} while (0)

#define ASSERT(condition)                                                   \
	do {                                                                \
		if (!(condition)) {                                         \
			harness_fail(__FILE__, __LINE__, "%s", #condition); \
			harness_end();                                      \
		}                                                           \
	} while (0)

#define ASSERT_EQ(value, wanted)                                                              \
	do {                                                                                  \
		long long value_ = (value), wanted_ = (wanted);                               \
		if (value_ != wanted_) {                                                      \
			harness_fail(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #value, \
				     value_, wanted_, #wanted);                               \
			harness_end();                                                        \
		}                                                                             \
	} while (0)

#endif
