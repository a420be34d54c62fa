/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A microphone, by system calls: read period by period, or mapped. */
#ifndef BENCH_RECORDER_H
#define BENCH_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

/* 16 bit, two channels, 48 kHz: periods of 10 ms. */
#define RECORDER_PERIOD	 480
#define RECORDER_PERIODS 32

/* The capture side of snd-aloop, running; the descriptor, or -1 with errno. */
int recorder_open(bool mapped);
/* Begins anew, without what has piled up. */
bool recorder_again(int fd);
/* Waits until a period has come. */
bool recorder_wait(int fd);
/* Reads @frames, which is how many come unless something is wrong; -1 with errno. */
long recorder_readi(int fd, int16_t *data, unsigned long frames);
/* What a program does that has mapped the buffer: looks how far it is filled, and says that it has taken @frames. 0, or -1 with errno. */
int recorder_advance(int fd, unsigned long frames);

#endif
