// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A USB camera for the real uvcvideo, plugged in until its standard input ends. PipeWire reads all controls of a camera in one go, which
 * fails for vivid's buttons, and WirePlumber then has no use for the camera; this one has no controls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "usbip.h"

int main(void)
{
	struct usbip *dev;
	char node[64], c;

	if (system("modprobe uvcvideo"))
		return 1;
	dev = usbip_plug(USBIP_CAMERA);
	if (!dev)
		return 1;
	if (!usbip_wait_driver(dev, 1, "uvcvideo") || !usbip_video(dev, node, sizeof(node))) {
		usbip_unplug(dev);
		return 1;
	}
	printf("%s\n", node);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return usbip_unplug(dev) ? 0 : 1;
}
