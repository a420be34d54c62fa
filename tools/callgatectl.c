// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * callgatectl: the verb table, the command line, and how failures are told.
 * Must not speak to the daemon beyond connecting; each verb has its own file.
 * Holds no privilege: whatever it may do, any program of the user may do.
 */
#include "callgatectl.h"

#include "bounds.h"
#include "carriage.h"
#include "plain.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TAKES_JSON = 1 << 0,
	TAKES_ALL = 1 << 1,
	TAKES_KINDS = 1 << 2,
	TAKES_CALL = 1 << 3, /* --via, --as and a command */
	TAKES_SEND = 1 << 4,
	TAKES_RECEIVE = 1 << 5,
	TAKES_TTY = 1 << 6,
	TAKES_KEY = 1 << 7, /* what seal and unseal take */
	TAKES_YES = 1 << 8,
	TAKES_REPLACE = 1 << 9,
	TAKES_UNLOCK = 1 << 10, /* --passphrase-fd and --anchor */
	TAKES_HISTORY = 1 << 11,
	TAKES_POLICY = 1 << 12, /* --app, --rules, --kind, --peer */
	TAKES_USER = 1 << 13,
	TAKES_APPS = 1 << 14,
	TAKES_COMMAND = 1 << 15, /* without a call */
};

struct verb {
	const char *name, *arguments, *summary;
	int least, most; /* arguments */
	unsigned takes;
	int (*run)(const struct ctl_request *request);
	const char *help;
};

#define KEY_HELP                                                                                        \
	"      --key FILE    the session's media keys, as MediaKeys gives them: records of 38 bytes\n"  \
	"      --key-fd N    the same from descriptor N, a pipe for example\n"                          \
	"      --direction caller|answerer     whose media it is; may be left out where one key fits\n" \
	"      --kind microphone|camera|both   what it is; the same\n"

#define TELL_HELP                                                                                   \
	"      --tell-programs  tell the other side which programs here had camera or microphone\n" \
	"                    meanwhile, and how long\n"

