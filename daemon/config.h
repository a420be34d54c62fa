/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_CONFIG_H
#define CALLGATE_CONFIG_H

#include "policy.h"

/* Fills *ret_policy from an INI file; a file that is absent means the defaults. Prints what is wrong, with file
 * and line, to standard error. Return: 0 or negative errno.
 */
int config_read(const char *path, struct policy *ret_policy);

#endif
