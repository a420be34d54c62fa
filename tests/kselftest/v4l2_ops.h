/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations for app_run() that the common apps do not do: other types of
 * buffers, other memory, 32-bit system calls, io_uring, requests, overlays.
 */
#ifndef KSELFTEST_V4L2_OPS_H
#define KSELFTEST_V4L2_OPS_H

#include "camera.h"

/* The type and memory of what follows; a new app begins with video capture and MMAP. */
long op_type(struct app_state *s, long type);
long op_memory(struct app_state *s, long memory);
long op_reqbufs(struct app_state *s, long count); /* the count granted */
long op_create(struct app_state *s, long count);
long op_remove(struct app_state *s, long index); /* VIDIOC_REMOVE_BUFS */
long op_query(struct app_state *s, long index);	 /* -EINVAL: there is no such buffer */
long op_qbuf(struct app_state *s, long index);
long op_prepare(struct app_state *s, long index);
long op_dqbuf(struct app_state *s, long unused);
long op_on(struct app_state *s, long unused);
long op_off(struct app_state *s, long unused);
long op_map(struct app_state *s, long index); /* replaces the last one */
/* REQBUFS of four, QBUF of all, STREAMON. */
long op_stream(struct app_state *s, long unused);

/* EXPBUF, and a mapping of what it gave. */
long op_export(struct app_state *s, long index);
long op_export_sum(struct app_state *s, long unused);
/* Of the pages that were given as USERPTR, or of the DMABUF. */
long op_memory_sum(struct app_state *s, long unused);

long op_control(struct app_state *s, long id_value); /* id << 8 | value */
long op_overlay(struct app_state *s, long on);
/* For root: lets the node at @s->node overlay into vivid's own frame buffer. */
long op_screen(struct app_state *s, long unused);

/* A request of the media device, then QBUF into it and its own queueing. */
long op_request(struct app_state *s, long index);
long op_request_queue(struct app_state *s, long unused);

/* io_uring, a: enum uring_mode. */
long op_uring_read(struct app_state *s, long mode);
long op_uring_poll(struct app_state *s, long mode);
/* CPU time of the app so far, in ms. */
long op_cpu(struct app_state *s, long unused);

/* The system calls of a 32-bit program. */
long op32_reqbufs(struct app_state *s, long count);
long op32_qbuf(struct app_state *s, long index);
long op32_dqbuf(struct app_state *s, long unused);
long op32_on(struct app_state *s, long unused);
long op32_off(struct app_state *s, long unused);
long op32_export(struct app_state *s, long index);
long op32_map(struct app_state *s, long index);
long op32_read(struct app_state *s, long size);

/*
 * On a thread that stops on its way through, see stall.h: read() with the
 * queue's lock held, REQBUFS of nonsense but for its count without. 1 once it has stopped.
 */
long op_stall_read(struct app_state *s, long unused);
long op_stall_reqbufs(struct app_state *s, long count);
/* Lets it go; what the thread's operation returned. */
long op_stall_end(struct app_state *s, long unused);

/* VIVID_CID_PERC_DROPPED: with 100 no frame ever comes. */
#define VIVID_DROP(percent) (0x00f0f040l << 8 | (percent))

#endif