static const struct verb verbs[] = {
	{ "status", "", "what captures now, for whom, since when", 0, 0, TAKES_JSON, verb_status,
	  "Shows whether the kernel's gate is present, what you blocked, what captures now, and your calls.\n" },
	{ "devices", "", "the cameras and microphones behind the gate", 0, 0, TAKES_JSON,
	  verb_devices,
	  "Lists the capture devices that the gate knows. A device that is missing here is not gated.\n" },
	{ "sessions", "", "your calls", 0, 0, TAKES_JSON, verb_sessions,
	  "Lists your calls with their state, peer, and what may be captured at this moment.\n" },
	{ "peers", "[rename NAME NEW | forget NAME | verify NAME [FINGERPRINT]]",
	  "the people you know", 0, 3, TAKES_JSON, verb_peers,
	  "Without an argument lists the peers whose keys are remembered. Changes are confirmed at your agent:\n"
	  "  rename NAME NEW            give a peer another name\n"
	  "  forget NAME                forget a peer and its keys; the next call asks as if new\n"
	  "  verify NAME [FINGERPRINT]  say that you compared this key with its owner\n" },
	{ "identity", "export FILE | import FILE [--replace]", "move to another machine", 2, 2,
	  TAKES_JSON | TAKES_REPLACE, verb_identity,
	  "Carries you to another machine: your key, by which people know you, and theirs. Your agent asks for a\n"
	  "passphrase, under which the file is sealed. Choose it well: it is all that keeps who finds the file from\n"
	  "calling as you.\n"
	  "  export FILE    write a new file\n"
	  "  import FILE    take it as your identity on this machine\n"
	  "      --replace     even if the one that is here knows people; they are lost, so export it first\n" },
	{ "block", "[camera] [microphone] [speaker]", "capture nothing in any call, at once", 0, 3,
	  TAKES_JSON, verb_block,
	  "Ends all capture of the named kinds (all when none is named) in your calls, until `unblock`.\n" },
	{ "unblock", "[camera] [microphone] [speaker]", "lift a block; your agent asks", 0, 3,
	  TAKES_JSON, verb_unblock,
	  "Lifts `block` for the named kinds (all when none is named), after you confirmed it at your agent.\n" },
	{ "local", "[--camera] [--microphone] -- CMD [ARG...]",
	  "capture outside a call; your agent asks", 0, 0, TAKES_KINDS | TAKES_COMMAND, verb_local,
	  "Runs CMD once you allowed that it captures outside a call, for as long as your agent says at most. It is\n"
	  "not encrypted and with nobody. Denied, unless the administrator lets you be asked ([local] in\n"
	  "callgate.conf, or local = ask in a rule).\n"
	  "      --camera      CMD uses the camera\n"
	  "      --microphone  CMD uses the microphone\n" },
	{ "retry", "", "be asked again after a no; your agent asks", 0, 0, TAKES_JSON, verb_retry,
	  "What you said no to is not asked about again for a while, so that a program cannot ask until you are\n"
	  "tired of it. This ends that, after you confirmed it at your agent.\n" },
	{ "end", "SESSION | --all | --user USER", "end a call", 0, 1,
	  TAKES_JSON | TAKES_ALL | TAKES_USER, verb_end,
	  "SESSION is what `sessions` shows in its first column, or the whole object path.\n"
	  "      --all         every call of yours\n"
	  "      --user USER   every call of this user; for root, and whoever polkit authorises\n" },
	{ "enforce", "[--yes]", "deny capture outside calls from now on", 0, 0,
	  TAKES_JSON | TAKES_YES, verb_enforce,
	  "Shows which programs captured outside a call since the daemon started, asks, and makes the gate enforce, now\n"
	  "and after each start. For root, and whoever polkit authorises.\n"
	  "      --yes         do not ask\n" },
	{ "permissive", "", "only report capture outside calls", 0, 0, TAKES_JSON, verb_permissive,
	  "Makes the gate report what it would deny, and deny nothing, now and after each start. For root, and whoever\n"
	  "polkit authorises. Where the daemon does not run, start the machine with callgate.permissive=1 on the\n"
	  "kernel's command line.\n" },
	{ "policy", "check [FILE...] | explain --app APP [OPTION...] | reload",
	  "what the administrator decided", 1, BOUND_RULE_FILES + 1,
	  TAKES_JSON | TAKES_POLICY | TAKES_USER, verb_policy,
	  "  check [FILE...]  say whether the files are understood, and where not; without FILE, those in place\n"
	  "  explain          say for each kind which rule decides, and why\n"
	  "      --app APP     the program's path, or the label that a question shows\n"
	  "      --kind none|microphone|camera|both|speaker    what it asks for (both)\n"
	  "      --user USER   name or number (you)\n"
	  "      --peer unknown|pinned|verified        what is known of the other side (unknown)\n"
	  "      --rules DIR   instead of /etc/callgate/policy.d\n"
	  "  reload           have the daemon read configuration and rules anew; calls go on\n"
	  "Rules are explained in callgate.conf(5).\n" },
	{ "metrics", "[--apps]", "counts and durations, for monitoring", 0, 0, TAKES_APPS,
	  verb_metrics,
	  "Prints, as OpenMetrics text, how many calls, questions, captures and denials there were since the daemon\n"
	  "started, and how long they took: of all users, never with whom. For root, and whoever polkit authorises.\n"
	  "      --apps        also for each program\n" },
	{ "doctor", "", "find what is wrong, and what to do about it", 0, 0, TAKES_JSON,
	  verb_doctor,
	  "Looks at module, daemon, gate, devices, agent and system; exits with 1 if anything has to be done.\n" },
	{ "monitor", "", "print events as they come", 0, 0, TAKES_JSON, verb_monitor,
	  "Prints calls, captures that start and stop, and denials, until interrupted.\n" },
	{ "agent", "", "answer questions on this terminal", 0, 0, TAKES_TTY, verb_agent,
	  "Becomes callgate-agent-tty(1), which asks you on this terminal before anything is captured.\n"
	  "      --tty DEVICE  ask on another terminal\n" },
	{ "history", "[anchor | setup | passphrase | forget WHAT | export FILE]",
	  "your private call history", 0, 2, TAKES_JSON | TAKES_ALL | TAKES_UNLOCK | TAKES_HISTORY,
	  verb_history,
	  "Without an argument shows what was recorded of your calls and of denied attempts.\n"
	  "  anchor        print where the history stands; keep it elsewhere, give it to --anchor later\n"
	  "  setup         make your key, and have the history sealed to it\n"
	  "  passphrase    put your key under a passphrase\n"
	  "  forget        forget whole days, or a peer\n"
	  "  export FILE   write all that is stored, signed in FILE.sig\n"
	  "      --csv                for spreadsheets\n"
	  "      --anchor ANCHOR      compare with it: status 6 when something was changed\n"
	  "      --before YYYY-MM-DD  forget: the days before this one\n"
	  "      --peer NAME          forget: the calls with a contact, or with a pseudonym as shown\n"
	  "      --all                forget: everything; needs no key\n"
	  "      --passphrase         setup: ask for a passphrase\n"
	  "      --secret-service     setup, passphrase: one that the desktop's Secret Service keeps\n"
	  "      --passphrase-fd N    read the passphrase from descriptor N; for a new one, the next line\n" },
	{ "report", "[FILE]", "write a page about what was captured", 0, 1, TAKES_UNLOCK,
	  verb_report,
	  "Writes FILE (callgate-report.html), which needs nothing else to be shown, and prints a summary.\n"
	  "      --anchor ANCHOR      compare with it\n"
	  "      --passphrase-fd N    read the passphrase from descriptor N\n" },
	{ "call", "CONTACT [--camera] [--microphone] [--speaker] --via ADDRESS -- CMD [ARG...]",
	  "call somebody, with CMD capturing", 1, 1,
	  TAKES_JSON | TAKES_KINDS | TAKES_CALL | TAKES_RECEIVE, verb_call,
	  "Asks you, calls CONTACT through the relay, and once the call is live starts CMD, which alone may then\n"
	  "capture. What CMD writes is sealed and sent. CMD's standard input is empty. CONTACT is the name by which\n"
	  "you will know the other side; its key is remembered under it.\n"
	  "      --camera      CMD uses the camera\n"
	  "      --microphone  CMD uses the microphone\n"
	  "      --speaker     CMD hears what is played here, the other side too (through PipeWire only)\n"
	  "      --via ADDRESS the relay: tcp:HOST:PORT or unix:PATH\n"
	  "      --as NAME     what the other side is told that you are called\n"
	  "      --receive     also give CMD what the other side sends, at its standard input\n" TELL_HELP
	  "\n"
	  "The first call, step by step:\n"
	  "  1. Both: keep your agent open on a text console of its own; it asks you everything. In a terminal\n"
	  "     window it may only where callgate.conf says so:\n"
	  "       callgatectl agent\n"
	  "  2. A relay, on any machine that both reach. It only carries bytes and need not be trusted:\n"
	  "       socat TCP-LISTEN:4000 TCP-LISTEN:4001\n"
	  "  3. The other side:\n"
	  "       callgatectl answer --microphone --via tcp:relay.example:4000 -- ffplay -\n"
	  "  4. You:\n"
	  "       callgatectl call bob --microphone --via tcp:relay.example:4001 -- \\\n"
	  "           ffmpeg -nostdin -f alsa -i default -f matroska -\n"
	  "  5. Both: type \"allow\" at your agent. Read the nine digits to each other, best over a telephone, and\n"
	  "     type \"matches\" if they are the same. From then on you know each other's key.\n\n" },
	{ "answer", "[--camera] [--microphone] --via ADDRESS -- CMD [ARG...]",
	  "wait for one call and give it to CMD", 0, 0,
	  TAKES_JSON | TAKES_KINDS | TAKES_CALL | TAKES_SEND, verb_answer,
	  "Waits at the relay for one call, asks you, and once the call is live starts CMD with what the other side\n"
	  "sends at its standard input.\n"
	  "      --camera      the call is about the camera\n"
	  "      --microphone  the call is about the microphone\n"
	  "      --via ADDRESS the relay: tcp:HOST:PORT or unix:PATH\n"
	  "      --as NAME     what the other side is told that you are called\n"
	  "      --send        also send what CMD writes; CMD may then capture\n" TELL_HELP
	  "Example: callgatectl answer --microphone --via tcp:relay.example:4000 -- ffplay -\n" },
	{ "seal", "--key FILE | --key-fd N [OPTION...]", "seal media from a pipe to a pipe", 0, 0,
	  TAKES_KEY, verb_seal,
	  "Seals what comes at standard input, frame by frame (RFC 9605), under a media key of a live call. A frame is\n"
	  "its length (32 bits, big-endian) and at most 4194304 bytes. A key seals one stream: in a file it is\n"
	  "erased before the first frame, so give a copy of the file to nobody who seals.\n" KEY_HELP
	  "      --stream      take any bytes, not frames, and mark where they end\n"
	  "Example: ffmpeg ... -f matroska - | callgatectl seal --stream --key keys --direction caller --kind both >out\n" },
	{ "unseal", "--key FILE | --key-fd N [OPTION...]", "open media that `seal` sealed", 0, 0,
	  TAKES_KEY, verb_unseal,
	  "Opens what `seal` wrote. The first frame that was changed, repeated, or sealed under another key ends it\n"
	  "with status 6; nothing of that frame is written.\n" KEY_HELP
	  "      --stream      what was sealed with --stream; a missing frame or end is an error then\n"
	  "Example: callgatectl unseal --stream --key keys --direction caller --kind both <out | ffplay -\n" },
};

