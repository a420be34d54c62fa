// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is preloaded into a trusted program: takes a picture in its name and
 * ends it. Its exit status is the errno. Built as a library.
 */
#include <stdlib.h>
#include <unistd.h>

#include "../frame.h"

__attribute__((constructor)) static void ride_along(void)
{
	const char *node = getenv("PRELOAD_NODE");

	if (node)
		_exit(-frame_take(node));
}
