// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is asking: the image of the current process, and what a process id or a
 * cgroup descriptor of the controller names.
 *
 * Keeps nothing but the cookie key. Decides nothing: verdict.c compares, grant.c
 * holds. Called by check.c and stream.c on the path, by netlink.c for commands
 * and by the workers that write events.
 *
 * An image is struct pid and self_exec_id, which end with the process and with
 * exec, not a number that is used again. Another process is read under its
 * exec_update_lock, so that credentials, executable and exec id belong to one
 * image; the lock is only tried, because its owner decides how long exec takes.
 */
#include "subject.h"

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/siphash.h>
#include <linux/stat.h>

#include "compat.h"

static siphash_key_t cookie_key __read_mostly;

void callgate_subject_init(void)
{
	get_random_bytes(&cookie_key, sizeof(cookie_key));
}

/* Never 0, so that 0 can mean none. */
static u64 make_cookie(u32 tgid, u64 start_time, u64 exec_id)
{
	return siphash_3u64(tgid, start_time, exec_id, &cookie_key) ?: 1;
}

void callgate_subject_current(struct callgate_image *image, bool cgroup)
{
	const struct cred *cred = current_cred();
	struct mm_struct *mm = current->mm;
	struct file *file;

	image->pid = task_tgid(current);
	image->exec_id = READ_ONCE(current->self_exec_id);
	image->uid = __kuid_val(cred->uid);
	image->euid = __kuid_val(cred->euid);
	image->suid = __kuid_val(cred->suid);
	image->user = mm && !(current->flags & PF_KTHREAD);
	image->exe = NULL;
	image->cgroup = 0;
	if (!image->user)
		return;

	rcu_read_lock();
	/*
	 * Where files are freed without a grace period the memory may belong
	 * to another file by now; then the pointer has changed too.
	 */
	do {
		file = rcu_dereference(mm->exe_file);
		image->exe = file ? READ_ONCE(file->f_inode) : NULL;
		smp_rmb(); /* reads the inode before it looks whose it was */
	} while (unlikely(file != rcu_access_pointer(mm->exe_file)));
	if (cgroup)
		image->cgroup = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
}

void callgate_who_current(struct callgate_who *who)
{
	u64 start_time;

	callgate_subject_current(&who->image, true);
	rcu_read_lock();
	start_time = READ_ONCE(current->group_leader)->start_boottime;
	who->pid = get_pid(task_tgid(current));
	rcu_read_unlock();
	who->cookie = make_cookie(pid_nr(who->pid), start_time, who->image.exec_id);
}

void callgate_who_copy(struct callgate_who *to, const struct callgate_who *from)
{
	*to = *from;
	get_pid(to->pid);
}

void callgate_who_put(struct callgate_who *who)
{
	put_pid(who->pid);
	who->pid = NULL;
}

/* The executable of a process, also when its first thread has exited. @ret_mm: what it belongs to, referenced too; or NULL. */
static struct file *task_exe(struct task_struct *leader, struct mm_struct **ret_mm)
{
	struct file *exe = NULL;
	struct task_struct *task;

	rcu_read_lock();
	for_each_thread(leader, task) {
		task_lock(task);
		if (task->mm && !(task->flags & PF_KTHREAD))
			exe = callgate_get_exe_file(task->mm);
		if (exe && ret_mm) {
			mmgrab(task->mm);
			*ret_mm = task->mm;
		}
		task_unlock(task);
		if (exe)
			break;
	}
	rcu_read_unlock();
	return exe;
}

static bool task_traced(struct task_struct *leader)
{
	struct task_struct *task;
	bool traced = false;

	rcu_read_lock();
	for_each_thread(leader, task)
		traced |= READ_ONCE(task->ptrace) != 0;
	rcu_read_unlock();
	return traced;
}

static bool leads(const struct task_struct *task, struct pid *pid)
{
	bool same;

	rcu_read_lock();
	same = pid_task(pid, PIDTYPE_TGID) == task;
	rcu_read_unlock();
	return same;
}

int callgate_subject_identify(u32 tgid, struct callgate_identity *ret_identity,
			      struct netlink_ext_ack *extack)
{
	struct callgate_identity found = { .tgid = tgid };
	struct task_struct *task;
	int err = -ESRCH;

