/* SPDX-License-Identifier: GPL-2.0-only */
/* Every cap of the module: nothing a user can do allocates without one. */
#ifndef CALLGATE_LIMITS_H
#define CALLGATE_LIMITS_H

#include "callgate.h"

#define CALLGATE_MAX_GRANTS	    16384 /* grants in force */
#define CALLGATE_MAX_GRANTS_SUBJECT 64	  /* sessions that one process or cgroup is in at a time */
#define CALLGATE_GRANT_HASH_BITS    12
#define CALLGATE_MAX_REQUESTS	    256 /* held callers */
#define CALLGATE_MAX_REQUESTS_UID   32	/* held callers of one uid */
#define CALLGATE_MAX_STOPPED	    8 /* ended captures a device remembers until they are reported */
#define CALLGATE_MAX_DENIED	    8 /* process images a device remembers between two events */
#define CALLGATE_DENIED_INTERVAL_S  1 /* of one image on one device */

#endif
