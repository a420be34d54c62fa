// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file from which the controller reads held callers, and through which it
 * answers them.
 *
 * Owns no state but which controller a file belongs to. A file and not the
 * netlink socket, because a caller waits for it: reading one cannot fail for want
 * of room, is itself the word that it was read, and takes half of what two
 * messages do. Decides nothing. Called by the VFS.
 *
 * Security: netlink.c opens one for the bound controller only, and it is worth
 * nothing once that socket is gone, whoever has a copy then. While it is
 * there, who has a copy can deny callers, or let them be checked again: that
 * takes a grant.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "event.h"
#include "request.h"

static unsigned long controller_of(const struct file *file)
{
	return (unsigned long)file->private_data;
}

static int read_next(struct file *file, struct callgate_request *ret_request)
{
	int interrupted, err;

	if (file->f_flags & O_NONBLOCK)
		return callgate_request_read(controller_of(file), ret_request);
	interrupted = wait_event_freezable_exclusive(
		callgate_request_readers,
		(err = callgate_request_read(controller_of(file), ret_request)) != -EAGAIN);
	return interrupted ?: err;
}

/* Whose answer comes too late is told no error: the next one is what was asked for. */
static int answer_and_next(struct file *file, u64 id, u32 verdict, void __user *to)
{
	struct callgate_request request;
	int err = id ? callgate_request_answer(controller_of(file), id, verdict) : 0;

	if (err && err != -ENOENT)
		return err;
	err = read_next(file, &request);
	if (err)
		return err;
	if (!copy_to_user(to, &request, sizeof(request)))
		return 0;
	callgate_request_lose(controller_of(file), request.id);
	return -EFAULT;
}

static long request_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct callgate_request __user *user = (void __user *)arg;
	u32 verdict;
	u64 id;

	if (cmd != CALLGATE_IOC_NEXT && cmd != CALLGATE_IOC_ANSWER)
		return -ENOTTY;
	if (get_user(id, &user->id) || get_user(verdict, &user->verdict))
		return -EFAULT;
	if (verdict > CALLGATE_VERDICT_ALLOW)
		return -EINVAL;
	if (cmd == CALLGATE_IOC_NEXT)
		return answer_and_next(file, id, verdict, user);
	return callgate_request_answer(controller_of(file), id, verdict);
}

static __poll_t request_poll(struct file *file, struct poll_table_struct *table)
{
	poll_wait(file, &callgate_request_readers, table);
	if (controller_of(file) != callgate_controller_generation())
		return EPOLLHUP | EPOLLERR;
	return callgate_request_unread() ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations request_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = request_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = request_poll,
	.llseek = noop_llseek,
};

struct file *callgate_request_open(void)
{
	struct file *file = anon_inode_getfile("[callgate]", &request_fops,
					       (void *)callgate_controller_generation(), O_RDWR);

	if (!IS_ERR(file))
		callgate_request_rewind();
	return file;
}
