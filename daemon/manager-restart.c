// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Carries the sessions from one process of the daemon to the next when the service is restarted. Called by manager.c, at the
 * end of one and at the beginning of the other. What is written is call-carry.c's, in what form handover.c's.
 *
 * Security: the next process trusts the bound socket only. It asks the kernel what is allowed and ends all that no session of
 * its own accounts for. Any error, another version, another bus: no session, and so nothing that may be captured.
 */
#include "manager-restart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handover.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/macro.h"

#define CARRIED_HEAD 20 /* the bus, and how many sessions */

static bool is_known(void *userdata, const struct gate_held *held)
{
	const struct service *service = userdata;
	const struct call *call = calls_by_id(&service->calls, held->session);

	if (call == NULL || call->granted == 0 || held->uid != call->uid ||
	    (held->kinds & ~call->granted) != 0)
		return false;
	if (call->scope != NULL)
		return held->pid == 0 && held->cgroup == scope_id(call->scope);
	return held->pid == call->subject.pid && held->cookie == call->subject.cookie;
}

static int pack_sessions(struct service *service, uint8_t *bytes, size_t size, size_t *ret_len)
{
	struct writer w = { .p = bytes, .left = size }, rest;
	unsigned int n;
	sd_id128_t bus;
	int r;

	r = sd_bus_get_bus_id(service->bus, &bus);
	if (r < 0)
		return r;
	writer_copy(&w, bus.bytes, sizeof(bus.bytes));
	rest = w;
	writer_be32(&w, 0);
	n = calls_pack(&service->calls, &w);
	writer_be32(&rest, n);
	*ret_len = (size_t)(w.p - bytes);
	return (int)n;
}

/* Puts what was packed where the next process finds it. */
static int put_sessions(const uint8_t *bytes, size_t len)
{
	_cleanup_close_ int fd = -1, key_fd = -1;
	int r = handover_write(bytes, len, &fd, &key_fd);

	if (r < 0)
		return r;
	if (!store_put(STORE_SESSIONS, fd) || !store_put(STORE_SESSIONS_KEY, key_fd))
		return -ENOTCONN;
	store_settle();
	return 0;
}

/*
 * From the packing on nothing is sent for these sessions, and their grants run on, renewed by nobody: should the next
 * process not come, they end at their deadlines.
 */
void manager_hand_over(struct service *service)
{
	size_t size = CARRIED_HEAD + (size_t)service->calls.n_open * CALL_CARRY_MAX, len = 0;
	_cleanup_(crypto_secret_free_p) void *bytes = crypto_secret_new(size);
	int n = -ENOMEM, r;

	if (bytes != NULL)
		n = pack_sessions(service, bytes, size, &len);
	if (n <= 0)
		return;
	sd_bus_flush(service->bus);
	r = put_sessions(bytes, len);
	if (r >= 0) {
		log_event(LOG_EVENT_HANDED_OVER, LOG_NOBODY, "%d calls are handed over.", n);
		return;
	}
	log_event(LOG_EVENT_HANDOVER_FAILED, LOG_NOBODY,
		  "%d calls cannot be handed over (%s) and end.", n, strerror(-r));
	gate_revoke_unknown(service->gate, is_known, service);
}

static int unpack_sessions(struct service *service, const uint8_t *bytes, size_t len)
{
	struct reader r = { .p = bytes, .left = len };
	const uint8_t *bus = reader_take(&r, sizeof(sd_id128_t));
	unsigned int n = reader_be32(&r);
	sd_id128_t now;
	int err = sd_bus_get_bus_id(service->bus, &now);

	if (err < 0)
		return err;
	if (bus == NULL || r.bad || n > BOUND_SESSIONS)
		return -EBADMSG;
	/* Another bus gives the same names to others. */
	if (memcmp(bus, now.bytes, sizeof(now.bytes)) != 0)
		return -ESTALE;
	return calls_unpack(&service->calls, &r, n);
}

/* Sessions of the process before this one; whatever else the kernel still allows is ended. */
void manager_take_over(struct service *service, struct store *store)
{
	_cleanup_close_ int fd = store_take(store, STORE_SESSIONS);
	_cleanup_close_ int key_fd = store_take(store, STORE_SESSIONS_KEY);
	_cleanup_(crypto_secret_free_p) void *bytes = NULL;
	size_t len;
	int r = 0;

	if (fd >= 0 && key_fd >= 0) {
		r = handover_read(fd, key_fd, &bytes, &len);
		if (r >= 0)
			r = unpack_sessions(service, bytes, len);
		if (r < 0)
			log_event(
				LOG_EVENT_HANDOVER_FAILED, LOG_NOBODY,
				"The calls of before the restart cannot be taken over (%s) and end.",
				strerror(-r));
	}
	if (fd >= 0)
		store_remove(STORE_SESSIONS);
	if (key_fd >= 0)
		store_remove(STORE_SESSIONS_KEY);
	r = gate_revoke_unknown(service->gate, is_known, service);
	if (r < 0 && r != -ENODEV)
		log_event(LOG_EVENT_HANDOVER_FAILED, LOG_NOBODY,
			  "A grant of before the restart may be left: %s; it ends at its deadline.",
			  strerror(-r));
}
