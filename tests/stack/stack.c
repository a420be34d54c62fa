// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another interposer: puts a table of its own on a camera's or a microphone's
 * operations, which passes everything on, and takes it off when it is unloaded.
 *
 * For tests only. Owns the two copies. It is as careless as such modules are: it
 * holds no reference to the module whose table it covers.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <media/v4l2-dev.h>
#include <sound/core.h>
#include <sound/pcm.h>

static char *camera;
module_param(camera, charp, 0444);
MODULE_PARM_DESC(camera, "device file of the camera to sit on");
static char *microphone;
module_param(microphone, charp, 0444);
MODULE_PARM_DESC(microphone, "device file of the PCM to sit on");

static struct video_device *vdev;
static const struct v4l2_file_operations *camera_below;
static struct v4l2_file_operations camera_ops;

static struct snd_pcm_substream *substream;
static const struct snd_pcm_ops *microphone_below;
static struct snd_pcm_ops microphone_ops;

static int cover_camera(void)
{
	struct file *file = filp_open(camera, O_RDWR | O_NONBLOCK, 0);

	if (IS_ERR(file))
		return PTR_ERR(file);
	vdev = video_devdata(file);
	get_device(&vdev->dev);
	camera_below = vdev->fops;
	camera_ops = *camera_below;
	smp_store_release(&vdev->fops, &camera_ops);
	filp_close(file, NULL);
	return 0;
}

static int cover_microphone(void)
{
	struct file *file = filp_open(microphone, O_RDWR | O_NONBLOCK, 0);

	if (IS_ERR(file))
		return PTR_ERR(file);
	substream = ((struct snd_pcm_file *)file->private_data)->substream;
	get_device(&substream->pcm->card->card_dev);
	microphone_below = substream->ops;
	microphone_ops = *microphone_below;
	smp_store_release(&substream->ops, (const struct snd_pcm_ops *)&microphone_ops);
	filp_close(file, NULL);
	return 0;
}

static void uncover(void)
{
	if (vdev) {
		cmpxchg(&vdev->fops, &camera_ops, camera_below);
		put_device(&vdev->dev);
	}
	if (substream) {
		cmpxchg(&substream->ops, &microphone_ops, microphone_below);
		put_device(&substream->pcm->card->card_dev);
	}
	synchronize_rcu();
}

static int __init stack_init(void)
{
	int err = 0;

	if (camera)
		err = cover_camera();
	if (!err && microphone)
		err = cover_microphone();
	if (err)
		uncover();
	return err;
}

static void __exit stack_exit(void)
{
	uncover();
}

module_init(stack_init);
module_exit(stack_exit);

MODULE_DESCRIPTION("Sits on top of another interposer, for tests");
MODULE_LICENSE("GPL");
