/*
 * Suggestions: every rule is reached, and refused where its condition does not hold; the conditions are said again here, in other words. Commands hold
 * nothing that a shell could take for more than a name.
 */
#include "pause/remedy.h"

#include "tests/support/pause_made.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 60000 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SET(field, text) snprintf((field), sizeof(field), "%s", (text))

static const char *const ids[] = {
#define PAUSE_REMEDY(class, name, condition, because, text, command, undo, risk) #class "." #name,
#include "pause/remedies.def"
};

static const struct pause_remedy *find(const struct pause *p, const char *id)
{
	for (uint32_t i = 0; i < p->remedy_count; i++)
		if (strcmp(p->remedies[i].id, id) == 0)
			return &p->remedies[i];
	return NULL;
}

static const struct pause_remedy *must_find(const struct pause *p, const char *id)
{
	const struct pause_remedy *found = find(p, id);

	if (!found)
		fail_msg("no %s; first is %s", id, p->remedy_count ? p->remedies[0].id : "none");
	return found;
}

/* ---- the conditions, said again ---- */

struct told {
	const struct pause *p;
	const struct pause_facts *f;
	const struct pause_who *who; /* who is named */
	bool real_time, weighed, background, newer, bfq, units_differ;
};

static bool starts(const char *id, const char *list)
{
	const char *found = strstr(list, id);
	return found && (found == list || found[-1] == ' ') && (found[strlen(id)] == ' ' || found[strlen(id)] == '\0');
}

static bool cpu_is_due(const struct told *t, const char *id)
{
	const struct pause_facts *f = t->f;
	unsigned version = f->kernel_major * 1000 + f->kernel_minor;

	if (starts(id, "cpu.chrt"))
		return t->real_time;
	if (starts(id, "cpu.rttime"))
		return t->real_time && f->culprit_has_unit;
	if (starts(id, "cpu.idle"))
		return t->weighed && t->background && f->systemd_version >= 252 && version >= 5015;
	if (starts(id, "cpu.weight"))
		return t->weighed && !(t->background && f->systemd_version >= 252 && version >= 5015);
	if (starts(id, "cpu.jobs"))
		return f->workers > t->p->place.cpus && t->p->place.cpus > 0 && f->under_build_tool;
	if (starts(id, "cpu.nice"))
		return !t->weighed && !t->real_time && !(f->autogroup && !f->same_session);
	if (starts(id, "cpu.autogroup"))
		return !t->weighed && !t->real_time && f->autogroup && !f->same_session;
	if (starts(id, "one_cpu.driver one_cpu.affinity"))
		return t->who->kind == PAUSE_KIND_irq && t->who->share_ratio >= 0.5f;
	if (starts(id, "one_cpu.preempt"))
		return t->who->kind != PAUSE_KIND_irq && !f->preempt_full && version > 0;
	fail_msg("nothing is said of %s here", id);
	return false;
}

static bool memory_is_due(const struct told *t, const char *id)
{
	const struct pause_facts *f = t->f;
	unsigned version = f->kernel_major * 1000 + f->kernel_minor;

	if (starts(id, "memory.high"))
		return f->cgroup2_memory && f->culprit_has_unit && !f->same_unit;
	if (starts(id, "memory.low"))
		return f->cgroup2_memory && f->victim_has_unit && !f->same_unit;
	if (starts(id, "memory.zram"))
		return f->swap_absent_or_full && f->anonymous_over_half;
	if (starts(id, "memory.watermark"))
		return f->memory_was_free;
	if (starts(id, "memory.min_ttl"))
		return version >= 6001 && (f->memory_today > 2 || t->p->duration_ns > 5000000000);
	if (starts(id, "memory.oomd"))
		return f->memory_today > 2 || t->p->duration_ns > 5000000000;
	if (starts(id, "oom.max oom.score") && (t->p->oom_of_group || strcmp(t->p->oom_victim, t->who->name) == 0))
		return false;
	if (starts(id, "oom.max"))
		return f->cgroup2_memory && f->culprit_has_unit;
	if (starts(id, "oom.score"))
		return true;
	if (starts(id, "oom.limit"))
		return t->p->oom_of_group;
	if (starts(id, "oom.policy"))
		return t->p->oom_of_group && strlen(t->p->cgroup) > 8 && strcmp(t->p->cgroup + strlen(t->p->cgroup) - 8, ".service") == 0;
	fail_msg("nothing is said of %s here", id);
	return false;
}

