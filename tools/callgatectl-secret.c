// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Secret Service as a keeper of the history key's passphrase. Called by callgatectl-key.c. Must not keep a copy.
 *
 * libsecret is loaded when it is needed: callgatectl also runs on servers, which have neither it nor a Secret Service.
 */
#include "callgatectl-secret.h"

#include "callgatectl.h"

#include <dlfcn.h>
#include <libsecret/secret.h>
#include <string.h>

#define LIBRARY "libsecret-1.so.0"
#define HINT	"; the key file opens with its passphrase by --passphrase-fd, too, if you kept that"

struct library {
	__typeof__(secret_password_store_sync) *store;
	__typeof__(secret_password_lookup_nonpageable_sync) *lookup;
	__typeof__(secret_password_clear_sync) *clear;
	__typeof__(secret_password_free) *free;
	__typeof__(g_error_free) *error_free;
};

static const SecretSchema schema = {
	.name = "org.callgate1.HistoryKey",
	.flags = SECRET_SCHEMA_NONE,
	.attributes = { { "id", SECRET_SCHEMA_ATTRIBUTE_STRING } },
};

/* It stays until we end: GLib cannot be unloaded. */
static int load(struct library *ret)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		ctl_complain("the Secret Service is spoken to through " LIBRARY
			     ", which is not here; install libsecret-1-0, or use a passphrase");
		return CTL_ABSENT;
	}
	*(void **)&ret->store = dlsym(library, "secret_password_store_sync");
	*(void **)&ret->lookup = dlsym(library, "secret_password_lookup_nonpageable_sync");
	*(void **)&ret->clear = dlsym(library, "secret_password_clear_sync");
	*(void **)&ret->free = dlsym(library, "secret_password_free");
	*(void **)&ret->error_free = dlsym(library, "g_error_free");
	if (ret->store && ret->lookup && ret->clear && ret->free && ret->error_free)
		return CTL_OK;
	ctl_complain(LIBRARY " is too old to keep a passphrase out of the swap");
	return CTL_ABSENT;
}

/* Return: the exit code. */
static int explain(const struct library *library, const char *what, GError *error,
		   const char *otherwise)
{
	ctl_complain("the Secret Service %s: %s%s", what, error ? error->message : otherwise, HINT);
	if (error)
		library->error_free(error);
	return CTL_ABSENT;
}

int secret_store(const char *id, const char *passphrase)
{
	struct library library;
	GError *error = NULL;
	int r = load(&library);

	if (r != CTL_OK)
		return r;
	if (library.store(&schema, SECRET_COLLECTION_DEFAULT, "Callgate: your call history",
			  passphrase, NULL, &error, "id", id, NULL))
		return CTL_OK;
	ctl_complain("the Secret Service did not take the passphrase: %s; nothing was changed",
		     error ? error->message : "it gave no reason");
	if (error)
		library.error_free(error);
	return CTL_ABSENT;
}

int secret_lookup(const char *id, char *ret_passphrase, size_t size)
{
	struct library library;
	GError *error = NULL;
	gchar *found;
	int r = load(&library);

	if (r != CTL_OK)
		return r;
	found = library.lookup(&schema, NULL, &error, "id", id, NULL);
	if (!found)
		return explain(&library, "did not give the passphrase of your call history", error,
			       "it has none, or was not unlocked");
	r = strlen(found) < size ? CTL_OK : CTL_FAILED;
	if (r == CTL_OK)
		memcpy(ret_passphrase, found, strlen(found) + 1);
	else
		ctl_complain("the Secret Service gave a passphrase that is too long");
	library.free(found);
	return r;
}

void secret_forget(const char *id)
{
	struct library library;
	GError *error = NULL;

	if (load(&library) == CTL_OK)
		library.clear(&schema, NULL, &error, "id", id, NULL);
	if (error)
		library.error_free(error);
}
