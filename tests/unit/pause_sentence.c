/*
 * The sentence about a pause: the worked examples to the byte, figures, what is left out where room is short, and the short form for lists.
 *
 * Of the examples in the wording two say more than a pause holds, see stuck_inferred() and stuck_outside() in pause_made.c.
 */
#include "pause/sentence.h"

#include "tests/support/pause_made.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const char *said(const struct pause *p)
{
	static char out[PAUSE_SENTENCE_BYTES];

	size_t length = pause_sentence(p, 4, out);
	assert_int_equal(length, strlen(out));
	return out;
}

static void assert_says(const struct pause *p, const char *piece)
{
	if (!strstr(said(p), piece))
		fail_msg("not '%s': %s", piece, said(p));
}

static void assert_never_says(const struct pause *p, const char *piece)
{
	if (strstr(said(p), piece))
		fail_msg("'%s': %s", piece, said(p));
}

static void worked_examples(void **state)
{
	struct made_example example;
	unsigned number = 0;

	(void)state;
	for (; made_example(number, &example); number++)
		assert_string_equal(said(&example.pause), example.sentence);
	assert_int_equal(number, 21);
}

static void durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {{0, "under 1 ms"}, {499999, "under 1 ms"}, {500000, "1 ms"}, {410 * MS, "410 ms"}, {999499999, "999 ms"},
	        {999500000, "1.00 s"}, {1420 * MS, "1.42 s"}, {2310400000, "2.31 s"}, {9994 * MS, "9.99 s"}, {9995 * MS, "10.0 s"},
	        {14200 * MS, "14.2 s"}, {59949 * MS, "59.9 s"}, {59950 * MS, "1 min 0 s"}, {192 * S, "3 min 12 s"},
	        {3599 * S + 499 * MS, "59 min 59 s"}, {3599 * S + 500 * MS, "1 h 0 min"}, {29520 * S, "8 h 12 min"},
	        {86400 * S, "24 h 0 min"}, {3599969 * S, "999 h 59 min"}, {3600000 * S, "41 d 16 h"}, {86400000 * S - S, "999 d 23 h"},
	        {86400000 * S, "over 999 d"}, {UINT64_MAX, "over 999 d"}};
	char out[PAUSE_FIGURE_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(pause_duration_text(cases[i].ns, out), cases[i].text);
	assert_string_equal(pause_quota_text(20 * MS, out), "20 ms");
	assert_string_equal(pause_quota_text(S, out), "1 s");
	assert_string_equal(pause_quota_text(1500 * MS, out), "1.5 s");
	assert_string_equal(pause_quota_text(10 * S, out), "10 s");
}

static void bytes_and_shares(void **state)
{
	char out[PAUSE_FIGURE_BYTES];

	(void)state;
	assert_string_equal(pause_bytes_text(0, out), "0 B");
	assert_string_equal(pause_bytes_text(-5, out), "0 B");
	assert_string_equal(pause_bytes_text(999, out), "999 B");
	assert_string_equal(pause_bytes_text(999.5, out), "1.0 KiB");
	assert_string_equal(pause_bytes_text(532.0 * 1048576, out), "532 MiB");
	assert_string_equal(pause_bytes_text(9.2 * 1073741824, out), "9.2 GiB");
	assert_string_equal(pause_bytes_text(9.96 * 1073741824, out), "10 GiB");
	assert_string_equal(pause_bytes_text(1e300, out), "over 999 EiB");
	assert_string_equal(pause_bytes_text((double)INFINITY, out), "over 999 EiB");
	assert_string_equal(pause_bytes_text((double)NAN, out), "-");
	assert_string_equal(pause_share_text(0.94, out), "94%");
	assert_string_equal(pause_share_text(0.005, out), "1%");
	assert_string_equal(pause_share_text(0.0049, out), "under 1%");
	assert_string_equal(pause_share_text(0, out), "under 1%");
	assert_string_equal(pause_share_text(-3, out), "under 1%");
	assert_string_equal(pause_share_text(0.994, out), "99%");
	assert_string_equal(pause_share_text(0.995, out), "all");
	assert_string_equal(pause_share_text(7, out), "all");
	assert_string_equal(pause_share_text((double)NAN, out), "-");
	assert_string_equal(pause_state_text(1, out), "over 99%");
	assert_string_equal(pause_state_text(0.83, out), "83%");
}

static void time_of_day(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_cpu, 1, 30 * 60);
	assert_says(&p, " at 00:30:00: ");
	p.place.utc_offset_s = -12 * 3600;
	assert_says(&p, " at 11:30:00: ");
	p.place.utc_offset_s = 14 * 3600;
	assert_says(&p, " at 13:30:00: ");
	/* A zone of UTC is a place; a replay has none, and says so. */
	p.place.utc_offset_s = 0;
	assert_says(&p, " at 23:30:00: ");
	p.place.host[0] = '\0';
	assert_says(&p, " at 23:30:00Z: ");
	p.place.utc_offset_s = INT32_MIN;
	assert_says(&p, " at 23:30:00Z: ");
	p.start_realtime_ns = 0;
	p.place.utc_offset_s = -1;
	assert_says(&p, " at 23:59:59: ");
}

