// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * More users than are kept in memory at a time: none is turned away, and nothing that counts is forgotten. An identity that
 * cannot be written does not take another's place.
 */
#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "bounds.h"
#include "policy.h"
#include "user.h"

static char dir[] = "/tmp/callgate-user-XXXXXX";
static struct users users;
static struct vault vault;

static int open_users(void **state)
{
	if (crypto_init() < 0 || mkdtemp(dir) == NULL || users_init(&users, dir, &vault) < 0)
		return -1;
	return vault_open(&vault, users.dir_fd, true, false);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

static int close_users(void **state)
{
	users_deinit(&users);
	vault_deinit(&vault);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void those_that_only_looked_make_room(void **state)
{
	struct user *user, *held, *blocked, *unsaved;
	int fd;

	assert_int_equal(user_get(&users, 1000, &held), 0);
	held->held++;
	assert_int_equal(user_get(&users, 1001, &blocked), 0);
	assert_int_equal(user_set_blocked(blocked, POLICY_KIND_CAMERA), 0);
	assert_int_equal(user_get(&users, 1002, &unsaved), 0);
	fd = users.dir_fd;
	users.dir_fd = -1;
	assert_true(user_set_blocked(unsaved, POLICY_KIND_CAMERA) < 0);
	users.dir_fd = fd;
	for (uid_t uid = 100000; uid < 100000 + 2 * BOUND_USERS; uid++)
		assert_int_equal(user_get(&users, uid, &user), 0);
	assert_true(users.count <= BOUND_USERS);
	assert_int_equal(user_get(&users, 1000, &user), 0);
	assert_ptr_equal(user, held);
	assert_int_equal(user_get(&users, 1001, &user), 0);
	assert_int_equal(user->blocked, POLICY_KIND_CAMERA);
	assert_int_equal(user_get(&users, 1002, &user), 0);
	assert_ptr_equal(user, unsaved);
	assert_int_equal(user->blocked, POLICY_KIND_CAMERA);
}

static void root_key(const struct identity *id, uint8_t ret_public[IDENTITY_KEY_LEN])
{
	uint8_t private_key[IDENTITY_KEY_LEN];

	assert_int_equal(identity_static_key(id, "exe:/usr/bin/call", private_key, ret_public), 0);
}

static void deny_replacing_an_identity_that_cannot_be_written(void **state)
{
	uint8_t before[IDENTITY_KEY_LEN], after[IDENTITY_KEY_LEN], new_key[IDENTITY_KEY_LEN];
	struct identity *old, *new;
	struct user *user;
	int fd;

	assert_int_equal(user_get(&users, 2000, &user), 0);
	assert_int_equal(user_identity(user, true, &old), 0);
	root_key(old, before);
	assert_int_equal(identity_new(&new), 0);
	root_key(new, new_key);
	fd = users.dir_fd;
	users.dir_fd = -1;
	assert_true(user_replace(user, new) < 0);
	users.dir_fd = fd;
	assert_false(user->unsaved);
	assert_int_equal(user_identity(user, false, &old), 0);
	root_key(old, after);
	assert_memory_equal(before, after, sizeof(before));
	/* Its twin, and what is on the disk then. */
	assert_int_equal(user_replace(user, new), 0);
	user->identity = identity_free(user->identity);
	assert_int_equal(user_identity(user, false, &old), 0);
	root_key(old, after);
	assert_memory_equal(new_key, after, sizeof(after));
}

static void those_that_are_needed_do_not(void **state)
{
	struct user *user;

	for (uid_t uid = 200000; users.count < BOUND_USERS; uid++)
		assert_int_equal(user_get(&users, uid, &user), 0);
	LIST_FOREACH(user, &users.all, all)
	user->held++;
	assert_int_equal(user_get(&users, 300000, &user), -ENOSPC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_only_looked_make_room),
		cmocka_unit_test(deny_replacing_an_identity_that_cannot_be_written),
		cmocka_unit_test(those_that_are_needed_do_not),
	};

	return cmocka_run_group_tests(tests, open_users, close_users);
}