static const int n_verbs = sizeof(verbs) / sizeof(verbs[0]);

void ctl_complain(const char *format, ...)
{
	char text[1024], *clean;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clean = plain_copy(text);
	fprintf(stderr, "callgatectl: %s\n", clean ? clean : "out of memory");
	free(clean);
}

static const struct {
	const char *name;
	int exit;
} exits[] = {
	{ CLIENT_ERROR "Denied", CTL_DENIED },
	{ CLIENT_ERROR "Blocked", CTL_DENIED },
	{ CLIENT_ERROR "NoAgent", CTL_ABSENT },
	{ CLIENT_ERROR "GateAbsent", CTL_ABSENT },
	{ CLIENT_ERROR "NotLive", CTL_ENDED },
	{ SD_BUS_ERROR_SERVICE_UNKNOWN, CTL_ABSENT },
	{ SD_BUS_ERROR_NAME_HAS_NO_OWNER, CTL_ABSENT },
	{ SD_BUS_ERROR_NO_REPLY, CTL_ABSENT },
	{ SD_BUS_ERROR_DISCONNECTED, CTL_ABSENT },
};

int ctl_exit_for(int r, const sd_bus_error *error)
{
	if (error && error->name)
		for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
			if (!strcmp(error->name, exits[i].name))
				return exits[i].exit;
	return CTL_FAILED;
}