static bool io_is_due(const struct told *t, const char *id)
{
	const struct pause_facts *f = t->f;
	bool deadline = strcmp(f->io_scheduler, "mq-deadline") == 0;
	unsigned version = f->kernel_major * 1000 + f->kernel_minor;

	if (starts(id, "io.errors"))
		return f->io_errors;
	if (f->io_errors && strncmp(id, "io.", 3) == 0)
		return false;
	if (starts(id, "io.dirty"))
		return f->dirty_over_5_s;
	if (starts(id, "io.weight"))
		return f->cgroup2_io && f->culprit_has_unit && !f->same_unit && (t->bfq || f->io_cost);
	if (starts(id, "io.max"))
		return f->cgroup2_io && f->culprit_has_unit && !f->same_unit && !t->bfq && !f->io_cost;
	if (starts(id, "io.ionice"))
		return t->bfq || (deadline && version >= 5014);
	if (starts(id, "throttle.quota"))
		return f->unit_quota_bursts == 2;
	if (starts(id, "throttle.burst"))
		return f->unit_quota_bursts == 1 && version >= 5014;
	if (starts(id, "throttle.period"))
		return f->unit_quota_bursts == 1;
	if (starts(id, "throttle.compare"))
		return f->unit_quota_bursts == 0;
	fail_msg("nothing is said of %s here", id);
	return false;
}

static bool rest_is_due(const struct told *t, const char *id)
{
	const struct pause_facts *f = t->f;

	if (starts(id, "stuck.frozen"))
		return f->frozen_filesystem;
	if (starts(id, "stuck.server"))
		return f->network_filesystem;
	if (starts(id, "stuck.lock"))
		return !f->frozen_filesystem && !f->network_filesystem;
	if (starts(id, "host.steal"))
		return t->p->steal_ratio > 0.1f && f->host_today > 2;
	if (starts(id, "host.firmware"))
		return f->bare_metal && !(t->p->steal_ratio > 0.1f);
	if (starts(id, "suspend.inhibit"))
		return t->p->task_count > 0 || t->p->victim_count > 0;
	if (starts(id, "monitor.continue"))
		return t->p->recorded;
	if (starts(id, "monitor.rights"))
		return !t->p->recorded && t->p->place.guard_class != RH_GUARD_CLASS_deadline;
	if (starts(id, "unexplained.signal"))
		return !(t->p->signals >> RH_SIGNAL_psi_io & 1);
	if (starts(id, "unexplained.osnoise"))
		return t->p->same_class_today > 2;
	fail_msg("nothing is said of %s here", id);
	return false;
}

/* Whether a rule of the pause's class is to be shown, where there is room. */
static bool is_due(const struct told *t, const char *id)
{
	if (starts(id, "cpu.chrt cpu.rttime cpu.idle cpu.weight cpu.jobs cpu.nice cpu.autogroup one_cpu.driver one_cpu.affinity "
	               "one_cpu.preempt "
	               "memory.high oom.max oom.score io.weight io.max io.ionice stuck.lock") &&
	        !t->who)
		return false;
	if (strncmp(id, "cpu.", 4) == 0 || strncmp(id, "one_cpu.", 8) == 0)
		return cpu_is_due(t, id);
	if (strncmp(id, "memory.", 7) == 0 || strncmp(id, "oom.", 4) == 0)
		return memory_is_due(t, id);
	if (strncmp(id, "io.", 3) == 0 || strncmp(id, "throttle.", 9) == 0)
		return io_is_due(t, id);
	return rest_is_due(t, id);
}

