// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an executable is called, for the people who read a prompt.
 *
 * Decides nothing and keeps nothing. Called by subject.c, and by netlink.c for what is identified. Only what hangs
 * under the initial root has a name, and never by the root of the caller: its own
 * chroot or mount namespace would choose the words. Where each file system is
 * mounted as a whole, their own names are put together; all else is left to a
 * kernel thread, which has the initial root.
 */
#include "path.h"

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat.h"

/*
 * From the file up to the initial root, by the names that each file system has.
 * NULL where one of them is not mounted as a whole, where the root is not reached,
 * and where the name is too long for @size. Reads nothing of current's.
 */
static char *whole_path(struct file *exe, char *buf, size_t size)
{
	struct path at = exe->f_path, root;
	char *part, *name = NULL;
	bool there = false;

	if (d_unlinked(at.dentry) || !is_subdir(at.dentry, at.mnt->mnt_root))
		return NULL;
	path_get(&at);
	callgate_initial_root(&root);
	while (IS_ROOT(at.mnt->mnt_root)) {
		/* Ends where the last one begins, whose slash makes room for the end. */
		part = dentry_path_raw(at.dentry, buf, name ? name - buf + 1 : size);
		if (IS_ERR(part))
			break;
		if (name) {
			if (!part[1])
				part = name; /* mounted on a root */
			*name = '/';
		}
		name = part;
		there = at.mnt == root.mnt && root.dentry == root.mnt->mnt_root;
		if (there || !follow_up(&at))
			break;
	}
	path_put(&root);
	path_put(&at);
	return there ? name : NULL;
}

/* Against the root that programs are started in. In a kernel thread only. */
static char *initial_path(struct file *exe, char *buf, size_t size)
{
	char *name = NULL;
	struct path root;

	callgate_initial_root(&root);
	if (path_is_under(&exe->f_path, &root) && !d_unlinked(exe->f_path.dentry)) {
		name = callgate_initial_d_path(&exe->f_path, buf, size);
		if (IS_ERR(name))
			name = NULL;
	}
	path_put(&root);
	return name;
}

struct path_work {
	struct work_struct work;
	struct file *exe;
	char *buf;
	char *name;
};

static void path_worker(struct work_struct *work)
{
	struct path_work *job = container_of(work, struct path_work, work);

	job->name = initial_path(job->exe, job->buf, CALLGATE_PATH_MAX + 1);
}

static char *path_by_thread(struct file *exe, char *buf)
{
	struct path_work job = { .exe = exe, .buf = buf };

	if (current->flags & PF_KTHREAD)
		return initial_path(exe, buf, CALLGATE_PATH_MAX + 1);
	INIT_WORK_ONSTACK(&job.work, path_worker);
	queue_work(callgate_unbound_queue(), &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.name;
}

void callgate_path_of(struct file *exe, struct callgate_path *ret_path)
{
	callgate_path_none(ret_path);
	ret_path->name = whole_path(exe, ret_path->small, sizeof(ret_path->small));
	if (!ret_path->name) {
		ret_path->large = kmalloc(CALLGATE_PATH_MAX + 1, GFP_KERNEL);
		if (ret_path->large)
			ret_path->name = path_by_thread(exe, ret_path->large);
	}
	if (ret_path->name)
		ret_path->len = strlen(ret_path->name);
}