const char *ctl_message(const sd_bus_error *error)
{
	return error->message && *error->message ? error->message : error->name;
}

int ctl_explain(const char *what, int r, const sd_bus_error *error)
{
	int code = ctl_exit_for(r, error);

	if (error && error->name && !strncmp(error->name, CLIENT_ERROR, strlen(CLIENT_ERROR)))
		ctl_complain("%s: %s", what, ctl_message(error));
	else if (code == CTL_ABSENT)
		ctl_complain(
			"%s: callgated does not answer; is it running? (systemctl status callgate)",
			what);
	else if (error && error->name)
		ctl_complain("%s: %s", what, ctl_message(error));
	else
		ctl_complain("%s: %s", what, strerror(-r));
	return code;
}

int ctl_connect(struct client *client)
{
	int r = client_open(client);

	if (r < 0) {
		ctl_complain("cannot connect to the system bus (%s); is dbus running?",
			     strerror(-r));
		return CTL_ABSENT;
	}
	r = client_follow(client);
	if (r < 0) {
		ctl_complain("cannot follow callgated on the system bus: %s", strerror(-r));
		return CTL_FAILED;
	}
	if (!client->owner) {
		ctl_complain(
			"callgated does not run, so nothing can be captured in a call; start it: "
			"systemctl start callgate");
		return CTL_ABSENT;
	}
	return CTL_OK;
}

static void help_all(FILE *out)
{
	fputs("Usage: callgatectl VERB [OPTION...] [ARGUMENT...]\n\n"
	      "Shows and steers Callgate, which keeps cameras and microphones shut outside approved calls.\n\n",
	      out);
	for (int i = 0; i < n_verbs; i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n      --json     for programs (all verbs but agent, metrics, report, seal, unseal)\n"
	      "      --help     this text, or with a verb that verb's\n"
	      "      --version  the version of Callgate\n\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 you said no, 4 daemon, gate or agent absent,\n"
	      "5 the call was ended by the other side or lapsed, 6 a frame or record was not genuine. See callgatectl(1).\n",
	      out);
}

static void help_verb(FILE *out, const struct verb *verb)
{
	fprintf(out, "Usage: callgatectl %s %s\n\n%s", verb->name, verb->arguments, verb->help);
	if (verb->takes & TAKES_JSON)
		fputs("      --json        for programs\n", out);
}

static int usage(const struct verb *verb, const char *what, const char *which)
{
	ctl_complain("%s%s%s; see callgatectl %s%s--help", what, which ? ": " : "",
		     which ? which : "", verb ? verb->name : "", verb ? " " : "");
	return CTL_USAGE;
}

