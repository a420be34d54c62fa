// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb identity: carries a person to another machine, as a file that is
 * sealed under a passphrase. The passphrase is asked by the user's agent and
 * never comes here; nothing of the file goes through arguments or environment.
 */
#include "callgatectl.h"

#include "bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer than any question for a passphrase stands, and the work that follows. */
#define ASKING_USEC (900 * 1000000ull)

static int write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The name too has to be on the disk before it is said that it is there. */
static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return r;
}

/* A new file, readable by its user alone; what is there is never written over. */
static int write_file(const char *path, const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(path);
	if (r < 0)
		unlink(path);
	return r;
}

/* At most BOUND_CARRIED bytes. */
static ssize_t read_file(const char *path, uint8_t *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;
	size_t len = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_size > BOUND_CARRIED)
		r = -EFBIG;
	while (r == 0 && n > 0 && len < BOUND_CARRIED) {
		n = read(fd, ret + len, BOUND_CARRIED - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			r = -errno;
		else
			len += (size_t)n;
	}
	close(fd);
	return r < 0 ? r : (ssize_t)len;
}

static void tell_to_look(const struct ctl_request *request)
{
	if (!request->json)
		fputs("Your agent asks you for a passphrase; answer there.\n", stderr);
}

static int export_to(const struct ctl_request *request, const char *path)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	struct client client = { 0 };
	const void *data;
	struct stat st;
	size_t len;
	int r;

	if (lstat(path, &st) == 0 || errno != ENOENT) {
		ctl_complain("'%s' %s; name a file that is not there yet", path,
			     errno == ENOENT || errno == 0 ? "exists" : strerror(errno));
		return CTL_FAILED;
	}
	r = ctl_connect(&client);
	if (r != CTL_OK)
		goto out;
	tell_to_look(request);
	r = sd_bus_message_new_method_call(client.bus, &reply, CLIENT_NAME, CLIENT_ROOT,
					   CLIENT_MANAGER, "ExportIdentity");
	if (r >= 0)
		r = sd_bus_message_append(reply, "a{sv}", 0);
	if (r >= 0) {
		sd_bus_message *call = reply;

		reply = NULL;
		r = sd_bus_call(client.bus, call, ASKING_USEC, &error, &reply);
		sd_bus_message_unref(call);
	}
	if (r >= 0)
		r = sd_bus_message_read_array(reply, 'y', &data, &len);
	if (r < 0) {
		r = ctl_explain("nothing was exported", r, &error);
		goto out;
	}
	r = write_file(path, data, len);
	if (r < 0) {
		ctl_complain("'%s' cannot be written: %s; nothing was exported", path,
			     strerror(-r));
		r = CTL_FAILED;
		goto out;
	}
	r = CTL_OK;
	if (request->json) {
		fputs("{\"file\": ", stdout);
		print_json_text(stdout, path);
		printf(", \"bytes\": %zu}\n", len);
	} else {
		fputs("Wrote ", stdout);
		print_text(stdout, path);
		puts(". On the other machine: callgatectl identity import FILE\n"
		     "Who has the file and the passphrase can call as you: delete it when it was imported.");
	}
out:
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	client_close(&client);
	return r;
}

static int import_from(const struct ctl_request *request, const char *path)
{
	sd_bus_message *m = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client client = { 0 };
	uint8_t *data = malloc(BOUND_CARRIED);
	uint32_t contacts;
	ssize_t len;
	int r;

	len = data ? read_file(path, data) : -ENOMEM;
	if (len < 0) {
		ctl_complain("'%s' cannot be read: %s", path,
			     len == -EINVAL  ? "it is no plain file"
			     : len == -EFBIG ? "it is too long for an exported identity"
					     : strerror((int)-len));
		free(data);
		return CTL_FAILED;
	}
	r = ctl_connect(&client);
	if (r != CTL_OK)
		goto out;
	tell_to_look(request);
	r = sd_bus_message_new_method_call(client.bus, &m, CLIENT_NAME, CLIENT_ROOT, CLIENT_MANAGER,
					   "ImportIdentity");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', data, (size_t)len);
	if (r >= 0 && request->replace)
		r = sd_bus_message_append(m, "a{sv}", 1, "replace", "b", 1);
	else if (r >= 0)
		r = sd_bus_message_append(m, "a{sv}", 0);
	if (r >= 0)
		r = sd_bus_call(client.bus, m, ASKING_USEC, &error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "u", &contacts);
	if (r < 0) {
		r = ctl_explain("nothing was imported", r, &error);
		goto out;
	}
	r = CTL_OK;
	if (request->json)
		printf("{\"contacts\": %u}\n", contacts);
	else
		printf("Imported your identity, with %u key%s of people you know; see callgatectl peers.\n"
		       "Stop using it on the old machine: both are you now, and a call reaches only one.\n",
		       contacts, contacts == 1 ? "" : "s");
out:
	sd_bus_message_unref(reply);
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	client_close(&client);
	free(data);
	return r;
}

int verb_identity(const struct ctl_request *request)
{
	const char *what = request->arguments[0];

	if (!strcmp(what, "export") && !request->replace)
		return export_to(request, request->arguments[1]);
	if (!strcmp(what, "import"))
		return import_from(request, request->arguments[1]);
	ctl_complain("say export FILE or import FILE [--replace]; see callgatectl identity --help");
	return CTL_USAGE;
}
