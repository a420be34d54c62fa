// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Owns the machine's sealing key: from a systemd credential where there is one,
 * else from a key file in the state directory. Must not know what is sealed.
 * Called by main.c and manager.c; user.c seals with it.
 *
 * Security: a key is made only where nothing was sealed before. A key that is
 * missing is an error: a fresh one would make every identity look like another
 * machine's. With a credential the key file is not looked at, so that whoever
 * knows the old key cannot plant a file under it.
 *
 * Key file: "CGKY", version u8 = 1, 32 random bytes. Credential: 32 random bytes.
 */
#include "vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "util/file.h"
#include "util/macro.h"

#define KEY_VERSION  1
#define KEY_HEAD_LEN 5
#define KEY_FILE_LEN (KEY_HEAD_LEN + CRYPTO_KEY_LEN)

static const uint8_t head[KEY_HEAD_LEN] = { 'C', 'G', 'K', 'Y', KEY_VERSION };

static int take_secret(struct seal_key **ret_key, const uint8_t *secret)
{
	struct seal_key *key = crypto_secret_new(sizeof(*key));

	if (key == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	seal_key_init(key, secret);
	*ret_key = key;
	return 0;
}

/*
 * Its length, or a negative errno. systemd gives it to root, and to the service's user by an ACL, whose mask shows as the
 * group's bits.
 */
static ssize_t read_credential(const char *dir, uint8_t *ret, size_t size)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;
	ssize_t n;

	if (dir_fd < 0)
		return -errno;
	fd = openat(dir_fd, VAULT_CREDENTIAL,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & 027) != 0)
		return -EPERM;
	do
		n = read(fd, ret, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int vault_read_credential(struct vault *vault)
{
	_cleanup_(crypto_secret_free_p) void *secret = NULL;
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	ssize_t length;

	if (dir == NULL)
		return 0;
	secret = crypto_secret_new(CRYPTO_KEY_LEN + 1);
	if (secret == NULL) {
		fprintf(stderr, "callgated: no memory can be locked; raise LimitMEMLOCK\n");
		return errno > 0 ? -errno : -ENOMEM;
	}
	length = read_credential(dir, secret, CRYPTO_KEY_LEN + 1);
	if (length == -ENOENT)
		return 0;
	if (length >= 0 && length != CRYPTO_KEY_LEN) {
		fprintf(stderr,
			"callgated: the credential " VAULT_CREDENTIAL
			" has to be %d random bytes; see "
			"doc/configuration.md\n",
			CRYPTO_KEY_LEN);
		return -EINVAL;
	}
	if (length < 0) {
		fprintf(stderr,
			"callgated: the credential " VAULT_CREDENTIAL
			" cannot be used (%s); it has to be a file that only root and this service can read\n",
			strerror((int)-length));
		return (int)length;
	}
	vault->credential = true;
	return take_secret(&vault->key, secret);
}

/* -ENOENT, and every other error, unprinted. */
static int read_key_file(int dir_fd, struct seal_key **ret_key)
{
	_cleanup_(crypto_secret_free_p) void *secret = crypto_secret_new(KEY_FILE_LEN);
	uint8_t *data = secret;
	ssize_t length;

	if (data == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	length = file_read_private(dir_fd, VAULT_FILE, data, KEY_FILE_LEN);
	if (length < 0)
		return (int)length;
	if (length != KEY_FILE_LEN || memcmp(data, head, sizeof(head)) != 0)
		return -EBADMSG;
	return take_secret(ret_key, data + KEY_HEAD_LEN);
}

static int make_key_file(int dir_fd)
{
	_cleanup_(crypto_secret_free_p) void *secret = crypto_secret_new(KEY_FILE_LEN);
	uint8_t *data = secret;

	if (data == NULL)
		return errno > 0 ? -errno : -ENOMEM;
	memcpy(data, head, sizeof(head));
	crypto_random(data + KEY_HEAD_LEN, CRYPTO_KEY_LEN);
	return file_write_private(dir_fd, VAULT_FILE, data, KEY_FILE_LEN);
}

int vault_open(struct vault *vault, int dir_fd, bool create, bool want_old)
{
	int r;

	if (vault->key != NULL) {
		r = want_old ? read_key_file(dir_fd, &vault->old) : 0;
		if (r == 0 || r == -ENOENT)
			return 0;
		fprintf(stderr,
			"callgated: the file " VAULT_FILE
			" in the state directory cannot be used: %s\n",
			strerror(-r));
		return r;
	}
	r = read_key_file(dir_fd, &vault->key);
	if (r == -ENOENT && create) {
		r = make_key_file(dir_fd);
		if (r == 0)
			r = read_key_file(dir_fd, &vault->key);
	}
	if (r == -ENOENT)
		fprintf(stderr,
			"callgated: identities here are sealed, and the key is missing. Give the service its "
			"credential " VAULT_CREDENTIAL
			", under this name, or put the file " VAULT_FILE
			" back into the state directory. Without it, move the identities away; every contact "
			"has to be verified again then.\n");
	else if (r < 0)
		fprintf(stderr,
			"callgated: the file " VAULT_FILE
			" in the state directory cannot be used (%s). It has to be a file of this service's "
			"user that nobody else can read. Restore it from a backup.\n",
			strerror(-r));
	return r;
}

void vault_deinit(struct vault *vault)
{
	vault->key = crypto_secret_free(vault->key);
	vault->old = crypto_secret_free(vault->old);
}

const char *vault_name(const struct vault *vault)
{
	return vault->credential ? "credential" : "key-file";
}
