// SPDX-License-Identifier: GPL-2.0-only
/*
 * A camera for tests that makes as few allocations as a driver can when it
 * comes: a test can let each of them fail. Bound and unbound through sysfs.
 *
 * Owns one node, or as many as are asked for, whose read() gives LIGHT to everybody:
 *
 *	0	a camera
 *	1	both directions, and does not say that it is memory to memory
 *	2	memory to memory
 *
 * Knows nothing of the gate, and is loaded by tests only.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>

#include "platform.h"

#define LIGHT 0x5a
#define NODES 3

struct cam {
	struct v4l2_device v4l2_dev;
	struct video_device vdev[NODES];
};

static unsigned int nodes = 1;
module_param(nodes, uint, 0600);
MODULE_PARM_DESC(nodes, "how many nodes it has, when it is bound");

static unsigned int mmap_ms;
module_param(mmap_ms, uint, 0600);
MODULE_PARM_DESC(mmap_ms, "how long a mapping takes");

static int mapping;
module_param(mapping, int, 0400);
MODULE_PARM_DESC(mapping, "read only: a mapping is being made");

static int freed;
module_param(freed, int, 0600);
MODULE_PARM_DESC(freed, "buffers were given back: 1, while a mapping was being made: 2");

static const u32 caps[NODES] = {
	V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_READWRITE | V4L2_CAP_STREAMING,
	V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_READWRITE,
	V4L2_CAP_VIDEO_M2M | V4L2_CAP_READWRITE,
};

static ssize_t cam_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (put_user((char)LIGHT, buf + i))
			return -EFAULT;
	}
	return size;
}

static int cam_querycap(struct file *file, void *fh, struct v4l2_capability *cap)
{
	strscpy(cap->driver, "gatecam", sizeof(cap->driver));
	strscpy(cap->card, "GateCam", sizeof(cap->card));
	return 0;
}

/* It has no buffers, but nobody needs to know. */
static long cam_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return cmd == VIDIOC_REQBUFS ? 0 : video_ioctl2(file, cmd, arg);
}

static int cam_mmap(struct file *file, struct vm_area_struct *vma)
{
	WRITE_ONCE(mapping, 1);
	msleep(mmap_ms);
	WRITE_ONCE(mapping, 0);
	return 0;
}

static const struct v4l2_file_operations cam_fops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = v4l2_fh_release,
	.read = cam_read,
	.unlocked_ioctl = cam_ioctl,
	.mmap = cam_mmap,
};

/* By whoever stops it against the will of its owner; a program's own REQBUFS ends in cam_ioctl(). */
static int cam_reqbufs(struct file *file, void *fh, struct v4l2_requestbuffers *request)
{
	WRITE_ONCE(freed, READ_ONCE(mapping) ? 2 : 1);
	return 0;
}

static int cam_streamoff(struct file *file, void *fh, enum v4l2_buf_type type)
{
	return 0;
}

static const struct v4l2_ioctl_ops cam_ioctl_ops = {
	.vidioc_querycap = cam_querycap,
	.vidioc_reqbufs = cam_reqbufs,
	.vidioc_streamoff = cam_streamoff,
};

/* The last file is closed and the node unregistered. */
static void cam_release(struct v4l2_device *v4l2_dev)
{
	struct cam *cam = container_of(v4l2_dev, struct cam, v4l2_dev);

	v4l2_device_unregister(v4l2_dev);
	kfree(cam);
}

static int add_node(struct cam *cam, unsigned int i)
{
	struct video_device *vdev = &cam->vdev[i];

	strscpy(vdev->name, "GateCam", sizeof(vdev->name));
	vdev->v4l2_dev = &cam->v4l2_dev;
	vdev->fops = &cam_fops;
	vdev->ioctl_ops = &cam_ioctl_ops;
	vdev->release = video_device_release_empty;
	vdev->device_caps = caps[i];
	vdev->vfl_dir = i ? VFL_DIR_M2M : VFL_DIR_RX;
	return video_register_device(vdev, VFL_TYPE_VIDEO, -1);
}

static void remove_nodes(struct cam *cam)
{
	int i;

	/* One that was not registered is passed over. */
	for (i = 0; i < NODES; i++)
		video_unregister_device(&cam->vdev[i]);
	v4l2_device_disconnect(&cam->v4l2_dev);
	v4l2_device_put(&cam->v4l2_dev);
}

static int gatecam_probe(struct platform_device *pdev)
{
	struct cam *cam = kzalloc(sizeof(*cam), GFP_KERNEL);
	unsigned int i;
	int err;

	if (!cam)
		return -ENOMEM;
	err = v4l2_device_register(&pdev->dev, &cam->v4l2_dev);
	if (err) {
		kfree(cam);
		return err;
	}
	cam->v4l2_dev.release = cam_release;
	platform_set_drvdata(pdev, cam);
	for (i = 0; !err && i < nodes && i < NODES; i++)
		err = add_node(cam, i);
	if (err)
		remove_nodes(cam);
	return err;
}

static void gatecam_remove(struct platform_device *pdev)
{
	remove_nodes(platform_get_drvdata(pdev));
}

GATE_PLATFORM_DRIVER("gatecam", gatecam_probe, gatecam_remove);
MODULE_DESCRIPTION("A camera for Callgate's tests");
MODULE_LICENSE("GPL");
