// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which programs had camera or microphone while a session lasted, and for how long: exact, of the session's time only, each
 * program's time once.
 */
#include "unit.h"
#include "usage.h"
#include "util/bytes.h"

#include <stdio.h>
#include <string.h>

#define S     1000000000ull
#define BEGAN (100 * S)

struct rig {
	struct captures captures;
	struct usages usages;
	struct usage *usage;
};

static struct capture stream_of(uint64_t id, const char *exe, uint32_t kinds, uint64_t session,
				uint64_t since)
{
	struct capture stream = { .id = id, .kinds = kinds, .session = session, .since = since };

	stream.who.uid = 1000;
	snprintf(stream.who.exe, sizeof(stream.who.exe), "%s", exe);
	return stream;
}

static void begin(struct rig *t)
{
	t->usage = usage_new(&t->usages, 7, 1000, true, BEGAN);
	assert_non_null(t->usage);
}

static void rig_init(struct rig *t)
{
	captures_init(&t->captures);
	usages_init(&t->usages, &t->captures);
}

static void rig_free(struct rig *t)
{
	usages_deinit(&t->usages);
	captures_clear(&t->captures);
}

static void start(struct rig *t, const struct capture *stream)
{
	assert_int_equal(captures_add_stream(&t->captures, stream), 0);
	usages_started(&t->usages, captures_stream(&t->captures, stream->id));
}

static void stop(struct rig *t, uint64_t id, uint64_t now)
{
	usages_stopped(&t->usages, captures_stream(&t->captures, id), now);
	captures_remove_stream(&t->captures, id);
}

static uint32_t seconds(const struct rig *t, const char *name, unsigned int kind, uint64_t now)
{
	for (unsigned int i = 0; i < t->usage->n; i++)
		if (strcmp(t->usage->programs[i].name, name) == 0)
			return usage_seconds(&t->usage->programs[i].spans[kind], now);
	return UINT32_MAX;
}

static void time_counts_within_the_session_and_to_the_moment(void **state)
{
	struct capture before = stream_of(1, "/bin/before", 1, 0, BEGAN - 50 * S);
	struct capture inside = stream_of(2, "/bin/inside", 2, 7, BEGAN + 10 * S);
	struct record record = { 0 };
	struct rig t;

	rig_init(&t);
	assert_int_equal(captures_add_stream(&t.captures, &before), 0);
	begin(&t);
	start(&t, &inside);
	assert_int_equal(seconds(&t, "/bin/before", 0, BEGAN + 20 * S), 20);
	assert_int_equal(seconds(&t, "/bin/inside", 1, BEGAN + 20 * S), 10);
	assert_int_equal(seconds(&t, "/bin/inside", 0, BEGAN + 20 * S), 0);
	stop(&t, 1, BEGAN + 20 * S);
	stop(&t, 2, BEGAN + 20 * S + 1);
	/* What ran at all is not nothing; what is over stays. */
	assert_int_equal(seconds(&t, "/bin/before", 0, BEGAN + 90 * S), 20);
	assert_int_equal(seconds(&t, "/bin/inside", 1, BEGAN + 90 * S), 11);
	usage_record(t.usage, BEGAN + 90 * S, &record);
	assert_int_equal(record.kinds, RECORD_CAMERA);
	assert_int_equal(record.seconds[0], 0);
	assert_int_equal(record.seconds[1], 11);
	assert_int_equal(record.n_uses, 2);
	assert_string_equal(record.uses[0].program, "/bin/before");
	rig_free(&t);
}

static void several_captures_of_one_program_count_once(void **state)
{
	struct rig t;

	rig_init(&t);
	begin(&t);
	for (uint64_t id = 1; id <= 3; id++) {
		struct capture one = stream_of(id, "/bin/a", 3, 7, BEGAN + id * S);

		start(&t, &one);
	}
	stop(&t, 2, BEGAN + 4 * S);
	stop(&t, 1, BEGAN + 6 * S);
	assert_int_equal(seconds(&t, "/bin/a", 1, BEGAN + 8 * S), 7);
	stop(&t, 3, BEGAN + 10 * S);
	assert_int_equal(seconds(&t, "/bin/a", 0, BEGAN + 99 * S), 9);
	assert_int_equal(usage_seconds(&t.usage->own[0], BEGAN + 99 * S), 9);
	rig_free(&t);
}