	rcu_read_lock();
	found.pid = get_pid(find_pid_ns(tgid, &init_pid_ns));
	rcu_read_unlock();
	task = get_pid_task(found.pid, PIDTYPE_TGID);
	if (!task) {
		NL_SET_ERR_MSG(extack, "No process has this id");
		goto put_pid;
	}
	if (!down_read_trylock(&task->signal->exec_update_lock)) {
		NL_SET_ERR_MSG(extack, "The process is inside exec; ask again");
		err = -EAGAIN;
		goto put_task;
	}
	/* Before we had the lock a thread of it may have called exec, and the number is that thread's. */
	if (!leads(task, found.pid)) {
		NL_SET_ERR_MSG(extack, "The process has just called exec or ended; ask again");
		err = -EAGAIN;
		goto unlock;
	}
	found.exe = task_exe(task, &found.mm);
	if (!found.exe) {
		NL_SET_ERR_MSG(extack, "The process has exited or is a kernel thread");
		goto unlock;
	}
	found.exec_id = READ_ONCE(task->self_exec_id);
	found.start_time = task->start_boottime;
	found.cookie = make_cookie(tgid, found.start_time, found.exec_id);
	found.traced = task_traced(task);
	found.cred = get_task_cred(task);
	found.uid = __kuid_val(found.cred->uid);
	found.euid = __kuid_val(found.cred->euid);
	found.suid = __kuid_val(found.cred->suid);
	rcu_read_lock();
	found.cgroup = cgroup_id(task_dfl_cgroup(task));
	rcu_read_unlock();
	up_read(&task->signal->exec_update_lock);
	put_task_struct(task);
	*ret_identity = found;
	return 0;

unlock:
	up_read(&task->signal->exec_update_lock);
put_task:
	put_task_struct(task);
put_pid:
	put_pid(found.pid);
	return err;
}

void callgate_identity_put(struct callgate_identity *identity)
{
	put_pid(identity->pid);
	fput(identity->exe);
	mmdrop(identity->mm);
	put_cred(identity->cred);
}

static bool root_owned(const struct path *path)
{
	struct kstat stat;

	/* Refreshes the inode too, which another mount of the hierarchy may have changed. */
	if (vfs_getattr(path, &stat, STATX_UID | STATX_MODE, AT_STATX_SYNC_AS_STAT))
		return false;
	return uid_eq(stat.uid, GLOBAL_ROOT_UID) &&
	       uid_eq(d_inode(path->dentry)->i_uid, GLOBAL_ROOT_UID) && !(stat.mode & 0022);
}

struct cgroup *callgate_subject_cgroup(u32 fd, struct netlink_ext_ack *extack)
{
	/* Whoever may write to one of these moves processes or threads in. */
	static const char *const doors[] = { "cgroup.procs", "cgroup.threads" };
	struct file *file = fget_raw(fd);
	struct cgroup *cgroup;
	struct path path;
	bool safe;
	int err;
	int i;

	if (!file) {
		NL_SET_ERR_MSG(extack, "The cgroup descriptor is not open");
		return ERR_PTR(-EBADF);
	}
	if (file_inode(file)->i_sb->s_magic != CGROUP2_SUPER_MAGIC ||
	    !d_is_dir(file_dentry(file))) {
		NL_SET_ERR_MSG(extack, "Not a directory of the unified cgroup hierarchy");
		err = -EINVAL;
		goto put_file;
	}
	cgroup = cgroup_get_from_fd(fd);
	if (IS_ERR(cgroup)) {
		NL_SET_ERR_MSG(extack, "The cgroup is gone");
		err = PTR_ERR(cgroup);
		goto put_file;
	}
	err = -EPERM;
	if (cgroup_id(cgroup) != file_inode(file)->i_ino) {
		NL_SET_ERR_MSG(extack, "The cgroup descriptor changed meanwhile");
		goto put_cgroup;
	}
	safe = root_owned(&file->f_path);
	for (i = 0; safe && i < ARRAY_SIZE(doors); i++) {
		/* By dentry: a file mounted over the door says nothing about the door. */
		path.mnt = file->f_path.mnt;
		path.dentry = callgate_lookup(doors[i], file->f_path.dentry);
		if (IS_ERR(path.dentry)) {
			NL_SET_ERR_MSG(extack, "Cannot look at the cgroup's control files");
			err = PTR_ERR(path.dentry);
			goto put_cgroup;
		}
		safe = root_owned(&path);
		dput(path.dentry);
	}
	if (!safe) {
		NL_SET_ERR_MSG(
			extack,
			"Root does not own the cgroup, so its user could move any program in");
		err = -EPERM;
		goto put_cgroup;
	}
	fput(file);
	return cgroup;

put_cgroup:
	cgroup_put(cgroup);
put_file:
	fput(file);
	return ERR_PTR(err);
}

/* The executable of @who, as long as it is the same image; or NULL. */
static struct file *who_exe(const struct callgate_who *who)
{
	struct task_struct *task;
	struct file *exe = NULL;

	/* It cannot be in exec meanwhile: another thread of it, there, waits until this one has ended. */
	if (who->pid == task_tgid(current) && who->image.user &&
	    who->image.exec_id == READ_ONCE(current->self_exec_id))
		return callgate_get_exe_file(current->mm);
	task = get_pid_task(who->pid, PIDTYPE_TGID);
	if (!task)
		return NULL;
	if (down_read_trylock(&task->signal->exec_update_lock)) {
		if (READ_ONCE(task->self_exec_id) == who->image.exec_id)
			exe = task_exe(task, NULL);
		up_read(&task->signal->exec_update_lock);
	}
	put_task_struct(task);
	return exe;
}

void callgate_who_path(const struct callgate_who *who, struct callgate_path *ret_path)
{
	struct file *exe = who_exe(who);

	callgate_path_none(ret_path);
	if (exe) {
		callgate_path_of(exe, ret_path);
		fput(exe);
	}
}
