// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verb doctor: looks for what keeps the gate from denying or a call from
 * working, and says what to do about it. Reads only. Each finding is one line; a
 * check that cannot be made says so and counts as a finding.
 */
#include "callgatectl.h"
#include "callgatectl-show.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/videodev2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef CALLGATE_AGENT_TTY
#define CALLGATE_AGENT_TTY "/usr/libexec/callgate-agent-tty"
#endif
#define AGENT_GROUP "callgate-agent"
#define YAMA	    "/proc/sys/kernel/yama/ptrace_scope"
#define LOCKDOWN    "/sys/kernel/security/lockdown"
#define ENFORCED    "/sys/module/module/parameters/sig_enforce"
/* Of a user whose path has no folders of the administrator's. */
#define SIGNER	    "PATH=$PATH:/usr/sbin:/sbin modinfo -F signer callgate 2>/dev/null"

struct doctor {
	bool json;
	int findings, lines;
};

static void tell(struct doctor *doctor, bool good, const char *check, const char *what,
		 const char *todo)
{
	doctor->findings += !good;
	if (doctor->json) {
		printf("%s{\"check\": \"%s\", \"ok\": %s, \"what\": ", doctor->lines ? ", " : "",
		       check, good ? "true" : "false");
		print_json_text(stdout, what);
		fputs(", \"do\": ", stdout);
		print_json_text(stdout, good ? "" : todo);
		putchar('}');
	} else {
		printf("%s  %s: ", good ? "ok  " : "BAD ", check);
		print_text(stdout, what);
		putchar('\n');
		if (!good) {
			fputs("      do: ", stdout);
			print_text(stdout, todo);
			putchar('\n');
		}
	}
	doctor->lines++;
}

/* Where DKMS and `make install` put it. */
static bool module_built(const char *release)
{
	static const char *const folders[] = { "updates/dkms", "updates", "extra" };
	static const char *const ends[] = { "", ".xz", ".zst", ".gz" };
	char path[256];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++) {
			snprintf(path, sizeof(path), "/lib/modules/%s/%s/callgate.ko%s", release,
				 folders[i], ends[j]);
			if (access(path, F_OK) == 0)
				return true;
		}
	return false;
}

static bool first_line(FILE *file, char *ret, size_t size)
{
	bool found = file && fgets(ret, (int)size, file);

	if (found)
		ret[strcspn(ret, "\n")] = '\0';
	return found && ret[0] != '\0';
}

static bool file_says(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char line[160];
	bool found = first_line(file, line, sizeof(line)) && strstr(line, word);

	if (file)
		fclose(file);
	return found;
}

/* Secure Boot locks a kernel down; somebody may have told it so without. */
static bool wants_signature(void)
{
	return file_says(LOCKDOWN, "[integrity]") || file_says(LOCKDOWN, "[confidentiality]") ||
	       file_says(ENFORCED, "Y");
}

static void tell_refused(struct doctor *doctor)
{
	char what[400], signer[200];
	FILE *file = popen(SIGNER, "re");
	bool is_signed = first_line(file, signer, sizeof(signer));

	if (file)
		pclose(file);
	if (!is_signed) {
		tell(doctor, false, "module",
		     "callgate is not signed, and this kernel takes signed modules only (Secure Boot): nothing is denied",
		     "as root: dkms build --force callgate, which signs; without DKMS: scripts/sign-file of the kernel's "
		     "headers, with a key that is enrolled; see doc/install.md, Secure Boot");
		return;
	}
	snprintf(
		what, sizeof(what),
		"callgate is not loaded: nothing is denied. This kernel takes only modules whose key is enrolled (Secure "
		"Boot), and '%s' signed it",
		signer);
	tell(doctor, false, "module", what,
	     "as root: mokutil --import /var/lib/dkms/mok.pub, choose a password, start the machine again, Enroll MOK; "
	     "mokutil --test-key says whether it is enrolled. If it is: modprobe callgate, and dmesg says why not");
}

static bool check_module(struct doctor *doctor)
{
	char what[160], todo[256];
	struct utsname name;

	if (access("/sys/module/callgate", F_OK) == 0) {
		tell(doctor, true, "module", "callgate is loaded", "");
		return true;
	}
	uname(&name);
	if (module_built(name.release)) {
		if (wants_signature())
			tell_refused(doctor);
		else
			tell(doctor, false, "module",
			     "callgate is not loaded: nothing is denied on this machine",
			     "as root: modprobe callgate; if that is refused, dmesg says why");
		return false;
	}
	snprintf(what, sizeof(what), "callgate is not built for this kernel, %s: nothing is denied",
		 name.release);
	snprintf(
		todo, sizeof(todo),
		"as root: apt install linux-headers-%s callgate-dkms, or, from the source: make install "
		"KERNEL=%s",
		name.release, name.release);
	tell(doctor, false, "module", what, todo);
	return false;
}