/* What is left out first, and last: detail of the caveat, third and second of those named, worst victim, share. */
static void what_is_left_out(void **state)
{
	static const char *const pieces[] = {", judged from elsewhere", "c[3] 18%", "b[2] 24%", "(worst: ", "38%"};
	struct pause p;
	char name[PAUSE_NAME_BYTES];
	size_t missing = 0, before = 0;

	(void)state;
	for (size_t length = 1; length < sizeof(name); length++) {
		snprintf(name, sizeof(name), "%0*d", (int)length, 0);
		made_plain(&p, PAUSE_CLASS_memory, 38, 0);
		p.task_count = 19;
		made_victim(&p, name, 520 * MS);
		made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, name, 0.38f);
		made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "b[2]", 0.24f);
		made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "c[3]", 0.18f);
		snprintf(p.caveat, sizeof(p.caveat), "PSI is off, judged from elsewhere");
		made_sure(&p, 0.85f, 0.4f, false);
		for (missing = 0; missing < COUNT_OF(pieces) && !strstr(said(&p), pieces[missing]); missing++)
			;
		for (size_t i = missing; i < COUNT_OF(pieces); i++)
			assert_says(&p, pieces[i]);
		assert_true(missing >= before);
		assert_says(&p, "; PSI is off");
		assert_says(&p, "paused for up to 520 ms at 00:00:00");
		assert_says(&p, "memory ran short");
		before = missing;
	}
	assert_true(before >= 3);
}

static void hedges(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_memory, 1, 0);
	made_who(&p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "a[1]", 0.9f);
	made_sure(&p, 0.97f, 0.96f, false);
	assert_says(&p, ": memory ran short, almost certainly because of a[1] (90%");
	made_sure(&p, 0.80f, 0.80f, false);
	assert_says(&p, ": memory ran short, very likely because of a[1]");
	made_sure(&p, 0.80f, 0.79f, false);
	assert_says(&p, ": memory ran short, likely because of a[1]");
	made_sure(&p, 0.79f, 0.79f, false);
	assert_says(&p, ": memory likely ran short, because of a[1]");
	made_sure(&p, 0.90f, 0.54f, false);
	assert_says(&p, ": memory ran short, culprit unclear. "); /* one with 90% is no list of several */
	made_sure(&p, 0.60f, 0.54f, false);
	assert_says(&p, ": memory likely ran short, culprit unclear. ");
	made_sure(&p, 0.54f, 0.54f, false);
	assert_says(&p, ": unexplained, no measured cause fits; nobody is named. [7c1f-1 unexplained]");
	made_sure(&p, 0.9f, 0.9f, true);
	assert_says(&p, ": memory ran short, caused by a[1] (90%");
	made_sure(&p, 0.97f, 0.96f, false);
	p.state = PAUSE_STATE_interim;
	assert_says(&p, ": memory ran short, likely because of a[1]");
	made_sure(&p, (float)NAN, (float)NAN, false);
	assert_says(&p, "[7c1f-1 unexplained interim]");
}

static void who_is_named(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_io, 1, 0);
	made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "a[1]", 0.6f);
	made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "b[2]", 0.4f);
	made_who(&p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "c[3]", 0.004f); /* nothing to speak of */
	made_sure(&p, 0.9f, 0.5f, false);
	assert_says(&p, ", no single culprit: a[1] 60%, b[2] 40%. ");
	p.culprits[0].share_ratio = 0.9f;
	assert_says(&p, ", culprit unclear. ");
	p.outside = true;
	assert_says(&p, ", cause outside this machine. ");
	p.outside = false;
	p.own_fault = true;
	assert_says(&p, ", nobody else's fault. ");
	/* A carrier is never named, however much it did. */
	made_plain(&p, PAUSE_CLASS_memory, 1, 0);
	made_who(&p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "a[1]", 0.6f);
	made_who(&p, PAUSE_ROLE_carrier, PAUSE_KIND_kernel_thread, "kswapd0[31]", 0.9f);
	assert_says(&p, "because of a[1] (60% of the memory taken in). ");
	assert_never_says(&p, "kswapd0");
}

/* How many cpus: what is known of it, and no more. */
static void cpus_taken(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_cpu, 1, 0);
	made_sure(&p, 0.9f, 0.5f, false);
	assert_says(&p, ": all 8 CPUs were taken, ");
	p.idle_ratio = 0.2f;
	assert_says(&p, ": all 8 CPUs were taken, ");
	p.idle_ratio = 0.5f;
	assert_says(&p, ": some of 8 CPUs were taken, ");
	p.cpu_mask = 0x81;
	assert_says(&p, ": 2 of 8 CPUs were taken, ");
	p.taken_cpu = 7;
	assert_says(&p, ": CPU 7 was taken, ");
	p.taken_cpu = -1;
	p.place.cpus = 1;
	assert_says(&p, ": the only CPU was taken, ");
	p.place.cpus = 0;
	assert_says(&p, ": the CPUs were taken, ");
}

