/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Big-endian integers in byte strings, and a reader that cannot run past the end: once a read does not fit, the reader is
 * bad, every later read gives zeros, and the caller checks once at the end. The writer is the same the other way round.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, v >> 32);
	put_be32(p + 4, v);
}

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

/**
 * struct reader - a position in bytes that are not trusted
 * @p: next byte
 * @left: bytes left
 * @bad: a read did not fit; sticky
 */
struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

/* The next @n bytes, or NULL. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static inline void reader_copy(struct reader *r, void *ret, size_t n)
{
	const uint8_t *p = reader_take(r, n);

	if (p)
		memcpy(ret, p, n);
	else
		memset(ret, 0, n);
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);

	return p ? *p : 0;
}

static inline uint16_t reader_be16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);

	return p ? get_be16(p) : 0;
}

static inline uint32_t reader_be32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);

	return p ? get_be32(p) : 0;
}

static inline uint64_t reader_be64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);

	return p ? get_be64(p) : 0;
}

/* One byte, 0 or 1; with another one the reader is bad. */
static inline bool reader_flag(struct reader *r)
{
	uint8_t flag = reader_u8(r);

	if (flag > 1)
		r->bad = true;
	return flag == 1;
}

/* True when everything was read and nothing is left over. */
static inline bool reader_done(const struct reader *r)
{
	return !r->bad && r->left == 0;
}

/**
 * struct writer - a position in memory of a fixed size
 * @p: next byte
 * @left: bytes left
 * @bad: a write did not fit; sticky
 */
struct writer {
	uint8_t *p;
	size_t left;
	bool bad;
};

/* Room for @n bytes, or NULL. */
static inline uint8_t *writer_take(struct writer *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || n > w->left) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	w->left -= n;
	return p;
}

static inline void writer_copy(struct writer *w, const void *data, size_t n)
{
	uint8_t *p = writer_take(w, n);

	if (p)
		memcpy(p, data, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_take(w, 1);

	if (p)
		*p = v;
}

static inline void writer_be16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_take(w, 2);

	if (p)
		put_be16(p, v);
}

static inline void writer_be32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_take(w, 4);

	if (p)
		put_be32(p, v);
}

static inline void writer_be64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_take(w, 8);

	if (p)
		put_be64(p, v);
}

/* A text of at most 65535 bytes, as its length and its bytes. */
static inline void writer_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	if (len > UINT16_MAX) {
		w->bad = true;
		return;
	}
	writer_be16(w, (uint16_t)len);
	writer_copy(w, text, len);
}

/* Into @size bytes; without room for it, or with a zero inside, the reader is bad and the text empty. */
static inline void reader_text(struct reader *r, char *ret, size_t size)
{
	size_t len = reader_be16(r);
	const uint8_t *p = reader_take(r, len);

	ret[0] = '\0';
	if (!p || len >= size || memchr(p, '\0', len)) {
		r->bad = true;
		return;
	}
	memcpy(ret, p, len);
	ret[len] = '\0';
}
