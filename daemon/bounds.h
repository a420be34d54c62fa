/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every cap of the daemon: nothing a client can do allocates without one. */
#ifndef CALLGATE_BOUNDS_H
#define CALLGATE_BOUNDS_H

#ifndef BOUND_SESSIONS	    /* a measurement goes on beyond it */
#define BOUND_SESSIONS 1024 /* open, of all users */
#endif
#ifndef BOUND_SESSIONS_UID /* a test has many sessions of one user */
#define BOUND_SESSIONS_UID 16
#endif
#define BOUND_DENIED_LATER \
	64 /* denied programs that are not yet told; beyond, the oldest is told at once */
#define BOUND_AGENTS_UID	4
#define BOUND_QUESTIONS_UID	8
#define BOUND_SUBSCRIPTIONS_UID 32
#define BOUND_USERS		256 /* users with anything in memory */
#define BOUND_PEERS_UID		256 /* pins */
#define BOUND_SCOPES		32
#define BOUND_SCOPES_UID	16 /* also those that hold what earlier sessions started */
#define BOUND_DESCENT		32 /* from what captures up to the call's command, both counted */
#define BOUND_DEVICES		256
#define BOUND_STREAMS		1024
#define BOUND_HELD_SESSION	8   /* captures that wait until their session may capture */
#define BOUND_DENIALS		64  /* programs that tried to capture outside a call */
#define BOUND_SOUND_CLIENTS	256 /* of one sound server */
#define BOUND_SOUND_DOUBT_S	10  /* seconds in which it may capture what nobody is linked with */
#define BOUND_ADMINS		4   /* changes that wait for an authorisation, of all users */
#define BOUND_METRIC_APPS	64  /* programs that are counted apart */
#define BOUND_TOLD		64  /* programs whose denial was told lately */

#define BOUND_PENDING_UID 32	/* records that wait until they can be written */
#define BOUND_DENIED_UID  64	/* programs whose denied attempts of a day are counted apart */
#ifndef BOUND_COUNT_SECONDS	/* a test has no quarter of an hour */
#define BOUND_COUNT_SECONDS 900 /* denied attempts are on the disk after this at the latest */
#endif
#define BOUND_REPLACE_BYTES (64u << 20) /* of a rewritten history */

#define BOUND_BLOB     256  /* bytes; the longest of the protocol is 178 */
#define BOUND_NAME     63   /* bytes of a contact's or claimed name */
#define BOUND_LABEL    1087 /* bytes of an app label: class and path */
#define BOUND_BUS_NAME 255
#define BOUND_CARRIED  (512 * 1024) /* bytes of an exported identity */

#define BOUND_RULES	  256
#define BOUND_RULE_FILES  64
#define BOUND_RULE_BYTES  65536 /* of one file */
#define BOUND_RULE_VALUES 16	/* of one key: apps, users, groups */

#define BOUND_NOTIFY_SECONDS 600 /* the same program's denial is told again after this */
#define BOUND_LOGINS	     256 /* sessions of logind's */
#define BOUND_LOGIN_PATH     127 /* bytes of the path of one */
#define BOUND_PAUSES	     64	 /* things that users said no to lately */
#define BOUND_PAUSE_SECONDS \
	30 /* the same is not asked again for this long; twice as long after each further no */
#define BOUND_PAUSE_MAX 600 /* the longest of these, seconds */
#define BOUND_PAUSE_DENIALS \
	3 /* that often no to a program, whatever it asks, is a no to all that it asks */
#define BOUND_PAUSE_FORGET   3600 /* seconds after the last no; then it begins anew */
#define BOUND_DRIVER_SECONDS 5	  /* the bus itself answers within this, or its answer is no */

#endif
