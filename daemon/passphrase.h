/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A passphrase from an agent, and the slow way from it to a key. */
#ifndef CALLGATE_PASSPHRASE_H
#define CALLGATE_PASSPHRASE_H

#include <systemd/sd-event.h>

#include "identity-seal.h"

struct stretch;

/**
 * passphrase_read() - all that is in a pipe, which its writer has closed
 * @ret_passphrase: secret memory; for crypto_secret_free()
 * Return: 0; -EINVAL when it is no pipe, not closed, empty or longer than CARRY_PASSPHRASE_MAX; -ENOMEM or -EPERM.
 */
int passphrase_read(int fd, void **ret_passphrase, size_t *ret_len);

/* Called once, from the event loop; the stretch is to be freed then. The key is wiped afterwards. */
typedef void (*stretch_done)(void *userdata, int r, const uint8_t key[CRYPTO_KEY_LEN]);

/**
 * stretch_new() - make the key of a carried file, in a thread: heartbeats of calls must not wait for it
 * @passphrase: copied
 * Return: 0; -EBUSY while another one runs: each takes as much memory as the file asks for.
 */
int stretch_new(struct stretch **ret, sd_event *event, const struct carry_head *head,
		const void *passphrase, size_t len, stretch_done done, void *userdata);
/* Takes NULL. Waits for the thread, which may take seconds. Returns NULL. */
struct stretch *stretch_free(struct stretch *stretch);

#endif