static void other_users_programs_are_not_looked_at(void **state)
{
	struct capture other = stream_of(1, "/bin/other", 1, 0, BEGAN);
	struct capture own = stream_of(2, "/bin/own", 1, 0, BEGAN);
	struct rig t;

	rig_init(&t);
	begin(&t);
	other.who.uid = 1001;
	start(&t, &other);
	assert_int_equal(t.usage->n, 0);
	start(&t, &own);
	assert_int_equal(t.usage->n, 1);
	stop(&t, 1, BEGAN + S);
	stop(&t, 2, BEGAN + 3 * S);
	assert_int_equal(seconds(&t, "/bin/own", 0, BEGAN + 9 * S), 3);
	assert_int_equal(usage_seconds(&t.usage->own[0], BEGAN + 9 * S), 0);
	rig_free(&t);
}

static void what_has_no_room_is_others(void **state)
{
	struct channel_programs list;
	struct record record = { 0 };
	struct rig t;

	rig_init(&t);
	begin(&t);
	for (uint64_t id = 0; id < 20; id++) {
		char name[32];
		struct capture one;

		snprintf(name, sizeof(name), "/bin/p%u", (unsigned int)id);
		one = stream_of(id + 1, name, 1, 0, BEGAN + id * S);
		start(&t, &one);
	}
	assert_int_equal(t.usage->n, USAGE_PROGRAMS);
	for (uint64_t id = 20; id > 0; id--)
		stop(&t, id, BEGAN + 30 * S);
	assert_int_equal(seconds(&t, "/bin/p6", 0, BEGAN + 99 * S), 24);
	assert_int_equal(seconds(&t, "others", 0, BEGAN + 99 * S), 23);
	for (unsigned int i = 0; i < t.usage->n; i++)
		assert_int_equal(t.usage->programs[i].spans[0].running, 0);
	usage_record(t.usage, BEGAN + 99 * S, &record);
	assert_int_equal(record.n_uses, RECORD_USES_MAX);
	usage_list(t.usage, BEGAN + 99 * S, &list);
	assert_int_equal(list.n, CHANNEL_PROGRAMS_MAX);
	rig_free(&t);
}

static void the_other_end_is_told_the_last_part_of_paths(void **state)
{
	static const struct {
		const char *exe, *name;
	} cases[] = {
		{ "/home/alice/secret project/cheese", "cheese" },
		{ "/usr/bin/a-name-that-is-longer-than-the-room", "a-name-that-is-longer-th" },
		{ "/usr/bin/evil\033[2J", "evil?[2J" },
		{ "/usr/bin/cheese (deleted)  ", "cheese (deleted)" },
		{ "/usr/bin/ ", "unknown" },
		{ "/usr/bin/ x", "unknown" },
		{ "", "unknown" },
		{ "/opt/茄子茄子茄子茄子茄子", "茄子茄子茄子茄子" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct capture one = stream_of(1, cases[i].exe, 2, 0, BEGAN);
		struct channel_programs list;
		struct rig t;

		rig_init(&t);
		begin(&t);
		start(&t, &one);
		usage_list(t.usage, BEGAN, &list);
		assert_int_equal(list.n, 0);
		usage_list(t.usage, BEGAN + S, &list);
		assert_int_equal(list.n, 1);
		assert_string_equal(list.list[0].name, cases[i].name);
		assert_int_equal(list.list[0].seconds[1], 1);
		rig_free(&t);
	}
}

static void programs_of_one_name_are_one_to_the_other_end(void **state)
{
	struct capture one = stream_of(1, "/usr/bin/x", 2, 0, BEGAN);
	struct capture other = stream_of(2, "/opt/x", 1, 0, BEGAN);
	struct channel_programs list;
	struct rig t;

	rig_init(&t);
	begin(&t);
	start(&t, &one);
	start(&t, &other);
	usage_list(t.usage, BEGAN + 5 * S, &list);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.list[0].seconds[0], 5);
	assert_int_equal(list.list[0].seconds[1], 5);
	rig_free(&t);
}

static void lost_streams_end(void **state)
{
	struct capture one = stream_of(1, "/bin/a", 2, 7, BEGAN);
	struct usages nothing = { 0 };
	struct rig t;

	usages_lost(&nothing, false, BEGAN);
	rig_init(&t);
	begin(&t);
	start(&t, &one);
	usages_lost(&t.usages, true, BEGAN + 4 * S);
	assert_false(t.usage->blind);
	usages_lost(&t.usages, false, BEGAN + 4 * S);
	assert_true(t.usage->blind);
	assert_int_equal(seconds(&t, "/bin/a", 1, BEGAN + 9 * S), 4);
	assert_int_equal(usage_seconds(&t.usage->own[1], BEGAN + 9 * S), 4);
	rig_free(&t);
}

