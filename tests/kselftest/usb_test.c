// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Raw USB: an ordinary user, who may write to the device's node, tries to read
 * the camera past its driver. Each denial's twin is the same read where the
 * administrator allowed it, or where the gate is out.
 *
 * Also to be run without the module: then only the twin that needs none runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"
#include "gate.h"
#include "harness.h"
#include "usbfs.h"
#include "usbip.h"
#include "v4l2_fixture.h"

#define STREAM	 1 /* the camera's streaming interface */
#define UVCVIDEO "uvcvideo"
#define SOUND	 "snd-usb-audio"

/* Errors by which usbfs says that the interface is not to be had; the worker may have bound the driver again by then. */
static bool refused(long r)
{
	return r == -ENODEV || r == -EBUSY;
}

/* ---- what the user does ---------------------------------------------------------------------------------------- */

/* A class request to the streaming interface: what is being filmed, and how. */
static long get_probe(void)
{
	unsigned char data[34];
	struct usbdevfs_ctrltransfer transfer = { .bRequestType = 0xa1,
						  .bRequest = 0x81,
						  .wValue = 0x0100,
						  .wIndex = STREAM,
						  .wLength = sizeof(data),
						  .timeout = 1000,
						  .data = data };

	return usbfs_control(USBDEVFS_CONTROL, &transfer);
}

static long detach_claim_camera(void)
{
	return usbfs_detach_claim(STREAM);
}

static long detach_claim_control(void)
{
	return usbfs_detach_claim(0);
}

static long detach_camera(void)
{
	long r = usbfs_detach(0);

	/* Its driver may have let go of this one by itself. */
	usbfs_detach(STREAM);
	return r;
}

static long detach_stream(void)
{
	return usbfs_detach(STREAM);
}

static long claim_camera(void)
{
	return usbfs_claim(STREAM);
}

static long claim_and_read(void)
{
	return usbfs_claim(STREAM) ?: usbfs_read_bulk();
}

static long detach_and_read(void)
{
	detach_camera();
	return claim_and_read();
}

static long submit_bulk(void)
{
	return usbfs_submit(USBDEVFS_URB_TYPE_BULK, USBIP_ENDPOINT);
}

static long set_camera_interface(void)
{
	return usbfs_set_interface(STREAM, 0);
}

static long detach_claim_microphone(void)
{
	return usbfs_detach_claim(3);
}

static long submit_iso(void)
{
	return usbfs_submit(USBDEVFS_URB_TYPE_ISO, 0x82);
}

static long submit_camera_iso(void)
{
	return usbfs_submit(USBDEVFS_URB_TYPE_ISO, USBIP_ENDPOINT);
}

static long read_camera_iso(void)
{
	return usbfs_claim(STREAM) ?: usbfs_read_iso(STREAM, USBIP_ENDPOINT, 1024);
}

static long read_microphone(void)
{
	return usbfs_claim(3) ?: usbfs_read_iso(3, 0x82, 32);
}

static long reset(void)
{
	return usbfs_control(USBDEVFS_RESET, NULL);
}

/* 1 as soon as one attempt succeeds; 0 if none does for a second. */
static long detach_again_and_again(void)
{
	uint64_t until = harness_now() + 1000000000ull;

	while (harness_now() < until) {
		if (usbfs_detach_claim(STREAM) >= 0 || usbfs_detach_claim(0) >= 0)
			return 1;
		usbfs_detach(0);
		if (usbfs_claim(STREAM) >= 0 || usbfs_claim(0) >= 0 || usbfs_read_bulk() >= 0)
			return 1;
	}
	return 0;
}

/* New interfaces: their driver has not been bound yet when they appear. */
static long change_configuration(void)
{
	int none = -1, one = 1;
	long r;

	do {
		detach_camera();
		r = usbfs_control(USBDEVFS_SETCONFIGURATION, &none);
	} while (r == -EBUSY);
	if (r)
		return r;
	r = usbfs_control(USBDEVFS_SETCONFIGURATION, &one);
	if (r)
		return r;
	return usbfs_detach_claim(STREAM);
}

/* ---- the tests' ground ----------------------------------------------------------------------------------------- */

static bool gate_is_loaded(void)
{
	struct gate *gate = gate_open();

	gate_close(gate);
	return gate;
}

static void need_gate(void)
{
	if (!gate_is_loaded())
		harness_skip("the module is not loaded");
}

static struct usbip *plug(unsigned int functions)
{
	struct usbip *dev;