enum {
	OPT_JSON = 256,
	OPT_ALL,
	OPT_CAMERA,
	OPT_MICROPHONE,
	OPT_SPEAKER,
	OPT_VIA,
	OPT_AS,
	OPT_SEND,
	OPT_RECEIVE,
	OPT_TELL_PROGRAMS,
	OPT_TTY,
	OPT_KEY,
	OPT_KEY_FD,
	OPT_DIRECTION,
	OPT_KIND,
	OPT_STREAM,
	OPT_YES,
	OPT_REPLACE,
	OPT_CSV,
	OPT_BEFORE,
	OPT_PEER,
	OPT_ANCHOR,
	OPT_PASSPHRASE,
	OPT_PASSPHRASE_FD,
	OPT_APP,
	OPT_USER,
	OPT_RULES,
	OPT_SECRET_SERVICE,
	OPT_APPS,
};

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "camera", no_argument, NULL, OPT_CAMERA },
	{ "microphone", no_argument, NULL, OPT_MICROPHONE },
	{ "speaker", no_argument, NULL, OPT_SPEAKER },
	{ "via", required_argument, NULL, OPT_VIA },
	{ "as", required_argument, NULL, OPT_AS },
	{ "send", no_argument, NULL, OPT_SEND },
	{ "receive", no_argument, NULL, OPT_RECEIVE },
	{ "tell-programs", no_argument, NULL, OPT_TELL_PROGRAMS },
	{ "tty", required_argument, NULL, OPT_TTY },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "key-fd", required_argument, NULL, OPT_KEY_FD },
	{ "direction", required_argument, NULL, OPT_DIRECTION },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "stream", no_argument, NULL, OPT_STREAM },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "replace", no_argument, NULL, OPT_REPLACE },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "before", required_argument, NULL, OPT_BEFORE },
	{ "peer", required_argument, NULL, OPT_PEER },
	{ "anchor", required_argument, NULL, OPT_ANCHOR },
	{ "passphrase", no_argument, NULL, OPT_PASSPHRASE },
	{ "passphrase-fd", required_argument, NULL, OPT_PASSPHRASE_FD },
	{ "app", required_argument, NULL, OPT_APP },
	{ "user", required_argument, NULL, OPT_USER },
	{ "rules", required_argument, NULL, OPT_RULES },
	{ "secret-service", no_argument, NULL, OPT_SECRET_SERVICE },
	{ "apps", no_argument, NULL, OPT_APPS },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static unsigned option_flag(int option)
{
	switch (option) {
	case OPT_JSON:
		return TAKES_JSON;
	case OPT_ALL:
		return TAKES_ALL;
	case OPT_YES:
		return TAKES_YES;
	case OPT_CAMERA:
	case OPT_MICROPHONE:
	case OPT_SPEAKER:
		return TAKES_KINDS;
	case OPT_VIA:
	case OPT_AS:
	case OPT_TELL_PROGRAMS:
		return TAKES_CALL;
	case OPT_SEND:
		return TAKES_SEND;
	case OPT_RECEIVE:
		return TAKES_RECEIVE;
	case OPT_TTY:
		return TAKES_TTY;
	case OPT_KEY:
	case OPT_KEY_FD:
	case OPT_DIRECTION:
	case OPT_STREAM:
		return TAKES_KEY;
	case OPT_KIND:
		return TAKES_KEY | TAKES_POLICY;
	case OPT_USER:
		return TAKES_USER;
	case OPT_APPS:
		return TAKES_APPS;
	case OPT_APP:
	case OPT_RULES:
		return TAKES_POLICY;
	case OPT_REPLACE:
		return TAKES_REPLACE;
	case OPT_CSV:
	case OPT_PEER:
		return TAKES_HISTORY | TAKES_POLICY;
	case OPT_BEFORE:
	case OPT_PASSPHRASE:
	case OPT_SECRET_SERVICE:
		return TAKES_HISTORY;
	case OPT_ANCHOR:
	case OPT_PASSPHRASE_FD:
		return TAKES_UNLOCK;
	}
	return ~0u;
}

