// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What opening a camera, and opening any file, costs under the two other things in the kernel that can deny a camera: a program of the
 * BPF LSM on file_open, and the device cgroup. Each program is as short as it can be: it looks at the device number, and says yes
 * or no. Called in the virtual machine by tests/bench/guest-deny.
 *
 * First it is shown that the program denies; then the calls that it allows are counted.
 *
 * Usage: deny none|gate|lsm|cgroup [REPETITIONS]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "btf.h"
#include "grants.h"
#include "sample.h"

#define EACH	    32
#define REPETITIONS 11
#define PLAIN	    "/tmp/plain"
#define CAMERA	    "/dev/video0"
#define VIDEO_MAJOR 81

#define INSN(op, to, from, offset, value)                                                         \
	{                                                                                         \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (value) \
	}
#define LOAD(size, to, from, offset) INSN(BPF_LDX | (size) | BPF_MEM, to, from, offset, 0)
#define SET(to, value)		     INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define RIGHT(to, value)	     INSN(BPF_ALU64 | BPF_RSH | BPF_K, to, 0, 0, value)
#define UNLESS(reg, value, skip)     INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, skip, value)
#define EXIT			     INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(union bpf_attr *attr, const struct bpf_insn *insns, size_t count)
{
	static char log[65536];
	int fd;

	attr->insns = (uint64_t)(uintptr_t)insns;
	attr->insn_cnt = (uint32_t)count;
	attr->license = (uint64_t)(uintptr_t) "GPL";
	attr->log_buf = (uint64_t)(uintptr_t)log;
	attr->log_size = sizeof(log);
	attr->log_level = 1;
	fd = bpf(BPF_PROG_LOAD, attr);
	if (fd < 0) {
		fprintf(stderr, "%s\n", log);
		grants_die("BPF_PROG_LOAD");
	}
	return fd;
}

/* Denies devices of the video major or not. The result stays attached while it is open. */
static int attach_lsm(bool deny)
{
	int inode = btf_offset("file", "f_inode"), rdev = btf_offset("inode", "i_rdev");
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_LSM,
				.expected_attach_type = BPF_LSM_MAC,
				.attach_btf_id = btf_function("bpf_lsm_file_open") };
	union bpf_attr link = {};
	/* int file_open(struct file *file): r1 points to the arguments. A device number is major << 20 | minor. */
	const struct bpf_insn insns[] = {
		LOAD(BPF_DW, 2, 1, 0),
		LOAD(BPF_DW, 2, 2, inode),
		LOAD(BPF_W, 2, 2, rdev),
		RIGHT(2, 20),
		SET(0, 0),
		UNLESS(2, VIDEO_MAJOR, 1),
		SET(0, deny ? -EPERM : 0),
		EXIT,
	};

	if (inode < 0 || rdev < 0 || !attr.attach_btf_id)
		grants_die("the kernel's type information has no such function");
	link.raw_tracepoint.prog_fd = load(&attr, insns, sizeof(insns) / sizeof(insns[0]));
	return bpf(BPF_RAW_TRACEPOINT_OPEN, &link);
}

static int attach_cgroup(int group, bool deny)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				.expected_attach_type = BPF_CGROUP_DEVICE };
	union bpf_attr to = { .target_fd = group, .attach_type = BPF_CGROUP_DEVICE };
	const struct bpf_insn insns[] = {
		LOAD(BPF_W, 2, 1, offsetof(struct bpf_cgroup_dev_ctx, major)),
		SET(0, 1),
		UNLESS(2, VIDEO_MAJOR, 1),
		SET(0, deny ? 0 : 1),
		EXIT,
	};

	to.attach_bpf_fd = load(&attr, insns, sizeof(insns) / sizeof(insns[0]));
	/* Replaces what is attached there. */
	return bpf(BPF_PROG_ATTACH, &to);
}

static int open_once(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void count(const char *scenario, const char *what, const char *path,
		  unsigned int repetitions)
{
	struct sample opened = {};
	uint64_t begun;

	for (unsigned int rep = 0; rep < repetitions; rep++) {
		for (int i = 0; i < EACH; i++) {
			int fd;

			begun = sample_clock();
			fd = open(path, O_RDWR | O_CLOEXEC);
			sample_add(&opened, (double)(sample_clock() - begun));
			if (fd < 0)
				grants_die(path);
			close(fd);
		}
		sample_repetition(&opened);
	}
	sample_print(&opened, scenario, what, "instructions");
}

static void must_deny(const char *scenario)
{
	if (open_once(CAMERA) == EPERM && open_once(PLAIN) == 0)
		return;
	fprintf(stderr, "bench: %s does not deny the camera, and only that\n", scenario);
	exit(1);
}

static int enter_group(void)
{
	int group, procs;

	if (mkdir("/sys/fs/cgroup/devices", 0755) && errno != EEXIST)
		grants_die("mkdir");
	group = open("/sys/fs/cgroup/devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	procs = openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (procs < 0 || write(procs, "0", 1) != 1)
		grants_die("cgroup.procs");
	close(procs);
	return group;
}

int main(int argc, char **argv)
{
	unsigned int repetitions = argc > 2 ? (unsigned int)atoi(argv[2]) : REPETITIONS;
	const char *scenario = argc > 1 ? argv[1] : "";
	int fd = open(PLAIN, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	close(fd);
	if (!strcmp(scenario, "lsm")) {
		if (btf_load())
			grants_die("/sys/kernel/btf/vmlinux");
		fd = attach_lsm(true);
		if (fd < 0)
			grants_die("BPF LSM");
		must_deny(scenario);
		close(fd);
		fd = attach_lsm(false);
		if (fd < 0)
			grants_die("BPF LSM");
	} else if (!strcmp(scenario, "cgroup")) {
		fd = enter_group();
		if (attach_cgroup(fd, true))
			grants_die("device cgroup");
		must_deny(scenario);
		if (attach_cgroup(fd, false))
			grants_die("device cgroup");
	} else if (strcmp(scenario, "none") && strcmp(scenario, "gate")) {
		fprintf(stderr, "usage: deny none|gate|lsm|cgroup [REPETITIONS]\n");
		return 2;
	}
	count(scenario, "open a camera", CAMERA, repetitions);
	count(scenario, "open another device", "/dev/null", repetitions);
	count(scenario, "open a file", PLAIN, repetitions);
	return 0;
}