	if (system("modprobe -a uvcvideo snd-usb-audio"))
		harness_skip("no uvcvideo or snd-usb-audio");
	dev = usbip_plug(functions);
	ASSERT(dev);
	if (functions & USBIP_CAMERA)
		ASSERT(usbip_wait_driver(dev, STREAM, UVCVIDEO));
	if (functions & USBIP_MICROPHONE)
		ASSERT(usbip_wait_driver(dev, 3, SOUND));
	return dev;
}

/* Whatever was done to it: its driver comes back, and a granted user sees what it films. */
static void expect_working(const struct usbip *dev)
{
	struct gate *gate = gate_open_bound();
	struct app *app;
	char node[64];

	EXPECT(usbip_wait_driver(dev, 0, UVCVIDEO));
	EXPECT(usbip_wait_driver(dev, STREAM, UVCVIDEO));
	ASSERT(usbip_video(dev, node, sizeof(node)));
	app = app_start(node, USBFS_USER);
	ASSERT_EQ(app_call(app, APP_OPEN, O_NONBLOCK), 0);
	EXPECT_EQ(app_call(app, APP_REQBUFS, 4), -EACCES);
	ASSERT_EQ(app_call(app, APP_FLAGS, 0), 0);
	ASSERT_EQ(gate_allow(gate, app->pid, 1, CALLGATE_KIND_CAMERA, 9900), 0);
	EXPECT_EQ(app_stream(app), 0);
	EXPECT_EQ(app_frames(app, 3), 0);
	app_end(app);
	gate_close(gate);
}

/* Its driver may have let go of it with the other one. */
static void root_unbinds(const struct usbip *dev, int interface)
{
	char name[64];

	snprintf(name, sizeof(name), "%s:1.%d", dev->name, interface);
	if (*usbip_driver(dev, interface))
		EXPECT_EQ(usbip_write(dev, interface, "driver/unbind", name), 0);
	EXPECT(!*usbip_driver(dev, interface));
}

/* ---- the tests ------------------------------------------------------------------------------------------------- */

TEST(allow_raw_read_without_gate)
{
	bool loaded = gate_is_loaded();
	struct usbip *dev;

	if (loaded)
		ASSERT_EQ(unload(), 0);
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_and_read), 1);
	usbip_unplug(dev);
	if (loaded)
		ASSERT_EQ(load(), 0);
}

TEST(allow_raw_read_where_root_authorized_it)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	root_unbinds(dev, 0);
	root_unbinds(dev, STREAM);
	EXPECT_EQ(usbfs_as_user(dev, claim_and_read), -ENODEV);
	EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_and_read), 1);
	EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "0"), 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_and_read), -ENODEV);
}

static struct usbip *allowed;

/* Keeps the camera's streaming interface until the worker has bound the control interface again. */
static long keep_what_root_allows(void)
{
	long r = detach_claim_camera() ?: usbfs_detach(0);

	if (r)
		return r;
	return usbip_wait_driver(allowed, 0, UVCVIDEO) ? usbfs_read_bulk() : -ETIME;
}

/* The driver need not be unbound for good: it has its interface again when the user is done. */
TEST(lend_what_root_authorized)
{
	need_gate();
	allowed = plug(USBIP_CAMERA);
	EXPECT_EQ(usbip_write(allowed, STREAM, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(allowed, keep_what_root_allows), 1);
	expect_working(allowed);
	EXPECT_EQ(usbfs_as_user(allowed, detach_claim_camera), -ENODEV);
}

/* The worker's return is not to be waited for: root unbound it, so it stays away. */
TEST(deny_every_way_to_an_endpoint)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	root_unbinds(dev, 0);
	root_unbinds(dev, STREAM);
	EXPECT_EQ(usbfs_as_user(dev, claim_camera), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_control), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, usbfs_read_bulk), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, submit_bulk), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, get_probe), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, usbfs_clear_halt), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, set_camera_interface), -ENODEV);
	EXPECT_EQ(dev->shared->frames, 0);

	/* The same calls where the interface may be had. */
	EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_camera), 0);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), 0);
	EXPECT_EQ(usbfs_as_user(dev, usbfs_read_bulk), 1);
	EXPECT_EQ(usbfs_as_user(dev, submit_bulk), 0);
	EXPECT_EQ(usbfs_as_user(dev, get_probe), 34);
	EXPECT_EQ(usbfs_as_user(dev, usbfs_clear_halt), 0);
	EXPECT_EQ(usbfs_as_user(dev, set_camera_interface), 0);
}

