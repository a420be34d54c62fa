// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The key file of the call history, in the user's home. Owns its format and the reading of passphrases: from a terminal,
 * a descriptor or the Secret Service, never from the command line or the environment, where others see them. Called by the verbs that open
 * the history. The daemon sees neither.
 *
 *   magic 4, lock 1, passes 4, MiB 4, salt 16, nonce 24, the two keys (sealed if protected)
 */
#include "callgatectl-key.h"

#include "callgatectl-secret.h"
#include "callgatectl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/macro.h"
#include "util/text.h"

#define KEY_NAME       "history.key"
#define SALT_AT	       13
#define HEAD_LEN       (4 + 1 + 4 + 4 + CRYPTO_SALT_LEN + CRYPTO_XNONCE_LEN)
#define FILE_MAX       (HEAD_LEN + sizeof(struct history_key) + CRYPTO_TAG_LEN)
#define PASSPHRASE_MAX 1024
/* About a second on a machine of 2020. */
#define PASSES	       3
#define MIB	       256

static const uint8_t magic[4] = { 'C', 'G', 'H', 1 };

static const char *folder(void)
{
	static char path[4000];
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (data && *data == '/')
		snprintf(path, sizeof(path), "%s/callgate", data);
	else if (home && *home == '/')
		snprintf(path, sizeof(path), "%s/.local/share/callgate", home);
	else
		return NULL;
	return path;
}

const char *key_path(void)
{
	static char path[4096];

	if (!folder())
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", folder(), KEY_NAME);
	return path;
}

/* ---- passphrases --------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/*
 * One line, without its end. Signals are blocked but while it waits: one that came just before would otherwise
 * interrupt nothing. unblocked: NULL where they are not. Return: its length or -1.
 */
static ssize_t read_line(int fd, char *ret, size_t size, const sigset_t *unblocked)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	for (;;) {
		ssize_t n = ppoll(&ready, 1, NULL, unblocked);

		if (n > 0)
			n = read(fd, ret + len, 1);
		if (n < 0 && (errno != EINTR || interrupted))
			return -1;
		if (n < 0)
			continue;
		if (n == 0 || ret[len] == '\n')
			break;
		if (++len == size)
			return -1;
	}
	return (ssize_t)len;
}

static ssize_t ask(const char *question, char *ret, size_t size)
{
	struct sigaction catch = { .sa_handler = on_signal }, old_int, old_term;
	_cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	sigset_t signals, mask;
	ssize_t len;

	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		ctl_complain("the passphrase is asked on a terminal and there is none; "
			     "give it by --passphrase-fd N");
		return -1;
	}
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	interrupted = 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	sigaction(SIGINT, &catch, &old_int);
	sigaction(SIGTERM, &catch, &old_term);
	tcsetattr(fd, TCSAFLUSH, &quiet);
	dprintf(fd, "%s", question);
	len = read_line(fd, ret, size, &mask);
	tcsetattr(fd, TCSAFLUSH, &before);
	dprintf(fd, "\n");
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (len < 0)
		ctl_complain("no passphrase was given");
	return len;
}

static ssize_t passphrase(const char *fd_text, bool new_one, char *ret)
{
	_cleanup_(crypto_secret_free_p) void *again = NULL;
	unsigned long fd;
	ssize_t len, second;

	if (fd_text) {
		if (!text_to_number(fd_text, 0, 1 << 20, &fd)) {
			ctl_complain("--passphrase-fd wants the number of a descriptor, not '%s'",
				     fd_text);
			return -1;
		}
		len = read_line((int)fd, ret, PASSPHRASE_MAX, NULL);
		if (len < 0)
			ctl_complain("descriptor %lu: no passphrase could be read there (%s)", fd,
				     strerror(errno));
	} else {
		len = ask(new_one ? "New passphrase of your call history: "
				  : "Passphrase of your call history: ",
			  ret, PASSPHRASE_MAX);
	}
	if (len < 0 || !new_one)
		return len;
	if (len == 0) {
		ctl_complain("an empty passphrase protects nothing; nothing was changed");
		return -1;
	}
	if (fd_text)
		return len;
	again = crypto_secret_new(PASSPHRASE_MAX);
	second = again ? ask("Once more: ", again, PASSPHRASE_MAX) : -1;
	if (second >= 0 && (second != len || !crypto_equal(again, ret, (size_t)len))) {
		ctl_complain("the two passphrases differ; nothing was changed");
		return -1;
	}
	return second < 0 ? -1 : len;
}

/* From the Secret Service, or into it. */
static int kept_passphrase(bool new_one, const uint8_t *head, char *ret)
{
	uint8_t random[CRYPTO_KEY_LEN];
	char id[2 * CRYPTO_SALT_LEN + 1];

	hex_encode(head + SALT_AT, CRYPTO_SALT_LEN, id);
	if (!new_one)
		return secret_lookup(id, ret, PASSPHRASE_MAX);
	crypto_random(random, sizeof(random));
	hex_encode(random, sizeof(random), ret);
	crypto_wipe(random, sizeof(random));
	return secret_store(id, ret);
}

