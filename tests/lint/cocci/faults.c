// SPDX-License-Identifier: LGPL-2.1-or-later
/* One fault for each rule of this folder, which must find it. Never compiled. */
static ssize_t hook_read(struct file *file, size_t size)
{
	struct v4l2_gate *gate = callgate_v4l2_enter(file);

	if (!size)
		return -EINVAL; /* callgate_v4l2_leave */
	callgate_v4l2_leave(gate);
	return 0;
}

static int hook_close(struct snd_pcm_substream *substream)
{
	callgate_enter();
	if (!substream)
		return -EINVAL; /* callgate_leave */
	callgate_leave();
	return 0;
}

static bool covered(struct callgate_device *dev)
{
	void *copy = kmemdup(dev, sizeof(*dev), GFP_ATOMIC); /* kmemdup */

	kfree(copy);
	return true;
}

static int cmd_nothing(struct callgate_device *dev, struct genl_info *info)
{
	callgate_check(dev, 0);		   /* callgate_check */
	return refuse(info, 0, "Not now"); /* refuse */
}