TEST(deny_detach_and_claim)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	expect_working(dev);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_control), -ENODEV);
	expect_working(dev);
	EXPECT(refused(usbfs_as_user(dev, detach_and_read)));
	expect_working(dev);
}

TEST(attach_again_after_control_was_detached)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_camera), 0);
	expect_working(dev);
}

/* Alone it matches no driver. */
TEST(attach_again_after_stream_was_detached)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_stream), 0);
	expect_working(dev);
}

static long detach_sound_control(void)
{
	return usbfs_detach(2);
}

static long detach_second_stream(void)
{
	return usbfs_detach(5);
}

/* While its driver is bound to the control interface it claims the others, one after the other. */
TEST(attach_again_after_sound_was_detached)
{
	struct usbip *dev;
	char node[64];
	int i;

	need_gate();
	dev = plug(USBIP_CAMERA | USBIP_MICROPHONE | USBIP_TWO_STREAMS);
	ASSERT(usbip_wait_driver(dev, 5, SOUND));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(usbfs_as_user(dev, i ? detach_second_stream : detach_sound_control), 0);
		EXPECT(usbip_wait_driver(dev, 2, SOUND));
		EXPECT(usbip_wait_driver(dev, 3, SOUND));
		EXPECT(usbip_wait_driver(dev, 5, SOUND));
		EXPECT(usbip_sound(dev, node, sizeof(node)));
	}
}

/* The old camera holds its streaming interface until its last file is closed. */
TEST(attach_again_after_the_last_file_is_closed)
{
	struct usbip *dev;
	struct app *app;
	char node[64];

	need_gate();
	dev = plug(USBIP_CAMERA);
	ASSERT(usbip_video(dev, node, sizeof(node)));
	app = app_start(node, USBFS_USER);
	ASSERT_EQ(app_call(app, APP_OPEN, O_NONBLOCK), 0);
	EXPECT_EQ(usbfs_as_user(dev, detach_camera), 0);
	EXPECT(refused(usbfs_as_user(dev, claim_and_read)));
	ASSERT_EQ(app_call(app, APP_CLOSE, 0), 0);
	expect_working(dev);
}

TEST(deny_detaching_in_a_loop)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA | USBIP_MICROPHONE);
	EXPECT_EQ(usbfs_as_user(dev, detach_again_and_again), 0);
	expect_working(dev);
}

/* The worker binds what is being pulled out. */
TEST(unplug_while_being_detached)
{
	struct usbip *dev;
	pid_t pid;
	int i;

	need_gate();
	for (i = 0; i < 3; i++) {
		dev = plug(USBIP_CAMERA | USBIP_MICROPHONE);
		pid = fork();
		if (pid == 0) {
			EXPECT_EQ(usbfs_as_user(dev, detach_again_and_again), 0);
			_exit(0);
		}
		usleep(300000 + i * 17000);
		usbip_pull(dev);
		waitpid(pid, NULL, 0);
		EXPECT(usbip_unplug(dev));
	}
	dev = plug(USBIP_CAMERA);
	expect_working(dev);
}

TEST(deny_after_reset_and_after_another_plug)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, reset), 0);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	expect_working(dev);
	EXPECT(usbip_unplug(dev));
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	expect_working(dev);
}

TEST(deny_after_another_configuration)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, change_configuration), -ENODEV);
	expect_working(dev);
}

TEST(deny_where_no_driver_was_ever_bound)
{
	struct usbip *dev;

	need_gate();
	if (system("modprobe -r uvcvideo snd-usb-audio"))
		harness_skip("uvcvideo is in use");
	dev = usbip_plug(USBIP_CAMERA | USBIP_MICROPHONE);
	ASSERT(dev);
	EXPECT(!*usbip_driver(dev, 0) && !*usbip_driver(dev, STREAM));
	EXPECT_EQ(usbfs_as_user(dev, claim_and_read), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, submit_iso), -ENODEV);
	EXPECT_EQ(system("modprobe -a uvcvideo snd-usb-audio"), 0);
	expect_working(dev);
}