static int check_call(const struct verb *verb, const struct ctl_request *request)
{
	if (!request->command)
		return usage(verb, "no command; put it after --", NULL);
	if (!(request->kinds & KIND_BOTH))
		return usage(verb, "say --camera, --microphone or both", NULL);
	if (!request->via)
		return usage(verb,
			     "say how to reach the relay: --via tcp:HOST:PORT or --via unix:PATH",
			     NULL);
	if (!carriage_is_address(request->via))
		return usage(verb, "--via wants tcp:HOST:PORT or unix:PATH", request->via);
	if (request->as && !text_is_name(request->as, CARRIAGE_NAME_MAX))
		return usage(verb, "--as wants 1 to 63 bytes of visible text", request->as);
	return CTL_OK;
}

/* argc and argv begin with the verb. */
static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct ctl_request request = { 0 };
	int r, option;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		if (!(verb->takes & (TAKES_CALL | TAKES_COMMAND)))
			return usage(verb, "this verb takes no command", NULL);
		if (i + 1 < argc)
			request.command = argv + i + 1;
		argv[i] = NULL;
		argc = i;
	}
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == ':')
			return usage(verb, "this option wants a value", argv[optind - 1]);
		if (option == '?' || !(option == 'h' || verb->takes & option_flag(option)))
			return usage(verb, "this verb has no such option", argv[optind - 1]);
		switch (option) {
		case 'h':
			help_verb(stdout, verb);
			return CTL_OK;
		case OPT_JSON:
			request.json = true;
			break;
		case OPT_ALL:
			request.all = true;
			break;
		case OPT_YES:
			request.yes = true;
			break;
		case OPT_CAMERA:
			request.kinds |= KIND_CAMERA;
			break;
		case OPT_MICROPHONE:
			request.kinds |= KIND_MICROPHONE;
			break;
		case OPT_SPEAKER:
			request.kinds |= KIND_SPEAKER;
			break;
		case OPT_VIA:
			request.via = optarg;
			break;
		case OPT_AS:
			request.as = optarg;
			break;
		case OPT_SEND:
			request.send = true;
			break;
		case OPT_RECEIVE:
			request.receive = true;
			break;
		case OPT_TELL_PROGRAMS:
			request.tell_programs = true;
			break;
		case OPT_TTY:
			request.tty = optarg;
			break;
		case OPT_KEY:
			request.key = optarg;
			break;
		case OPT_KEY_FD:
			request.key_fd = optarg;
			break;
		case OPT_DIRECTION:
			request.direction = optarg;
			break;
		case OPT_KIND:
			request.kind = optarg;
			break;
		case OPT_STREAM:
			request.stream = true;
			break;
		case OPT_REPLACE:
			request.replace = true;
			break;
		case OPT_CSV:
			request.csv = true;
			break;
		case OPT_BEFORE:
			request.before = optarg;
			break;
		case OPT_PEER:
			request.peer = optarg;
			break;
		case OPT_ANCHOR:
			request.anchor = optarg;
			break;
		case OPT_PASSPHRASE:
			request.passphrase = true;
			break;
		case OPT_SECRET_SERVICE:
			request.secret_service = true;
			break;
		case OPT_PASSPHRASE_FD:
			request.passphrase_fd = optarg;
			break;
		case OPT_APP:
			request.app = optarg;
			break;
		case OPT_USER:
			request.user = optarg;
			break;
		case OPT_RULES:
			request.rules = optarg;
			break;
		case OPT_APPS:
			request.apps = true;
			break;
		}
	}
	request.arguments = argv + optind;
	request.n_arguments = argc - optind;
	if (request.n_arguments < verb->least)
		return usage(verb, "an argument is missing", NULL);
	if (request.n_arguments > verb->most)
		return usage(verb, "too many arguments", request.arguments[verb->most]);
	if (verb->takes & TAKES_CALL) {
		r = check_call(verb, &request);
		if (r != CTL_OK)
			return r;
	}
	r = verb->run(&request);
	if (fflush(stdout) != 0 && r == CTL_OK)
		r = CTL_FAILED;
	return r;
}

int main(int argc, char **argv)
{
	int fd;

	/* A standard descriptor that is closed would be re-used, and then written to as if it were one. */
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
	if (fd > 2)
		close(fd);
	if (argc < 2)
		return usage(NULL, "say what to do", NULL);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help_all(stdout);
		return fflush(stdout) ? CTL_FAILED : CTL_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("callgatectl 0.1");
		return fflush(stdout) ? CTL_FAILED : CTL_OK;
	}
	for (int i = 0; i < n_verbs; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return run_verb(&verbs[i], argc - 1, argv + 1);
	return usage(NULL, "there is no such verb", argv[1]);
}