static struct told tell(const struct pause *p, const struct pause_facts *f)
{
	struct told t = {.p = p, .f = f, .bfq = strcmp(f->io_scheduler, "bfq") == 0};
	enum pause_word word = pause_word_said(p);

	for (uint32_t i = 0; i < p->culprit_count && !t.who; i++)
		if (p->culprits[i].role == PAUSE_ROLE_culprit && !p->outside && !p->own_fault && word != PAUSE_WORD_unclear &&
		        word != PAUSE_WORD_unexplained)
			t.who = &p->culprits[i];
	if (!t.who)
		return t;
	t.real_time = t.who->policy == RH_POLICY_fifo || t.who->policy == RH_POLICY_rr;
	t.background = t.who->nice > 0 || t.who->policy == RH_POLICY_batch || t.who->policy == RH_POLICY_idle;
	t.weighed = f->cgroup2_cpu && f->culprit_has_unit && f->victim_has_unit && !f->same_unit && !t.real_time;
	return t;
}

/* ---- any machine ---- */

static bool coin(unsigned *seed)
{
	return rand_r(seed) & 64;
}

static void random_facts(unsigned *seed, struct pause_facts *f)
{
	static const char *const schedulers[] = {"none", "bfq", "mq-deadline", "kyber", ""};
	static const char *const units[] = {"app-chrome-3120.scope", "ci.slice", "a b.service", "$(reboot).scope", "user@1000.service", "",
	        "-x", "a;b", "very-long-unit-name-of-63-bytes-that-is-as-long-as-it-can.scope"};
	static const struct {
		uint32_t major, minor;
	} kernels[] = {{0, 0}, {5, 10}, {5, 14}, {5, 15}, {6, 0}, {6, 1}, {6, 18}};
	size_t kernel = (size_t)rand_r(seed) % COUNT_OF(kernels);

	*f = (struct pause_facts){.cgroup2_cpu = coin(seed) || coin(seed),
	        .cgroup2_memory = coin(seed),
	        .cgroup2_io = coin(seed),
	        .culprit_has_unit = coin(seed),
	        .victim_has_unit = coin(seed),
	        .same_unit = coin(seed) && coin(seed),
	        .same_session = coin(seed),
	        .autogroup = coin(seed),
	        .preempt_full = coin(seed),
	        .swap_absent_or_full = coin(seed),
	        .anonymous_over_half = coin(seed),
	        .memory_was_free = coin(seed),
	        .memory_today = (uint32_t)rand_r(seed) % 5,
	        .host_today = (uint32_t)rand_r(seed) % 5,
	        .io_cost = coin(seed),
	        .dirty_over_5_s = coin(seed),
	        .io_errors = coin(seed),
	        .unit_quota_bursts = (uint32_t)rand_r(seed) % 3,
	        .kernel_major = kernels[kernel].major,
	        .kernel_minor = kernels[kernel].minor,
	        .systemd_version = coin(seed) ? 252 : 247,
	        .under_build_tool = coin(seed),
	        .workers = (uint32_t)rand_r(seed) % 50,
	        .culprit_bytes_before = coin(seed) ? UINT64_C(5) << 30 : 0,
	        .frozen_filesystem = coin(seed),
	        .network_filesystem = coin(seed),
	        .bare_metal = coin(seed)};
	SET(f->io_scheduler, schedulers[(size_t)rand_r(seed) % COUNT_OF(schedulers)]);
	SET(f->culprit_unit, units[(size_t)rand_r(seed) % COUNT_OF(units)]);
	SET(f->victim_unit, units[(size_t)rand_r(seed) % COUNT_OF(units)]);
}

