/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the gate is to enforce, as the administrator decided it. */
#ifndef CALLGATE_MODE_H
#define CALLGATE_MODE_H

#include <stdbool.h>

/* Is it to be permissive? No file means no; so does one that cannot be read or understood, which is printed. */
bool mode_load(int state_dir);
/* 0 or negative errno. */
int mode_save(int state_dir, bool permissive);

#endif
