/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A passphrase that the desktop's Secret Service keeps: GNOME Keyring, KWallet, KeePassXC. */
#ifndef CALLGATE_CALLGATECTL_SECRET_H
#define CALLGATE_CALLGATECTL_SECRET_H

#include <stddef.h>

/*
 * They talk to org.freedesktop.secrets on the session bus, which asks its user to unlock it where it is locked, and explain their
 * own failures. @id: of the key file as it is or is to be, so that a new passphrase does not take an old one's place before the
 * file is written. Return: an enum ctl_exit
 */
int secret_store(const char *id, const char *passphrase);
/* @ret_passphrase: in secret memory. */
int secret_lookup(const char *id, char *ret_passphrase, size_t size);
/* Of a file that is no more; says nothing. */
void secret_forget(const char *id);

#endif
