/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One random operation on one file of a gated node, and whether it let its caller in. */
#ifndef CALLGATE_FUZZ_OPS_H
#define CALLGATE_FUZZ_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fuzz_kind {
	FUZZ_CAMERA,
	FUZZ_MIC,
	FUZZ_KINDS,
};

#define FUZZ_SCRIPT 8

/*
 * Whether microphones are linked. Not where the sound core frees a closing stream's buffer while the stream is still in
 * its group: who prepares another member then writes to where it was, with the gate or without.
 */
extern bool fuzz_links;

/**
 * struct fuzz_map - a mapping that an operation made
 * @at: NULL: none
 */
struct fuzz_map {
	void *at;
	size_t length;
};

/**
 * struct fuzz_result - what came of it
 * @name: of the operation, for people
 * @value: what the system call returned, or negative errno
 * @in: the gate should have let only a grant's holder get this far
 * @data: a frame or a sample came with it
 */
struct fuzz_result {
	const char *name;
	long value;
	bool in;
	bool data;
};

/* xorshift; @state is not 0. */
uint32_t fuzz_draw(uint64_t *state);
/* One of @below. */
uint32_t fuzz_pick(uint64_t *state, uint32_t below);

/* Opens a node of @kind in a random way. Negative errno. */
int fuzz_open(enum fuzz_kind kind, const char *node, uint64_t *random);
/*
 * Does something to @fd.
 * @place: -1, or a place in the script of what a program does that captures, below FUZZ_SCRIPT
 * @other: a file of the same kind, or -1
 * @map: replaced by a new mapping, if one is made
 */
struct fuzz_result fuzz_do(enum fuzz_kind kind, int place, int fd, int other, struct fuzz_map *map,
			   uint64_t *random);

#endif
