/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CALLGATE_VERSION_H
#define CALLGATE_VERSION_H

#define CALLGATE_VERSION "0.1"

#endif
