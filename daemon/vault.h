/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key under which the machine seals what it stores, and where that key comes from. */
#ifndef CALLGATE_VAULT_H
#define CALLGATE_VAULT_H

#include <stdbool.h>

#include "identity-seal.h"

/* Of systemd's credentials; STATE/key is the key file. */
#define VAULT_CREDENTIAL "callgate.key"
#define VAULT_FILE	 "key"

/**
 * struct vault
 * @key: seals and opens; secret memory; NULL until opened
 * @old: the key file's where a credential took its place; only for users_reseal()
 * @credential: @key came from a credential
 */
struct vault {
	struct seal_key *key;
	struct seal_key *old;
	bool credential;
};

/* While still root, who alone may be able to read it. 0 also when there is none; negative errno after it was printed. */
int vault_read_credential(struct vault *vault);
/**
 * vault_open() - the key file, where no credential was read
 * @dir_fd: the state directory
 * @create: nothing is sealed yet: make the key file if there is none
 * @want_old: also read the key file beside a credential
 * Return: 0, or a negative errno after it was printed.
 */
int vault_open(struct vault *vault, int dir_fd, bool create, bool want_old);
void vault_deinit(struct vault *vault);
/* "credential" or "key-file". */
const char *vault_name(const struct vault *vault);

#endif