static int stretch(enum key_lock lock, const char *fd_text, bool new_one, const uint8_t *head,
		   uint8_t *ret_key)
{
	_cleanup_(crypto_secret_free_p) void *text = crypto_secret_new(PASSPHRASE_MAX);
	ssize_t len = -1;
	int r;

	if (!text)
		return CTL_FAILED;
	/* Whoever has the passphrase needs nobody to keep it. */
	if (lock == KEY_SECRET_SERVICE && !fd_text) {
		r = kept_passphrase(new_one, head, text);
		if (r != CTL_OK)
			return r;
		len = (ssize_t)strlen(text);
	} else {
		len = passphrase(fd_text, new_one, text);
	}
	if (len < 0)
		return CTL_FAILED;
	r = crypto_stretch(text, (size_t)len, head + SALT_AT, get_be32(head + 5),
			   get_be32(head + 9), ret_key);
	if (r < 0)
		ctl_complain("the passphrase cannot be used: %s", strerror(-r));
	return r < 0 ? CTL_FAILED : CTL_OK;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static int unlock(const uint8_t *file, size_t len, const char *passphrase_fd,
		  struct history_key *key)
{
	uint8_t stretched[CRYPTO_KEY_LEN];
	int r;

	if (file[4] == KEY_OPEN && len == HEAD_LEN + sizeof(*key)) {
		memcpy(key, file + HEAD_LEN, sizeof(*key));
		return CTL_OK;
	}
	if (file[4] == KEY_OPEN || file[4] >= KEY_LOCKS || len != FILE_MAX) {
		ctl_complain("%s is damaged; restore it from a backup", key_path());
		return CTL_FAILED;
	}
	r = stretch(file[4], passphrase_fd, false, file, stretched);
	if (r != CTL_OK)
		return r;
	r = crypto_xopen(stretched, file + HEAD_LEN - CRYPTO_XNONCE_LEN, file, HEAD_LEN,
			 file + HEAD_LEN, len - HEAD_LEN, key);
	crypto_wipe(stretched, sizeof(stretched));
	if (r < 0)
		ctl_complain("this is not the passphrase of your call history, or %s is damaged",
			     key_path());
	return r < 0 ? CTL_DENIED : CTL_OK;
}

int key_read(const char *passphrase_fd, struct history_key **ret_key, bool *ret_protected)
{
	_cleanup_(crypto_secret_free_p) void *key = NULL, *file = NULL;
	ssize_t len;
	int r;

	*ret_key = NULL;
	if (!key_path()) {
		ctl_complain("there is no HOME in the environment to look for your key in");
		return CTL_FAILED;
	}
	key = crypto_secret_new(sizeof(struct history_key));
	file = crypto_secret_new(FILE_MAX);
	if (!key || !file) {
		ctl_complain("memory for secrets cannot be locked; raise 'ulimit -l'");
		return CTL_FAILED;
	}
	len = file_read_private(AT_FDCWD, key_path(), file, FILE_MAX);
	if (len == -ENOENT)
		return CTL_OK;
	if (len == -EPERM || len == -ELOOP) {
		ctl_complain("%s is not yours alone: make it a file of yours with mode 0600",
			     key_path());
		return CTL_FAILED;
	}
	if (len < (ssize_t)HEAD_LEN || memcmp(file, magic, sizeof(magic)) != 0) {
		ctl_complain("%s is damaged; restore it from a backup", key_path());
		return CTL_FAILED;
	}
	r = unlock(file, (size_t)len, passphrase_fd, key);
	if (r != CTL_OK)
		return r;
	*ret_protected = ((uint8_t *)file)[4];
	*ret_key = TAKE_PTR(key);
	return CTL_OK;
}

/* Makes what is missing of the path, for the user alone. */
static int open_folder(void)
{
	char path[4000];

	snprintf(path, sizeof(path), "%s", folder());
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int key_write(struct history_key **key, enum key_lock lock, const char *passphrase_fd)
{
	_cleanup_(crypto_secret_free_p) void *file = crypto_secret_new(FILE_MAX), *made = NULL;
	uint8_t stretched[CRYPTO_KEY_LEN], *p = file;
	uint8_t old[FILE_MAX];
	char id[2 * CRYPTO_SALT_LEN + 1];
	_cleanup_close_ int fd = -1;
	size_t len = HEAD_LEN + sizeof(**key);
	bool kept;
	int r;

	if (!*key)
		made = crypto_secret_new(sizeof(**key));
	if (!file || (!*key && !made)) {
		ctl_complain("memory for secrets cannot be locked; raise 'ulimit -l'");
		return CTL_FAILED;
	}
	if (made)
		crypto_random(made, sizeof(**key));
	memcpy(p, magic, sizeof(magic));
	p[4] = lock;
	put_be32(p + 5, PASSES);
	put_be32(p + 9, MIB);
	crypto_random(p + SALT_AT, CRYPTO_SALT_LEN + CRYPTO_XNONCE_LEN);
	memcpy(p + HEAD_LEN, made ? made : *key, sizeof(**key));
	if (lock != KEY_OPEN) {
		r = stretch(lock, lock == KEY_SECRET_SERVICE ? NULL : passphrase_fd, true, p,
			    stretched);
		if (r != CTL_OK)
			return r;
		crypto_xseal(stretched, p + HEAD_LEN - CRYPTO_XNONCE_LEN, p, HEAD_LEN, p + HEAD_LEN,
			     sizeof(**key), p + HEAD_LEN);
		crypto_wipe(stretched, sizeof(stretched));
		len += CRYPTO_TAG_LEN;
	}
	fd = open_folder();
	kept = file_read_private(AT_FDCWD, key_path(), old, sizeof(old)) == (ssize_t)sizeof(old) &&
	       old[4] == KEY_SECRET_SERVICE;
	r = fd < 0 ? -errno : file_write_private(fd, KEY_NAME, p, len);
	if (r < 0) {
		ctl_complain("%s cannot be written: %s", key_path(), strerror(-r));
		return CTL_FAILED;
	}
	if (kept) {
		hex_encode(old + SALT_AT, CRYPTO_SALT_LEN, id);
		secret_forget(id);
	}
	if (made)
		*key = TAKE_PTR(made);
	return CTL_OK;
}