/* The driver core knows nothing of such an interface; usbfs may have it all the same. */
TEST(deny_an_interface_whose_addition_failed)
{
	struct usbip *dev;
	char path[96];

	need_gate();
	if (system(". /run/rig/config && insmod "
		   "/callgate/$BUILD/driver/$(uname -r)/gatefail.ko name=:1.1"))
		harness_skip("no kernel probes, or no drivers for tests");
	dev = usbip_plug(USBIP_CAMERA);
	EXPECT_EQ(system("grep -q 1 /sys/module/gatefail/parameters/failed && rmmod gatefail"), 0);
	ASSERT(dev);
	snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s:1.1", dev->name);
	EXPECT(access(path, F_OK) != 0);
	root_unbinds(dev, 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_camera), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	/* Without the gate it can be had. */
	ASSERT_EQ(unload(), 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_and_read), 1);
	EXPECT(usbip_unplug(dev));
	ASSERT_EQ(load(), 0);
}

/* The class of the setting that it is plugged in with is not all that it has. */
TEST(deny_a_class_that_another_setting_says)
{
	struct usbip *dev;

	need_gate();
	if (system("modprobe -r uvcvideo"))
		harness_skip("uvcvideo is in use");
	dev = usbip_plug(USBIP_CAMERA | USBIP_ISOCHRONOUS | USBIP_HIDDEN);
	ASSERT(dev);
	EXPECT_EQ(usbfs_as_user(dev, read_camera_iso), -ENODEV);
	EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(dev, read_camera_iso), 1);
	EXPECT_EQ(system("modprobe uvcvideo"), 0);
}

/* The drivers of the one are bound while the other one's interfaces are to stay closed. */
TEST(deny_after_another_camera_came)
{
	struct usbip *dev, *other;

	need_gate();
	dev = plug(USBIP_CAMERA);
	other = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	EXPECT_EQ(usbfs_as_user(other, detach_claim_camera), -ENODEV);
	expect_working(dev);
	expect_working(other);
}

/* An interface that anybody may have, and then the camera's, which must not be opened for that. */
static long claim_keyboard_and_camera(void)
{
	return usbfs_claim(4) ?: claim_camera();
}

TEST(deny_after_claiming_another_interface)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA | USBIP_KEYBOARD);
	root_unbinds(dev, 0);
	root_unbinds(dev, STREAM);
	EXPECT_EQ(usbfs_as_user(dev, claim_keyboard_and_camera), -ENODEV);
	EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(dev, claim_keyboard_and_camera), 0);
}

static long detach_in_own_namespace(void)
{
	return unshare(CLONE_NEWUSER) ? -errno : detach_camera();
}

/* Privileged there only, so it is not what an administrator wants. */
TEST(attach_again_after_detaching_in_a_user_namespace)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT_EQ(usbfs_as_user(dev, detach_in_own_namespace), 0);
	expect_working(dev);
}

/* What is open here is said in kmod/usb.c: the time before its driver is loaded. */
TEST(deny_a_vendors_class_that_has_a_driver)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA | USBIP_VENDOR);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
	expect_working(dev);
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_control), -ENODEV);
	expect_working(dev);
}

TEST(deny_a_microphone)
{
	struct usbip *dev;
	char node[64];

	need_gate();
	dev = plug(USBIP_CAMERA | USBIP_MICROPHONE);
	ASSERT(usbip_sound(dev, node, sizeof(node)));
	EXPECT_EQ(usbfs_as_user(dev, detach_claim_microphone), -ENODEV);
	EXPECT(refused(usbfs_as_user(dev, submit_iso)));
	EXPECT(usbip_wait_driver(dev, 2, SOUND));
	EXPECT(usbip_wait_driver(dev, 3, SOUND));
	EXPECT(usbip_sound(dev, node, sizeof(node)));
	root_unbinds(dev, 2);
	root_unbinds(dev, 3);
	EXPECT_EQ(usbfs_as_user(dev, submit_iso), -ENODEV);
	EXPECT_EQ(usbfs_as_user(dev, read_microphone), -ENODEV);
	EXPECT_EQ(usbip_write(dev, 3, "authorized", "1"), 0);
	EXPECT_EQ(usbfs_as_user(dev, read_microphone), 1);
}

TEST(deny_an_isochronous_camera)
{
	struct usbip *dev;
	int i;

	need_gate();
	/* The second time it is another device, plugged in anew. */
	for (i = 0; i < 2; i++) {
		dev = plug(USBIP_CAMERA | USBIP_ISOCHRONOUS);
		EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
		expect_working(dev);
		EXPECT_EQ(usbfs_as_user(dev, detach_camera), 0);
		EXPECT(refused(usbfs_as_user(dev, submit_camera_iso)));
		expect_working(dev);
		EXPECT_EQ(usbfs_as_user(dev, reset), 0);
		EXPECT_EQ(usbfs_as_user(dev, detach_claim_camera), -ENODEV);
		expect_working(dev);
		root_unbinds(dev, 0);
		root_unbinds(dev, STREAM);
		EXPECT_EQ(usbfs_as_user(dev, read_camera_iso), -ENODEV);
		EXPECT_EQ(usbip_write(dev, STREAM, "authorized", "1"), 0);
		EXPECT_EQ(usbfs_as_user(dev, read_camera_iso), 1);
		EXPECT(usbip_unplug(dev));
	}
}

