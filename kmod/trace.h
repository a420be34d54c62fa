/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, for people who look for a fault. They are no interface: names
 * and fields change without notice. Nothing while they are off.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM callgate

#if !defined(CALLGATE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CALLGATE_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

/* clang-format off */
TRACE_EVENT(callgate_check,
	TP_PROTO(u32 device, u8 op, bool covered),
	TP_ARGS(device, op, covered),
	TP_STRUCT__entry(
		__field(u32, device)
		__field(u32, tgid)
		__field(u8, op)
		__field(bool, covered)
	),
	TP_fast_assign(
		__entry->device = device;
		__entry->tgid = task_tgid_nr(current);
		__entry->op = op;
		__entry->covered = covered;
	),
	TP_printk("device=%u tgid=%u op=%u covered=%d", __entry->device, __entry->tgid,
		  __entry->op, __entry->covered)
);

TRACE_EVENT(callgate_request,
	TP_PROTO(u64 id, u32 device, u8 op, int result),
	TP_ARGS(id, device, op, result),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, device)
		__field(u32, tgid)
		__field(u8, op)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->device = device;
		__entry->tgid = task_tgid_nr(current);
		__entry->op = op;
		__entry->result = result;
	),
	TP_printk("request=%llu device=%u tgid=%u op=%u result=%d", __entry->id,
		  __entry->device, __entry->tgid, __entry->op, __entry->result)
);

TRACE_EVENT(callgate_grant,
	TP_PROTO(u64 id, u64 session, u32 kinds, u32 device, u64 deadline),
	TP_ARGS(id, session, kinds, device, deadline),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, session)
		__field(u64, deadline)
		__field(u32, kinds)
		__field(u32, device)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->session = session;
		__entry->deadline = deadline;
		__entry->kinds = kinds;
		__entry->device = device;
	),
	TP_printk("grant=%llu session=%llu kinds=%u device=%u deadline=%llu", __entry->id,
		  __entry->session, __entry->kinds, __entry->device, __entry->deadline)
);

TRACE_EVENT(callgate_revoke,
	TP_PROTO(u64 id, u64 session),
	TP_ARGS(id, session),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, session)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->session = session;
	),
	TP_printk("grant=%llu session=%llu", __entry->id, __entry->session)
);

TRACE_EVENT(callgate_stream,
	TP_PROTO(u64 id, u32 device, u64 grant, u8 reason),
	TP_ARGS(id, device, grant, reason),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, grant)
		__field(u32, device)
		__field(u8, reason)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->grant = grant;
		__entry->device = device;
		__entry->reason = reason;
	),
	TP_printk("stream=%llu device=%u grant=%llu %s", __entry->id, __entry->device,
		  __entry->grant, __entry->reason ? "stopped" : "started")
);
/* clang-format on */

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