/* Commands are ours but for names: what a shell acts upon stands in them only where a row has it. */
static void check_command(const struct pause_remedy *remedy)
{
	static const char *const foreign[] = {";", "$(reboot)", "`", "&", "|", "a b", "\n", "{", " -x", "%s", "\\"};
	const char *texts[] = {remedy->command, remedy->undo};

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		for (const char *c = texts[i]; *c; c++)
			assert_true(isprint((unsigned char)*c));
		for (size_t k = 0; k < COUNT_OF(foreign); k++)
			if (strstr(texts[i], foreign[k]))
				fail_msg("%s: '%s' holds '%s'", remedy->id, texts[i], foreign[k]);
	}
	assert_true(remedy->text[0] && remedy->condition[0] && !strchr(remedy->text, '{'));
}

/* Which rows have a command: one that does not fit is left out, and none may be. */
static bool has_command(const char *id)
{
	static const struct {
		const char *id, *command;
	} rows[] = {
#define PAUSE_REMEDY(class, name, condition, because, text, command, undo, risk) {#class "." #name, command},
#include "pause/remedies.def"
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].id, id) == 0)
			return rows[i].command[0] != '\0';
	return false;
}

static void every_rule_on_any_machine(void **state)
{
	static struct pause p;
	static unsigned shown[COUNT_OF(ids)], refused[COUNT_OF(ids)];
	struct pause_facts f;
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		made_random(&seed, true, &p);
		p.signals = coin(&seed) ? UINT64_MAX : ~(UINT64_C(1) << (coin(&seed) ? RH_SIGNAL_psi_io : RH_SIGNAL_pmu));
		if (coin(&seed))
			p.place.cpus = 1 + (uint32_t)rand_r(&seed) % 8;
		p.same_class_today = (uint32_t)rand_r(&seed) % 5;
		if (coin(&seed))
			SET(p.cgroup, "/system.slice/build.service");
		random_facts(&seed, &f);
		pause_remedies(&p, &f);
		assert_true(p.remedy_count <= PAUSE_REMEDIES);
		struct told told = tell(&p, &f);
		for (uint32_t i = 0; i < p.remedy_count; i++) {
			const struct pause_remedy *remedy = &p.remedies[i];
			if (!is_due(&told, remedy->id))
				fail_msg("%s was shown", remedy->id);
			assert_int_equal(strncmp(remedy->id, pause_class_name(p.class), strlen(pause_class_name(p.class))), 0);
			assert_int_equal(remedy->command[0] != '\0', has_command(remedy->id));
			check_command(remedy);
		}
		for (size_t i = 0; i < COUNT_OF(ids); i++) {
			size_t length = strcspn(ids[i], ".");
			bool of_class =
			        strlen(pause_class_name(p.class)) == length && memcmp(pause_class_name(p.class), ids[i], length) == 0;
			shown[i] += find(&p, ids[i]) != NULL;
			refused[i] += of_class && p.remedy_count < PAUSE_REMEDIES && !find(&p, ids[i]);
			if (of_class && p.remedy_count < PAUSE_REMEDIES && !find(&p, ids[i]) && is_due(&told, ids[i]))
				fail_msg("%s was not shown", ids[i]);
		}
	}
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		if (shown[i] < 5 || refused[i] < 5)
			fail_msg("%s: shown %u times, refused %u times", ids[i], shown[i], refused[i]);
}

/* ---- machines by hand ---- */

static void cpu_case(struct pause *p, struct pause_facts *f)
{
	made_plain(p, PAUSE_CLASS_cpu, 1, 0);
	struct pause_who *who = made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "sort[4]", 0.9f);
	who->pid = 4;
	SET(who->cgroup, "/user.slice/user-1000.slice/user@1000.service/app.slice/app-sort.scope");
	*f = (struct pause_facts){
	        .cgroup2_cpu = true, .culprit_has_unit = true, .victim_has_unit = true, .kernel_major = 6, .systemd_version = 252};
	SET(f->culprit_unit, "app-sort.scope");
}