/* What is not understood is told by `policy check`, which reads the files itself. */
static void check_policy(struct doctor *doctor, const char *policy)
{
	if (!strcmp(policy, "loaded"))
		tell(doctor, true, "policy", "the rules are understood", "");
	else if (!strcmp(policy, "old"))
		tell(doctor, false, "policy",
		     "the files were changed and are not understood; the rules before are in force",
		     "callgatectl policy check; as root: systemctl reload callgate");
	else
		tell(doctor, false, "policy", "the rules are not understood: no call is allowed",
		     "callgatectl policy check; as root: systemctl reload callgate");
}

/* Root's agent, were there one, approves root's calls only. */
static void check_registered(struct doctor *doctor, const struct client_dict *manager)
{
	const struct client_field *agent = client_find(manager, "Agent");

	if (!agent || geteuid() == 0)
		return;
	tell(doctor, agent->number, "asking",
	     agent->number ? "an agent of yours is there to ask you"
			   : "no agent of yours is registered: nothing can be approved",
	     "start 'callgatectl agent' on a text console, or callgate-agent in a graphical session");
}

static void check_gate(struct doctor *doctor, struct client *client, bool module)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_dict manager = { 0 };
	const char *gate;

	if (show_properties(client, CLIENT_ROOT, CLIENT_MANAGER, &manager, &error) < 0) {
		tell(doctor, false, "gate",
		     error.name ? ctl_message(&error) : "the daemon does not say",
		     "systemctl status callgate");
		sd_bus_error_free(&error);
		return;
	}
	gate = client_text(&manager, "Gate");
	if (!strcmp(gate, "present"))
		tell(doctor, true, "gate", "it denies capture outside approved calls", "");
	else if (!strcmp(gate, "permissive"))
		tell(doctor, false, "gate", "it is permissive: it reports and denies nothing",
		     "as root: callgatectl enforce");
	else
		tell(doctor, false, "gate",
		     module ? "the daemon does not hold it: nothing can be granted"
			    : "absent: nothing is denied and nothing can be granted",
		     module ? "as root: systemctl restart callgate"
			    : "load the module, then restart the daemon");
	if (client_find(&manager, "Policy"))
		check_policy(doctor, client_text(&manager, "Policy"));
	check_registered(doctor, &manager);
	client_dict_clear(&manager);
}

/* A sound card's node has a number behind it for each of its substreams. */
static bool gated(const struct client_list *devices, const char *node)
{
	size_t n = strlen(node);

	for (size_t i = 0; i < devices->n; i++) {
		const char *known = client_text(&devices->items[i], "Node");

		if (!strncmp(known, node, n) && (known[n] == '\0' || known[n] == '/'))
			return true;
	}
	return false;
}

/* A node that says that frames come out of it. One that cannot be opened is not looked at. */
static bool is_camera(const char *node)
{
	struct v4l2_capability caps = { .device_caps = 0 };
	char path[300];
	int fd, r;

	snprintf(path, sizeof(path), "/dev/%s", node);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	r = ioctl(fd, VIDIOC_QUERYCAP, &caps);
	close(fd);
	return r == 0 &&
	       (caps.device_caps & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)) != 0;
}

static void look_in(struct doctor *doctor, const char *folder, const struct client_list *devices,
		    unsigned *ret_seen)
{
	struct dirent *entry;
	char what[400];
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		size_t n = strlen(name);
		bool pcm = !strncmp(name, "pcmC", 4) && name[n - 1] == 'c';

		if (!pcm && (strncmp(name, "video", 5) || !is_camera(name)))
			continue;
		++*ret_seen;
		if (gated(devices, name))
			continue;
		snprintf(what, sizeof(what), "/dev/%s%s captures past the gate", pcm ? "snd/" : "",
			 name);
		tell(doctor, false, "devices", what,
		     "report it with the driver's name; as root, modprobe -r callgate and modprobe callgate may help");
	}
	if (dir)
		closedir(dir);
}