static struct usbip *probed;

static bool is_not_usbfs(void *unused)
{
	return strcmp(usbip_driver(probed, 3), "usbfs") != 0;
}

static bool is_closed(void *unused)
{
	char path[96], text[2] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s:1.3/authorized", probed->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, 1) < 0)
		text[0] = 0;
	close(fd);
	return text[0] == '0';
}

/* Claims the microphone while the camera's driver waits for the camera's answer. */
static long claim_beside_a_probe(void)
{
	long r = usbfs_claim(3);

	if (r)
		return r;
	if (!harness_wait(is_not_usbfs, NULL, 10000))
		return -ETIME;
	probed->shared->deaf = 0;
	return harness_wait(is_closed, NULL, 20000) ? submit_iso() : -ETIME;
}

/*
 * Such a probe, which the administrator has asked for, holds no lock that usbfs
 * would wait for. Where it does, the claim comes too late.
 */
TEST(take_what_was_claimed_beside_an_asynchronous_probe)
{
	need_gate();
	if (system("modprobe -r uvcvideo snd-usb-audio && modprobe uvcvideo async_probe=1"))
		harness_skip("uvcvideo is in use");
	probed = usbip_plug_deaf(USBIP_CAMERA | USBIP_MICROPHONE, true);
	ASSERT(probed && usbip_wait_driver(probed, 0, UVCVIDEO));
	EXPECT_EQ(usbfs_as_user(probed, claim_beside_a_probe), -ENODEV);
	EXPECT_EQ(system("modprobe snd-usb-audio"), 0);
	expect_working(probed);
	EXPECT(usbip_unplug(probed));
	EXPECT_EQ(system("modprobe -r uvcvideo && modprobe uvcvideo"), 0);
}

/* An administrator who wants the interface for nobody keeps that. */
TEST(keep_an_interface_that_root_deauthorized)
{
	struct usbip *dev;

	need_gate();
	dev = plug(USBIP_CAMERA);
	EXPECT(usbip_unplug(dev));
	EXPECT_EQ(system("for i in /sys/bus/usb/devices/usb*; do"
			 " echo 0 >$i/interface_authorized_default; done"),
		  0);
	dev = usbip_plug(USBIP_CAMERA);
	ASSERT(dev);
	EXPECT_EQ(system("for i in /sys/bus/usb/devices/usb*; do"
			 " echo 1 >$i/interface_authorized_default; done"),
		  0);
	EXPECT_EQ(system("modprobe -r uvcvideo && modprobe uvcvideo"), 0);
	EXPECT(!*usbip_driver(dev, 0) && !*usbip_driver(dev, STREAM));
}

/* Last: it takes the module out, and puts it back. */
TEST(deny_what_was_claimed_before_load)
{
	struct usbip *dev;
	int to[2], from[2];
	long r = 0;
	pid_t pid;

	need_gate();
	ASSERT_EQ(unload(), 0);
	dev = plug(USBIP_CAMERA);
	ASSERT(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (pid == 0) {
		usbfs_become_user(dev);
		detach_camera();
		r = usbfs_claim(0) ?: claim_and_read();
		while (write(from[1], &r, sizeof(r)) == sizeof(r) && read(to[0], &r, 1) == 1)
			r = usbfs_read_bulk();
		_exit(0);
	}
	ASSERT(read(from[0], &r, sizeof(r)) == sizeof(r));
	EXPECT_EQ(r, 1);
	ASSERT_EQ(load(), 0);
	ASSERT(write(to[1], "", 1) == 1 && read(from[0], &r, sizeof(r)) == sizeof(r));
	EXPECT(refused(r));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect_working(dev);

	/* And what is given back at unload can be had again. */
	ASSERT_EQ(unload(), 0);
	EXPECT_EQ(usbfs_as_user(dev, detach_and_read), 1);
	EXPECT(usbip_unplug(dev));
	ASSERT_EQ(load(), 0);
}

int main(int argc, char **argv)
{
	app_main(argc, argv);
	return harness_main(argc, argv);
}
