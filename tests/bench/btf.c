// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finds functions and members of structures in the kernel's own type information (include/uapi/linux/btf.h). The file is the
 * running kernel's and is believed. Called by deny.c.
 */
#include "btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct btf_header *header;
static const char *strings, *types, *end;

int btf_load(void)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	struct stat st;
	char *data;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	data = malloc(st.st_size);
	while (data && got < (size_t)st.st_size) {
		n = read(fd, data + got, st.st_size - got);
		if (n <= 0)
			return -1;
		got += n;
	}
	close(fd);
	header = (const struct btf_header *)data;
	if (!data || header->magic != BTF_MAGIC) {
		errno = EINVAL;
		return -1;
	}
	types = data + header->hdr_len + header->type_off;
	end = types + header->type_len;
	strings = data + header->hdr_len + header->str_off;
	return 0;
}

/* How many bytes follow the head of a type. */
static size_t extra(const struct btf_type *t)
{
	unsigned int n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return n * 3 * sizeof(uint32_t);
	case BTF_KIND_FUNC_PROTO:
		return n * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return n * sizeof(struct btf_var_secinfo);
	default:
		return 0;
	}
}

static const struct btf_type *find(const char *name, unsigned int kind, uint32_t *ret_id)
{
	const struct btf_type *t;
	uint32_t id = 1;

	for (const char *p = types; p < end; p += sizeof(*t) + extra(t), id++) {
		t = (const struct btf_type *)p;
		if (BTF_INFO_KIND(t->info) == kind && !strcmp(strings + t->name_off, name)) {
			*ret_id = id;
			return t;
		}
	}
	return NULL;
}

uint32_t btf_function(const char *name)
{
	uint32_t id = 0;

	return find(name, BTF_KIND_FUNC, &id) ? id : 0;
}

static const struct btf_type *by_id(uint32_t wanted)
{
	const struct btf_type *t;
	uint32_t id = 1;

	for (const char *p = types; p < end; p += sizeof(*t) + extra(t), id++) {
		t = (const struct btf_type *)p;
		if (id == wanted)
			return t;
	}
	return NULL;
}

/* Members of members without a name count as the structure's own. */
static int offset_in(const struct btf_type *t, const char *member)
{
	const struct btf_member *m = (const struct btf_member *)(t + 1);
	int inner;

	for (unsigned int i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		unsigned int bits = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m[i].offset)
							    : m[i].offset;
		const struct btf_type *type;

		if (!strcmp(strings + m[i].name_off, member))
			return (int)bits / 8;
		if (strings[m[i].name_off])
			continue;
		type = by_id(m[i].type);
		if (!type || (BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT &&
			      BTF_INFO_KIND(type->info) != BTF_KIND_UNION))
			continue;
		inner = offset_in(type, member);
		if (inner >= 0)
			return (int)bits / 8 + inner;
	}
	return -1;
}

int btf_offset(const char *structure, const char *member)
{
	const struct btf_type *t;
	uint32_t id;

	t = find(structure, BTF_KIND_STRUCT, &id);
	return t ? offset_in(t, member) : -1;
}