static void check_devices(struct doctor *doctor, struct client *client)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct client_list devices = { 0 };
	int before = doctor->findings;
	unsigned seen = 0;
	char what[80];

	if (client_fetch(client, "ListDevices", &devices, &error) < 0) {
		tell(doctor, false, "devices", "the daemon does not list them",
		     "systemctl status callgate");
		sd_bus_error_free(&error);
		return;
	}
	look_in(doctor, "/sys/class/video4linux", &devices, &seen);
	look_in(doctor, "/sys/class/sound", &devices, &seen);
	snprintf(what, sizeof(what), "%u capture devices, each behind the gate", seen);
	if (doctor->findings == before)
		tell(doctor, true, "devices", what, "");
	client_list_clear(&devices);
}

static void check_agent(struct doctor *doctor)
{
	const struct group *group = getgrnam(AGENT_GROUP);
	struct stat st;

	if (!group)
		tell(doctor, false, "agent",
		     "there is no group " AGENT_GROUP ": nobody can approve a call",
		     "as root: systemd-sysusers, or groupadd -r " AGENT_GROUP
		     ", then install again");
	else if (stat(CALLGATE_AGENT_TTY, &st) < 0)
		tell(doctor, false, "agent", CALLGATE_AGENT_TTY " is not installed",
		     "install Callgate again");
	else if (st.st_uid != 0 || st.st_gid != group->gr_gid || (st.st_mode & 02022) != 02000)
		tell(doctor, false, "agent",
		     CALLGATE_AGENT_TTY " does not run with its group: it cannot register",
		     "as root: chgrp " AGENT_GROUP " " CALLGATE_AGENT_TTY
		     " && chmod 2755 " CALLGATE_AGENT_TTY);
	else
		tell(doctor, true, "agent", CALLGATE_AGENT_TTY " is setgid to its group", "");
}

static bool is_unified(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static void check_system(struct doctor *doctor)
{
	FILE *file = fopen(YAMA, "re");
	int scope = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	tell(doctor, is_unified("/sys/fs/cgroup") || is_unified("/sys/fs/cgroup/unified"), "cgroup",
	     "control groups of version 2, which callgatectl call needs",
	     "mount the unified hierarchy: systemd.unified_cgroup_hierarchy=1 on the kernel's command line");
	tell(doctor, scope >= '1' && scope <= '3', "ptrace",
	     scope >= '1' && scope <= '3'
		     ? "programs cannot read each other's memory"
		     : "any program of yours can read the memory of one that captures",
	     "as root: echo kernel.yama.ptrace_scope=1 >/etc/sysctl.d/50-callgate.conf && sysctl --system");
}

/* The version of the library that the server is linked with, if there is a server. */
static bool pipewire_version(int *ret_major, char *ret_text, size_t size)
{
	FILE *file = popen("pipewire --version 2>/dev/null", "re");
	char line[256];
	bool found = false;

	while (file && fgets(line, sizeof(line), file)) {
		const char *version = strstr(line, "Linked with libpipewire ");

		if (!version)
			continue;
		version += strlen("Linked with libpipewire ");
		found = sscanf(version, "%d.", ret_major) == 1;
		snprintf(ret_text, size, "%.*s", (int)strcspn(version, "\n"), version);
	}
	if (file)
		pclose(file);
	return found;
}

static void check_pipewire(struct doctor *doctor)
{
	char version[32], what[160];
	int major;

	if (!pipewire_version(&major, version, sizeof(version)))
		return;
	snprintf(
		what, sizeof(what),
		major >= 1
			? "version %s hides cameras and microphones from clients without a call"
			: "version %s cannot hide devices from its clients, so capture through it is denied as a whole",
		version);
	tell(doctor, major >= 1, "pipewire", what,
	     "upgrade PipeWire to 1.0 or later, or use programs that capture without it");
}

int verb_doctor(const struct ctl_request *request)
{
	struct doctor doctor = { .json = request->json };
	struct client client = { 0 };
	bool module;

	if (doctor.json)
		putchar('[');
	module = check_module(&doctor);
	if (client_open(&client) < 0) {
		tell(&doctor, false, "daemon", "there is no system bus to reach it on",
		     "as root: systemctl start dbus");
	} else if (client_follow(&client) < 0 || !client.owner) {
		tell(&doctor, false, "daemon", "callgated does not run: nothing can be granted",
		     "as root: systemctl enable --now callgate; journalctl -u callgate says why not");
	} else {
		tell(&doctor, true, "daemon", "callgated runs", "");
		check_gate(&doctor, &client, module);
		check_devices(&doctor, &client);
	}
	client_close(&client);
	check_agent(&doctor);
	check_system(&doctor);
	check_pipewire(&doctor);
	if (doctor.json)
		puts("]");
	return doctor.findings ? CTL_FAILED : CTL_OK;
}