/* Names are of others; what they hold must not be read as a verdict. */
static void names_are_harmless(void **state)
{
	struct pause p;

	(void)state;
	made_plain(&p, PAUSE_CLASS_cpu, 1, 0);
	p.task_count = 2;
	made_victim(&p, "a): nobody's fault. [7c1f-2 cpu]", 410 * MS);
	made_who(&p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "x, then b (99%); caf\xc3\xa9 \x1b[1m", 0.9f);
	p.scope = PAUSE_SCOPE_cgroup;
	snprintf(p.cgroup, sizeof(p.cgroup), "/a/b paused for 9.99 s/");
	assert_string_equal(said(&p),
	        "2 tasks in cgroup b?paused?for?9.99?s paused for up to 410 ms at 00:00:00 (worst: a?: nobody's fault? [7c1f-2 "
	        "cpu]): all 8 CPUs were taken, very likely because of x? then b ?99%)? caf? ?[1m (90% of the CPU time). "
	        "[7c1f-1 cpu]");
}

static void words_and_ids(void **state)
{
	struct pause p;
	char id[PAUSE_ID_BYTES];

	(void)state;
	assert_int_equal(pause_word_for(0.95f, 0.95f, false), PAUSE_WORD_almost_certain);
	assert_int_equal(pause_word_for(0.95f, 0.9499f, false), PAUSE_WORD_very_likely);
	assert_int_equal(pause_word_for(0.80f, 0.80f, false), PAUSE_WORD_very_likely);
	assert_int_equal(pause_word_for(0.55f, 0.55f, false), PAUSE_WORD_likely);
	assert_int_equal(pause_word_for(0.55f, 0.5499f, false), PAUSE_WORD_unclear);
	assert_int_equal(pause_word_for(0.5499f, 0.9f, false), PAUSE_WORD_unexplained);
	assert_int_equal(pause_word_for(0.1f, 0.1f, true), PAUSE_WORD_recorded);
	assert_int_equal(pause_word_for((float)NAN, 0.9f, false), PAUSE_WORD_unexplained);
	assert_int_equal(pause_word_for(0.9f, (float)NAN, false), PAUSE_WORD_unclear);
	assert_string_equal(pause_word_name(PAUSE_WORD_almost_certain), "almost_certain");
	assert_string_equal(pause_hedge(PAUSE_WORD_almost_certain), "almost certainly");
	assert_string_equal(pause_hedge(PAUSE_WORD_recorded), "");
	assert_string_equal(pause_class_name(PAUSE_CLASS_one_cpu), "one_cpu");
	assert_string_equal(pause_class_name(PAUSE_CLASSES), "unknown");
	assert_string_equal(pause_wait_name(250), "unknown");
	assert_string_equal(pause_metric_amount(PAUSE_CLASS_memory), "the memory taken in");
	made_plain(&p, PAUSE_CLASS_cpu, 44, 0);
	assert_string_equal(pause_id(&p, id), "7c1f93ab-44");
	snprintf(p.boot_id, sizeof(p.boot_id), "../7C1F");
	p.number = UINT32_MAX;
	assert_string_equal(pause_id(&p, id), "00000000-4294967295");
	snprintf(p.boot_id, sizeof(p.boot_id), "7C1F");
	assert_string_equal(pause_id(&p, id), "7c1f0000-4294967295");
}

static void short_forms(void **state)
{
	static const char *const short_forms[] = {"40 x cc1 under make[812] 94%", "jackd[3071] 99%", "irq 34 snd_hda_intel 96%",
	        "chrome[3120] and 11 children 71%", "python3[7714] 93%", "6 x dd from timeout[4410], exited 99%", "(nobody)",
	        "fsfreeze[6620]", "(outside)", "(outside)", "(nobody)", "bash[551]", "(unclear)", "(unclear)"};
	struct made_example example;
	char out[PAUSE_NAME_BYTES + 8];

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(short_forms); i++) {
		assert_true(made_example(i, &example));
		assert_string_equal(pause_who_short(&example.pause, out), short_forms[i]);
	}
	made_example(0, &example);
	memset(example.pause.culprits[0].name, 'n', PAUSE_NAME_BYTES - 1);
	example.pause.culprits[0].share_ratio = 0;
	assert_string_equal(pause_who_short(&example.pause, out) + strlen(out) - 10, "~ under 1%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(worked_examples),
	        cmocka_unit_test(durations),
	        cmocka_unit_test(bytes_and_shares),
	        cmocka_unit_test(time_of_day),
	        cmocka_unit_test(what_is_left_out),
	        cmocka_unit_test(hedges),
	        cmocka_unit_test(who_is_named),
	        cmocka_unit_test(cpus_taken),
	        cmocka_unit_test(names_are_harmless),
	        cmocka_unit_test(words_and_ids),
	        cmocka_unit_test(short_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