static void cpu_weights(void **state)
{
	struct pause p;
	struct pause_facts f;

	(void)state;
	cpu_case(&p, &f);
	pause_remedies(&p, &f);
	assert_int_equal(p.remedy_count, 1);
	assert_string_equal(must_find(&p, "cpu.weight")->command, "systemctl --user set-property --runtime app-sort.scope CPUWeight=20");
	assert_string_equal(must_find(&p, "cpu.weight")->undo, "systemctl --user set-property --runtime app-sort.scope CPUWeight=100");
	p.culprits[0].nice = 5; /* a background job: idle where kernel and systemd can */
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "cpu.idle")->command, "systemctl --user set-property --runtime app-sort.scope CPUWeight=idle");
	assert_null(find(&p, "cpu.weight"));
	f.systemd_version = 251;
	pause_remedies(&p, &f);
	must_find(&p, "cpu.weight");
	f.systemd_version = 252;
	f.kernel_major = 5;
	f.kernel_minor = 14;
	pause_remedies(&p, &f);
	assert_null(find(&p, "cpu.idle"));
	f.kernel_minor = 15;
	SET(f.culprit_unit, "app sort.scope");
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "cpu.idle")->command, "systemctl --user set-property --runtime UNIT CPUWeight=idle");
	/* Weights mean nothing in real time. */
	p.culprits[0].policy = RH_POLICY_rr;
	p.culprits[0].rt_prio = 50;
	pause_remedies(&p, &f);
	assert_string_equal(p.remedies[0].command, "chrt -o -p 0 4");
	assert_string_equal(p.remedies[0].undo, "chrt -r -p 50 4");
	assert_true(strstr(p.remedies[0].risk, "check first"));
	assert_null(find(&p, "cpu.idle"));
	assert_null(find(&p, "cpu.weight"));
	assert_null(find(&p, "cpu.nice"));
}

/* nice of a process does nothing against another session where the kernel groups by session. */
static void nice_and_autogroup(void **state)
{
	struct pause p;
	struct pause_facts f;

	(void)state;
	cpu_case(&p, &f);
	f.same_unit = true;
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "cpu.nice")->command, "renice -n 19 -p 4");
	assert_string_equal(must_find(&p, "cpu.nice")->undo, "renice -n 0 -p 4");
	f.autogroup = true;
	pause_remedies(&p, &f);
	assert_null(find(&p, "cpu.nice"));
	assert_string_equal(must_find(&p, "cpu.autogroup")->command, "echo 19 > /proc/4/autogroup");
	f.same_session = true;
	pause_remedies(&p, &f);
	must_find(&p, "cpu.nice");
	assert_null(find(&p, "cpu.autogroup"));
	p.culprits[0].pid = 0;
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "cpu.nice")->command, "renice -n 19 -p PID");
}

static void what_a_queue_honours(void **state)
{
	struct pause p;
	struct pause_facts f;

	(void)state;
	cpu_case(&p, &f);
	p.class = PAUSE_CLASS_io;
	SET(p.device, "nvme0n1");
	f.cgroup2_io = true;
	SET(f.io_scheduler, "none");
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "io.max")->command,
	        "systemctl --user set-property --runtime app-sort.scope 'IOReadBandwidthMax=/dev/nvme0n1 "
	        "50M' 'IOWriteBandwidthMax=/dev/nvme0n1 50M'");
	assert_null(find(&p, "io.weight"));
	assert_null(find(&p, "io.ionice"));
	f.io_cost = true;
	pause_remedies(&p, &f);
	must_find(&p, "io.weight");
	assert_null(find(&p, "io.max"));
	SET(f.io_scheduler, "bfq");
	f.io_cost = false;
	pause_remedies(&p, &f);
	must_find(&p, "io.weight");
	must_find(&p, "io.ionice");
	f.io_errors = true; /* then nobody is accused */
	pause_remedies(&p, &f);
	assert_int_equal(p.remedy_count, 1);
	assert_string_equal(p.remedies[0].command, "smartctl -a /dev/nvme0n1");
}