static void sentences_say_it_and_whose_word_it_is(void **state)
{
	const struct channel_programs none = { .n = 0 };
	const struct channel_programs two = { 2,
					      { { { 3, 4 }, "a" }, { { 0, 5 }, "b\": camera" } } };
	struct capture one = stream_of(1, "/bin/a\n", 3, 7, BEGAN);
	char text[4096], tiny[20];
	struct rig t;

	rig_init(&t);
	begin(&t);
	usage_text(t.usage, BEGAN, "bob", NULL, text, sizeof(text));
	assert_string_equal(
		text, "During the call with bob no program of yours had camera or microphone.");
	start(&t, &one);
	usage_text(t.usage, BEGAN + 2 * S, "bob", &none, text, sizeof(text));
	assert_string_equal(
		text,
		"During the call with bob these programs of yours had camera or microphone: \"/bin/a?\": camera 2 s, "
		"microphone 2 s. bob's machine says of itself that no program had them; that is only its word.");
	usage_text(t.usage, BEGAN + 2 * S, "bob", &two, text, sizeof(text));
	assert_non_null(strstr(text,
			       "bob's machine says of itself: \"a\": camera 4 s, microphone 3 s; "
			       "\"b': camera\": camera 5 s; that is only its word."));
	usage_text(t.usage, BEGAN + 2 * S, "bob", &two, tiny, sizeof(tiny));
	assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
	usages_lost(&t.usages, false, BEGAN + 2 * S);
	usage_text(t.usage, BEGAN + 2 * S, "bob", NULL, text, sizeof(text));
	assert_non_null(
		strstr(text, "2 s. For a while there was no gate, and others were not seen."));
	t.usage->n = 0;
	usage_text(t.usage, BEGAN + 2 * S, "bob", NULL, text, sizeof(text));
	assert_string_equal(
		text,
		"During the call with bob there was no gate, which alone sees which programs have "
		"camera or microphone.");
	rig_free(&t);
}

/* As when the daemon is restarted: one program runs on, another one stopped before, a third is new. */
static void go_on_in_the_next_process(void **state)
{
	struct capture on = stream_of(1, "/bin/on", 1, 7, BEGAN + 10 * S);
	struct capture over = stream_of(2, "/bin/over", 2, 7, BEGAN);
	struct capture later = stream_of(3, "/bin/later", 2, 0, BEGAN + 35 * S);
	uint8_t bytes[1024];
	struct writer w = { .p = bytes, .left = sizeof(bytes) };
	struct reader r;
	struct rig t, u;
	size_t len;

	rig_init(&t);
	begin(&t);
	start(&t, &on);
	start(&t, &over);
	stop(&t, 2, BEGAN + 5 * S);
	t.usage->blind = true;
	usage_pack(t.usage, BEGAN + 20 * S, &w);
	assert_false(w.bad);
	len = (size_t)(w.p - bytes);
	rig_free(&t);

	rig_init(&u);
	assert_int_equal(captures_add_stream(&u.captures, &on), 0);
	u.usage = usage_new(&u.usages, 7, 1000, true, BEGAN + 30 * S);
	for (size_t cut = 0; cut < len; cut++) {
		r = (struct reader){ .p = bytes, .left = cut };
		assert_false(usage_unpack(u.usage, BEGAN + 30 * S, &r));
	}
	r = (struct reader){ .p = bytes, .left = len };
	assert_false(usage_unpack(u.usage, BEGAN + 19 * S, &r)); /* from the future */
	r = (struct reader){ .p = bytes, .left = len };
	assert_true(usage_unpack(u.usage, BEGAN + 30 * S, &r));
	assert_true(reader_done(&r));
	assert_true(u.usage->blind);
	start(&u, &later);
	assert_int_equal(seconds(&u, "/bin/on", 0, BEGAN + 40 * S), 30);
	assert_int_equal(usage_seconds(&u.usage->own[0], BEGAN + 40 * S), 30);
	assert_int_equal(seconds(&u, "/bin/over", 1, BEGAN + 40 * S), 5);
	assert_int_equal(seconds(&u, "/bin/later", 1, BEGAN + 40 * S), 5);
	stop(&u, 1, BEGAN + 41 * S);
	assert_int_equal(seconds(&u, "/bin/on", 0, BEGAN + 50 * S), 31);
	rig_free(&u);
}

int main(void)
{
	struct unit u = {};

	UNIT(&u, time_counts_within_the_session_and_to_the_moment);
	UNIT(&u, several_captures_of_one_program_count_once);
	UNIT(&u, other_users_programs_are_not_looked_at);
	UNIT(&u, what_has_no_room_is_others);
	UNIT(&u, the_other_end_is_told_the_last_part_of_paths);
	UNIT(&u, programs_of_one_name_are_one_to_the_other_end);
	UNIT(&u, lost_streams_end);
	UNIT(&u, sentences_say_it_and_whose_word_it_is);
	UNIT(&u, go_on_in_the_next_process);
	return unit_run(&u);
}
