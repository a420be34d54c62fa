/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that record: child processes which do to sound devices what they
 * are told, one operation at a time. Each has a few files ("slots").
 */
#ifndef KSELFTEST_MICROPHONE_H
#define KSELFTEST_MICROPHONE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Everything is 16 bit, one channel: periods of a tenth of a second, a buffer of 0.8 s. */
#define MIC_RATE   8000
#define MIC_PERIOD 800
#define MIC_BUFFER 6400

/* What mic_result() returns while the operation has not returned. */
#define MIC_BUSY 1000000

enum mic_op {
	MIC_OPEN, /* a: flags beside O_RDWR; uses @where */
	MIC_CLOSE,
	MIC_REFINE, /* as a sound server that looks what there is */
	MIC_PARAMS, /* a: MIC_RW, MIC_MAP or MIC_STEREO; with it sw_params: starts by START or by a read */
	MIC_PATIENT, /* a read wakes up only when the whole buffer is full */
	MIC_PREPARE,
	MIC_START,
	MIC_DROP,
	MIC_PAUSE, /* a: 1 or 0 */
	MIC_LINK,  /* a: the other slot */
	MIC_READ,  /* a: frames; how many came */
	MIC_LOUD,  /* of the last read: how many samples are not silent */
	MIC_MMAP,
	MIC_MUNMAP,
	MIC_MAP_LOUD, /* of the mapping */
	MIC_STATE,    /* SNDRV_PCM_STATE_* */
	MIC_STATUS,   /* as MIC_REFINE, of what can be asked of a prepared device */
	MIC_PLAY,     /* plays a tone until it ends */
	MIC_FILL,     /* one buffer of the tone, as far as it goes */
	MIC_DSP_READ, /* a: bytes, by read() */
	MIC_EXEC,     /* the same program again, with its files */
	MIC_FORK,     /* see mic_fork() */
	MIC_GIVE,     /* see mic_give() */
	MIC_TAKE,
	MIC_RUN, /* see mic_run() */
};

#define MIC_SLOTS 4

/* What a program has. */
struct mic_state {
	int sock;
	int fd[MIC_SLOTS];
	int16_t *map[MIC_SLOTS];
	int16_t data[2 * MIC_BUFFER];
	long got;
};

/* An operation of a test's own; it is done in the program, which must not have called exec. */
typedef long (*mic_fn)(struct mic_state *s, int slot, int a);

/* MIC_STEREO: as MIC_RW, but two channels at 48 kHz, for hardware. */
enum {
	MIC_RW,
	MIC_MAP,
	MIC_STEREO
};

struct mic {
	pid_t pid;
	int sock;
};

/* The main function must call this first: it is where a MIC_EXEC arrives. */
void mic_main(int argc, char **argv);

/* A program of the user @uid, who may use sound devices. */
struct mic *mic_start(uid_t uid);
/* Ends it, whatever it is doing. */
void mic_end(struct mic *mic);

void mic_send(struct mic *mic, enum mic_op op, int slot, int a);
/* The result of what was sent: negative errno, or MIC_BUSY after @ms. */
long mic_result(struct mic *mic, int ms);
/* Both, waiting at most 15 s. */
long mic_call(struct mic *mic, enum mic_op op, int slot, int a);
/* As mic_send() and mic_call(), for what no enum mic_op does. */
void mic_send_run(struct mic *mic, mic_fn fn, int slot, int a);
long mic_run(struct mic *mic, mic_fn fn, int slot, int a);
/* Opens "pcmC0D0c/3", or a device node as it is when there is no slash. @flags beside O_RDWR. */
long mic_open(struct mic *mic, int slot, const char *where, int flags);

/* Open, params, prepare; the first error. */
long mic_ready(struct mic *mic, int slot, const char *where, int access);

/* A child that goes on with copies of @mic's files. */
struct mic *mic_fork(struct mic *mic);
/* Hands a file to another process's slot. */
long mic_give(struct mic *from, int slot, struct mic *to, int to_slot);

#endif