static void nobody_named(void **state)
{
	struct pause p;
	struct pause_facts f;

	(void)state;
	cpu_case(&p, &f);
	made_sure(&p, 0.9f, 0.5f, false);
	pause_remedies(&p, &f);
	assert_int_equal(p.remedy_count, 0);
	made_sure(&p, 0.9f, 0.9f, false);
	p.outside = true;
	pause_remedies(&p, &f);
	assert_int_equal(p.remedy_count, 0);
	p.outside = false;
	p.culprits[0].role = PAUSE_ROLE_carrier;
	pause_remedies(&p, &f);
	assert_int_equal(p.remedy_count, 0);
}

static void figures_in_commands(void **state)
{
	struct pause p;
	struct pause_facts f;

	(void)state;
	cpu_case(&p, &f);
	p.class = PAUSE_CLASS_memory;
	f.cgroup2_memory = true;
	f.culprit_bytes_before = UINT64_C(5) << 30;
	pause_remedies(&p, &f);
	assert_string_equal(
	        must_find(&p, "memory.high")->command, "systemctl --user set-property --runtime app-sort.scope MemoryHigh=5120M");
	f.culprit_bytes_before = 0;
	pause_remedies(&p, &f);
	assert_string_equal(
	        must_find(&p, "memory.high")->command, "systemctl --user set-property --runtime app-sort.scope MemoryHigh=SIZE");
	p.class = PAUSE_CLASS_throttle;
	p.quota_ns = 20000000;
	p.period_ns = 100000000;
	f.unit_quota_bursts = 2;
	SET(f.victim_unit, "ci.slice");
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "throttle.quota")->command, "systemctl set-property --runtime ci.slice CPUQuota=40%");
	assert_string_equal(must_find(&p, "throttle.quota")->undo, "systemctl set-property --runtime ci.slice CPUQuota=20%");
	p.class = PAUSE_CLASS_one_cpu;
	p.taken_cpu = 0;
	p.culprits[0].kind = PAUSE_KIND_irq;
	SET(p.culprits[0].name, "irq 34 snd_hda_intel");
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "one_cpu.affinity")->command, "echo 1 > /proc/irq/34/smp_affinity_list");
	p.class = PAUSE_CLASS_unexplained;
	p.signals = ~(UINT64_C(1) << RH_SIGNAL_psi_memory);
	pause_remedies(&p, &f);
	assert_string_equal(must_find(&p, "unexplained.signal")->text,
	        "psi_memory could not be seen. What enables it: boot with psi=1 (a kernel built with CONFIG_PSI=y).");
}

static void texts_fit(void **state)
{
	static const struct {
		const char *id, *because, *text, *command, *undo, *risk;
	} rows[] = {
#define PAUSE_REMEDY(class, name, condition, because, text, command, undo, risk) {#class "." #name, because, text, command, undo, risk},
#include "pause/remedies.def"
	};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strlen(rows[i].id) >= sizeof(((struct pause_remedy *)0)->id) || strlen(rows[i].because) >= PAUSE_TEXT_BYTES ||
		        strlen(rows[i].text) >= PAUSE_COMMAND_BYTES || strlen(rows[i].risk) >= PAUSE_TEXT_BYTES)
			fail_msg("%s has a text that is too long", rows[i].id);
		assert_true(rows[i].because[0] && rows[i].text[0]);
		assert_true(rows[i].undo[0] == '\0' || rows[i].command[0]);
		/* Nobody is told to kill. */
		assert_null(strstr(rows[i].command, "kill -9"));
		assert_null(strstr(rows[i].command, "pkill"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_rule_on_any_machine),
	        cmocka_unit_test(cpu_weights),
	        cmocka_unit_test(nice_and_autogroup),
	        cmocka_unit_test(what_a_queue_honours),
	        cmocka_unit_test(nobody_named),
	        cmocka_unit_test(figures_in_commands),
	        cmocka_unit_test(texts_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
