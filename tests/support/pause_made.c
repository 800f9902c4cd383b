/* pause_made.c - see pause_made.h. */
#include "tests/support/pause_made.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MS UINT64_C(1000000)
#define AT(hour, minute, second) ((hour)*3600 + (minute)*60 + (second))

/* Cuts on purpose. */
static void set(char *field, size_t size, const char *text)
{
	snprintf(field, size, "%s", text);
}
#define SET(field, text) set((field), sizeof(field), (text))

void made_plain(struct pause *ret_pause, enum pause_class class, uint32_t number, unsigned second_of_day)
{
	enum { ZONE_S = 3600, DAY_S = 1795132800 /* 2026-11-20 00:00:00 UTC */ };

	*ret_pause = (struct pause){.number = number,
	        .state = PAUSE_STATE_final,
	        .class = (uint8_t) class,
	        .earlier_class = (uint8_t) class,
	        .onset_seen = true,
	        .start_realtime_ns = ((uint64_t)DAY_S - ZONE_S + second_of_day) * 1000000000 + 104233000,
	        .start_boottime_ns = 273655104233000,
	        .taken_cpu = -1,
	        .steal_ratio = NAN,
	        .idle_ratio = NAN,
	        .metric_total = NAN,
	        .cap_ratio = 0.90f,
	        .place = {.cpus = 8, .utc_offset_s = ZONE_S, .sampler = RH_SAMPLER_bpf, .guard_class = RH_GUARD_CLASS_deadline}};
	SET(ret_pause->boot_id, "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10");
	SET(ret_pause->place.host, "atlas");
	made_sure(ret_pause, 0.90f, 0.87f, false);
}

void made_sure(struct pause *pause, float class_ratio, float both_ratio, bool recorded)
{
	pause->class_ratio = class_ratio;
	pause->both_ratio = both_ratio;
	pause->recorded = recorded;
	enum pause_word word = pause_word_for(class_ratio, both_ratio, recorded);
	pause->word = (uint8_t)word;
}

struct pause_who *made_who(struct pause *pause, enum pause_role role, enum pause_kind kind, const char *name, float share_ratio)
{
	struct pause_who *who = &pause->culprits[pause->culprit_count++];

	*who = (struct pause_who){
	        .role = (uint8_t)role, .kind = (uint8_t)kind, .share_ratio = share_ratio, .amount = NAN, .process_count = 1};
	SET(who->name, name);
	return who;
}

void made_victim(struct pause *pause, const char *name, uint64_t longest_ns)
{
	struct pause_victim *victim = &pause->victims[pause->victim_count++];

	*victim = (struct pause_victim){.longest_ns = longest_ns, .total_ns = longest_ns, .threads = 1};
	SET(victim->name, name);
	pause->victims_in_all++;
	pause->victims_wait_ns += longest_ns;
	if (longest_ns > pause->duration_ns)
		pause->duration_ns = longest_ns;
	pause->span_ns = pause->duration_ns;
	pause->seen_ns = pause->duration_ns;
}

/* ---- the worked examples ---- */

static void cpu_group(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_cpu, 36, AT(14, 3, 7));
	p->task_count = 31;
	made_victim(p, "gnome-shell[2210]", 1420 * MS);
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_group, "40 x cc1 under make[812]", 0.94f);
}

static void cpu_real_time(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_cpu, 37, AT(14, 5, 31));
	p->task_count = 6;
	p->taken_cpu = 1;
	made_victim(p, "Xorg[1450]", 945 * MS);
	struct pause_who *who = made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "jackd[3071]", 0.99f);
	who->policy = RH_POLICY_fifo;
	who->rt_prio = 50;
}

static void one_cpu_irq(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_one_cpu, 31, AT(9, 12, 44));
	p->scope = PAUSE_SCOPE_cpu;
	p->task_count = 7;
	p->taken_cpu = 3;
	made_victim(p, "kwin_wayland[1911]", 1200 * MS);
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_irq, "irq 34 snd_hda_intel", 0.96f);
}

static void memory_two(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_memory, 44, AT(18, 20, 55));
	p->task_count = 58;
	made_victim(p, "sshd[900]", 2310 * MS);
	struct pause_who *who = made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_tree, "chrome[3120] and 11 children", 0.71f);
	who->process_count = 12;
	who->pid = 3120;
	who->start_time_ns = 250001120000000;
	who->amount = 2211908157;
	who->harm_ns = 41600 * MS;
	SET(who->command, "chrome");
	SET(who->cgroup, "/user.slice/user-1000.slice/user@1000.service/app.slice/app-chrome-3120.scope");
	SET(who->how, "grew 1.9 GiB in 5 s");
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "updatedb[812]", 0.18f);
	p->metric_total = 3113851289;
}

static void oom_global(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_oom, 45, AT(22, 41, 9));
	p->task_count = 64;
	made_victim(p, "gnome-shell[2210]", 6400 * MS);
	SET(p->oom_victim, "firefox[5120]");
	SET(made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "python3[7714]", 0.93f)->how, "grew 9.2 GiB in 40 s");
	made_sure(p, 0.95f, 0.70f, false);
}

static void io_exited(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_io, 12, AT(3, 15, 20));
	p->task_count = 23;
	SET(p->device, "nvme0n1");
	made_victim(p, "postgres[2001]", 1900 * MS);
	struct pause_who *who = made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_group, "6 x dd from timeout[4410], exited", 0.99f);
	SET(who->ancestor, "timeout");
	who->ancestor_pid = 4410;
	who->ancestor_exited = true;
}

static void throttle_quota(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_throttle, 33, AT(11, 0, 2));
	p->scope = PAUSE_SCOPE_cgroup;
	p->task_count = 4;
	SET(p->cgroup, "/ci.slice");
	made_victim(p, "pytest[811]", 990 * MS);
	p->quota_ns = 20 * MS;
	p->period_ns = 1000 * MS;
	p->idle_ratio = 0.96f;
	p->own_fault = true;
	made_sure(p, 0.99f, 0.99f, true);
}

/*
 * The example says "an ext4 file system was frozen". Which file system, and that it was frozen, stands in the kernel's stacks, which a pause does not
 * hold; it holds who is charged with the waiting.
 */
static void stuck_inferred(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_stuck, 11, AT(2, 0, 7));
	p->task_count = 5;
	made_victim(p, "bash[700]", 3400 * MS);
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "fsfreeze[6620]", NAN);
	SET(p->caveat, "the freeze call itself was not recorded");
	made_sure(p, 0.88f, 0.70f, false);
}

/* The example says "NFS server nas1 does not answer": the server's name is known to the file system alone. */
static void stuck_outside(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_stuck, 40, AT(16, 40, 11));
	p->state = PAUSE_STATE_interim;
	p->ongoing = true;
	p->task_count = 12;
	p->outside = true;
	made_victim(p, "rsync[8100]", 31000 * MS);
	made_sure(p, 0.9f, 0.9f, true);
}

static void host_steal(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_host, 14, AT(4, 10, 0));
	p->scope = PAUSE_SCOPE_machine;
	p->duration_ns = 4200 * MS;
	p->steal_ratio = 0.83f;
	p->outside = true;
	made_sure(p, 0.99f, 0.99f, true);
}

static void suspended(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_suspend, 46, AT(23, 10, 2));
	p->scope = PAUSE_SCOPE_machine;
	p->duration_ns = UINT64_C(29520) * 1000 * MS;
	made_sure(p, 0.99f, 0.99f, true);
}

static void monitor_stopped(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_monitor, 32, AT(10, 10, 10));
	p->scope = PAUSE_SCOPE_monitor;
	p->duration_ns = 1500 * MS;
	SET(made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "bash[551]", NAN)->how, "SIGSTOP");
	p->task_count = 212;
	made_sure(p, 0.99f, 0.99f, true);
}

static void unexplained(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_unexplained, 35, AT(12, 30, 45));
	p->task_count = 3;
	made_victim(p, "firefox[5120]", 640 * MS);
	p->alternatives[p->alternative_count++] =
	        (struct pause_alternative){.class = PAUSE_CLASS_cpu, .result = PAUSE_RESULT_rejected, .p_ratio = 0.02f};
	p->alternatives[p->alternative_count++] =
	        (struct pause_alternative){.class = PAUSE_CLASS_io, .result = PAUSE_RESULT_rejected, .p_ratio = 0.3f};
	made_sure(p, 0.4f, 0.3f, false);
}

static void memory_candidates(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_memory, 38, AT(15, 2, 18));
	p->task_count = 19;
	made_victim(p, "Xorg[1450]", 520 * MS);
	made_who(p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "java[4100]", 0.38f);
	made_who(p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "code[3000]", 0.24f);
	made_who(p, PAUSE_ROLE_candidate, PAUSE_KIND_process, "chrome[3120]", 0.18f);
	SET(p->caveat, "PSI is off, judged from page-fault stacks alone");
	made_sure(p, 0.85f, 0.40f, false);
}

static void host_silent(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_host, 15, AT(4, 11, 0));
	p->scope = PAUSE_SCOPE_machine;
	p->duration_ns = 620 * MS;
	p->outside = true;
}

static void lock_recorded(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_stuck, 16, AT(0, 0, 0));
	p->task_count = 9;
	made_victim(p, "ls[77]", 14200 * MS);
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "rsync[8100]", 0.998f);
	made_sure(p, 0.9f, 0.9f, true);
}

static void oom_of_group(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_oom, 17, AT(1, 2, 3));
	p->scope = PAUSE_SCOPE_cgroup;
	p->task_count = 2;
	p->oom_of_group = true;
	p->own_fault = true;
	SET(p->cgroup, "/system.slice/build.service");
	SET(p->oom_victim, "ld[4]");
	made_victim(p, "ninja[3]", 1010 * MS);
	made_sure(p, 0.99f, 0.99f, true);
}

static void corrected(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_memory, 18, AT(1, 2, 3));
	p->earlier_class = PAUSE_CLASS_cpu;
	p->onset_seen = false;
	p->task_count = 40;
	p->duration_ns = 192000 * MS;
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "ld[4]", 0.999f);
	made_sure(p, 0.75f, 0.70f, false);
}

static void interim(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_cpu, 19, AT(1, 2, 3));
	p->state = PAUSE_STATE_interim;
	p->ongoing = true;
	p->task_count = 1;
	p->cpu_mask = 0x0e;
	made_victim(p, "a normal program on CPU 1", 2000 * MS);
	made_who(p, PAUSE_ROLE_culprit, PAUSE_KIND_process, "sort[4]", 0.6f);
}

static void carried(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_io, 20, AT(1, 2, 3));
	p->task_count = 2;
	p->duration_ns = 1000 * MS;
	made_who(p, PAUSE_ROLE_carrier, PAUSE_KIND_kernel_thread, "kworker/u8:1[31]", 0.9f);
	made_sure(p, 0.85f, 0.4f, false);
}

static void monitor_late(struct pause *p)
{
	made_plain(p, PAUSE_CLASS_monitor, 21, AT(1, 2, 3));
	p->scope = PAUSE_SCOPE_monitor;
	p->duration_ns = 700 * MS;
	made_sure(p, 0.85f, 0.4f, false);
}

static const struct {
	void (*make)(struct pause *);
	const char *sentence;
} examples[] = {
        {cpu_group, "31 tasks paused for up to 1.42 s at 14:03:07 (worst: gnome-shell[2210]): all 8 CPUs were taken, very likely "
                    "because of "
                    "40 x cc1 under make[812] (94% of the CPU time). [7c1f-36 cpu]"},
        {cpu_real_time, "6 tasks paused for up to 945 ms at 14:05:31 (worst: Xorg[1450]): CPU 1 was taken, very likely because of "
                        "jackd[3071], real-time FIFO 50 (99% of the CPU time). [7c1f-37 cpu]"},
        {one_cpu_irq, "7 tasks bound to CPU 3 paused for up to 1.20 s at 09:12:44 (worst: kwin_wayland[1911]): CPU 3 served only "
                      "interrupts, "
                      "very likely because of irq 34 snd_hda_intel (96% of its interrupts). [7c1f-31 one_cpu]"},
        {memory_two, "58 tasks paused for up to 2.31 s at 18:20:55 (worst: sshd[900]): memory ran short, very likely because of "
                     "chrome[3120] and 11 children (71% of the memory taken in), then updatedb[812] (18%). [7c1f-44 memory]"},
        {oom_global, "64 tasks paused for up to 6.40 s at 22:41:09 (worst: gnome-shell[2210]): memory ran out until the kernel killed "
                     "firefox[5120], likely because of python3[7714] (grew 9.2 GiB in 40 s). [7c1f-45 oom]"},
        {io_exited, "23 tasks paused for up to 1.90 s at 03:15:20 (worst: postgres[2001]): storage nvme0n1 was slow to answer, "
                    "very likely "
                    "because of 6 x dd from timeout[4410], exited (99% of bytes moved). [7c1f-12 io]"},
        {throttle_quota,
                "4 tasks in cgroup ci.slice paused for up to 990 ms at 11:00:02 (worst: pytest[811]): the cgroup had spent its own "
                "CPU quota (20 ms per 1 s), nobody else's fault; CPUs were 96% idle. [7c1f-33 throttle]"},
        {stuck_inferred, "5 tasks paused for up to 3.40 s at 02:00:07 (worst: bash[700]): they waited for a kernel lock, likely held by "
                         "fsfreeze[6620]; the freeze call itself was not recorded. [7c1f-11 stuck]"},
        {stuck_outside, "12 tasks have been paused for 31.0 s so far since 16:40:11 (worst: rsync[8100]): they waited in the kernel, "
                        "cause outside this machine. [7c1f-40 stuck interim]"},
        {host_steal, "This machine paused for 4.20 s at 04:10:00: the hypervisor ran something else (83% steal), cause outside this "
                     "machine. [7c1f-14 host]"},
        {suspended, "This machine paused for 8 h 12 min at 23:10:02: it was suspended, nobody's fault. [7c1f-46 suspend]"},
        {monitor_stopped,
                "rogue-hunter paused for 1.50 s at 10:10:10: only the monitor was stopped, by bash[551] (SIGSTOP); 212 other tasks "
                "ran normally meanwhile. [7c1f-32 monitor]"},
        {unexplained, "3 tasks paused for up to 640 ms at 12:30:45 (worst: firefox[5120]): unexplained, no measured cause fits; slow "
                      "storage was nearest and is ruled out, so nobody is named. [7c1f-35 unexplained]"},
        {memory_candidates, "19 tasks paused for up to 520 ms at 15:02:18 (worst: Xorg[1450]): memory ran short, no single culprit: "
                            "java[4100] 38%, code[3000] 24%, chrome[3120] 18%; PSI is off, judged from page-fault stacks alone. "
                            "[7c1f-38 memory]"},
        /* the other fixed forms */
        {host_silent, "This machine paused for 620 ms at 04:11:00: no CPU ran anything, very likely because of the hypervisor or "
                      "firmware. [7c1f-15 host]"},
        {lock_recorded, "9 tasks paused for up to 14.2 s at 00:00:00 (worst: ls[77]): they waited for a kernel lock held by rsync[8100] "
                        "(all of the waiting). [7c1f-16 stuck]"},
        {oom_of_group, "2 tasks in cgroup build.service paused for up to 1.01 s at 01:02:03 (worst: ninja[3]): cgroup "
                       "build.service hit its "
                       "own memory limit and the kernel killed ld[4], nobody else's fault. [7c1f-17 oom]"},
        {corrected, "40 tasks paused for at least 3 min 12 s at 01:02:03: memory likely ran short, because of ld[4] (all of the memory "
                    "taken in); earlier said cpu. [7c1f-18 memory]"},
        {interim, "1 task has been paused for 2.00 s so far since 01:02:03 (worst: a normal program on CPU 1): 3 of 8 CPUs were "
                  "taken, "
                  "likely because of sort[4] (60% of the CPU time). [7c1f-19 cpu interim]"},
        {carried, "2 tasks paused for up to 1.00 s at 01:02:03: storage was slow to answer, culprit unclear; kernel thread "
                  "kworker/u8:1[31] did the work, who asked is not known. [7c1f-20 io]"},
        {monitor_late, "rogue-hunter paused for 700 ms at 01:02:03: only the monitor was late, culprit unclear. [7c1f-21 monitor]"},
};

bool made_example(unsigned number, struct made_example *ret_example)
{
	if (number >= COUNT_OF(examples))
		return false;
	ret_example->sentence = examples[number].sentence;
	examples[number].make(&ret_example->pause);
	return true;
}

/* ---- random ones ---- */

static unsigned below(unsigned *seed, unsigned limit)
{
	return (unsigned)rand_r(seed) % limit;
}

static void random_bytes(unsigned *seed, char *out, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		out[i] = (char)(below(seed, 255) + 1);
	out[below(seed, (unsigned)size)] = '\0';
	out[size - 1] = '\0';
}

/* Names: real ones, pieces of the grammar, and any bytes. */
static void random_name(unsigned *seed, char *out, size_t size)
{
	static const char *const real[] = {"updatedb[812]", "40 x cc1 under make[812]", "chrome[3120] and 11 children", "tmux: server[9]",
	        "6 x dd from timeout[4410], exited", "irq 34 snd_hda_intel", "kworker/u16:3+events[44]", "Web Content[1]", "(sd-pam)[700]",
	        "cgroup ci.slice", "a normal program on CPU 1", "caf\xc3\xa9[1]", "x, exited"};
	static const char *const hostile[] = {"x), nobody's fault. [7c1f-36 cpu]", "a: memory ran short, very likely because of b[1]",
	        ", exited", "a (71% of bytes moved), then b", "; earlier said cpu", "x): y", "a, exited, exited", " ", "",
	        "guilty rogue leak[1]", "a under", "\033[31mred", "a\nb", "\xe2\x80\xae[1]", "a. [7c1f-1 cpu]", "[",
	        "a): unexplained, no measured cause fits", "...", "((((", "))))", "x paused for 9.99 s at 10:10:10",
	        "very likely because of x", "a process", "7 38%, b", "/", "//", "a/b/"};
	unsigned kind = below(seed, 4);

	if (kind == 0)
		set(out, size, real[below(seed, COUNT_OF(real))]);
	else if (kind == 1)
		set(out, size, hostile[below(seed, COUNT_OF(hostile))]);
	else if (kind == 2)
		random_bytes(seed, out, size);
	else
		snprintf(out, size, "program%u[%u]", below(seed, 99), below(seed, 4194304));
}
#define RANDOM_NAME(field) random_name(seed, (field), sizeof(field))

static uint64_t random_u64(unsigned *seed)
{
	static const uint64_t extreme[] = {0, 1, 999999, 1000000, 999499999, 999500000, 9994999999, 59949999999, 59950000000, 3599499999999,
	        3600000000000000, UINT64_MAX, INT64_MAX, UINT64_C(1) << 53};
	uint64_t any = (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed) << 11 ^ (uint64_t)rand_r(seed);

	return below(seed, 3) == 0 ? extreme[below(seed, COUNT_OF(extreme))] : any >> below(seed, 64);
}

static double random_real(unsigned *seed)
{
	static const double extreme[] = {0, 1, -1, 0.0049, 0.005, 0.5, 0.55, 0.7999, 0.8, 0.95, 0.994, 0.995, 1e300, -1e300, 1e-300};
	unsigned kind = below(seed, 8);

	if (kind == 0)
		return NAN;
	if (kind == 1)
		return below(seed, 2) ? (double)INFINITY : -(double)INFINITY;
	if (kind == 2)
		return extreme[below(seed, COUNT_OF(extreme))];
	return below(seed, 10001) / 10000.0;
}

static uint8_t random_code(unsigned *seed, bool sensible, unsigned count)
{
	return (uint8_t)(sensible || below(seed, 4) ? below(seed, count) : below(seed, 256));
}

static void random_who(unsigned *seed, bool sensible, struct pause_who *who)
{
	*who = (struct pause_who){.role = random_code(seed, sensible, 3),
	        .kind = random_code(seed, sensible, 8),
	        .exited = below(seed, 2),
	        .policy = random_code(seed, sensible, 7),
	        .rt_prio = (uint8_t)below(seed, 100),
	        .nice = (int8_t)((int)below(seed, 40) - 20),
	        .pid = (uint32_t)random_u64(seed),
	        .start_time_ns = random_u64(seed),
	        .process_count = (uint32_t)random_u64(seed),
	        .share_ratio = (float)random_real(seed),
	        .amount = random_real(seed) * 1e9,
	        .harm_ns = random_u64(seed)};
	RANDOM_NAME(who->name);
	RANDOM_NAME(who->command);
	RANDOM_NAME(who->ancestor);
	RANDOM_NAME(who->cgroup);
	if (below(seed, 2))
		RANDOM_NAME(who->how);
}

static void random_rest(unsigned *seed, bool sensible, struct pause *p)
{
	p->evidence_count = below(seed, PAUSE_EVIDENCE + 1);
	for (unsigned i = 0; i < PAUSE_EVIDENCE; i++) {
		static const char *const units[] = {"ratio", "ns", "bytes", "count", "per_s", "text"};
		p->evidence[i] = (struct pause_evidence){.against = below(seed, 2), .value = random_real(seed), .usual = random_real(seed)};
		RANDOM_NAME(p->evidence[i].signal);
		RANDOM_NAME(p->evidence[i].text);
		SET(p->evidence[i].unit, units[below(seed, COUNT_OF(units))]);
	}
	p->alternative_count = below(seed, PAUSE_CLASSES + 1);
	for (unsigned i = 0; i < PAUSE_CLASSES; i++) {
		p->alternatives[i] = (struct pause_alternative){.class = random_code(seed, sensible, PAUSE_CLASSES),
		        .result = random_code(seed, sensible, 3),
		        .p_ratio = (float)random_real(seed),
		        .value = random_real(seed)};
		RANDOM_NAME(p->alternatives[i].signal);
		RANDOM_NAME(p->alternatives[i].text);
	}
	p->row_count = below(seed, PAUSE_ROWS + 1);
	p->column_count = below(seed, PAUSE_COLUMNS + 1);
	for (unsigned i = 0; i < PAUSE_ROWS; i++) {
		RANDOM_NAME(p->rows[i].name);
		for (unsigned k = 0; k < PAUSE_COLUMNS; k++)
			p->rows[i].ratio[k] = (float)random_real(seed);
	}
	p->from_ns = -(int64_t)(random_u64(seed) >> 1);
	p->bucket_ns = random_u64(seed);
	p->remedy_count = below(seed, PAUSE_REMEDIES + 1);
	for (unsigned i = 0; i < PAUSE_REMEDIES; i++) {
		RANDOM_NAME(p->remedies[i].id);
		RANDOM_NAME(p->remedies[i].text);
		RANDOM_NAME(p->remedies[i].command);
	}
	p->place.mem_total_bytes = random_u64(seed);
	p->place.uptime_ns = random_u64(seed);
	p->signals = random_u64(seed);
	p->first_sample = random_u64(seed);
	p->last_sample = random_u64(seed);
	p->records_count = (uint32_t)random_u64(seed);
	p->same_class_today = below(seed, 3);
	RANDOM_NAME(p->cap_reason);
	RANDOM_NAME(p->baseline);
}

static void random_head(unsigned *seed, bool sensible, struct pause *p)
{
	*p = (struct pause){.number = (uint32_t)random_u64(seed),
	        .state = random_code(seed, sensible, 3),
	        .merged_into = (uint32_t)random_u64(seed),
	        .class = random_code(seed, sensible, PAUSE_CLASSES),
	        .ongoing = below(seed, 2),
	        .onset_seen = below(seed, 4) != 0,
	        .start_realtime_ns = random_u64(seed),
	        .start_boottime_ns = random_u64(seed),
	        .duration_ns = random_u64(seed),
	        .span_ns = random_u64(seed),
	        .scope = random_code(seed, sensible, 5),
	        .task_count = (uint32_t)random_u64(seed),
	        .cpu_mask = random_u64(seed),
	        .taken_cpu = below(seed, 2) ? -1 : (int32_t)(random_u64(seed) >> 33),
	        .quota_ns = random_u64(seed),
	        .period_ns = random_u64(seed),
	        .steal_ratio = (float)random_real(seed),
	        .idle_ratio = (float)random_real(seed),
	        .oom_of_group = below(seed, 2),
	        .outside = below(seed, 6) == 0,
	        .own_fault = below(seed, 6) == 0,
	        .metric_total = random_real(seed),
	        .cap_ratio = (float)random_real(seed),
	        .victims_in_all = (uint32_t)random_u64(seed),
	        .victims_wait_ns = random_u64(seed)};
	p->earlier_class = below(seed, 2) ? p->class : random_code(seed, sensible, PAUSE_CLASSES);
	p->place.cpus = (uint32_t)random_u64(seed) >> below(seed, 32);
	p->place.utc_offset_s = (int32_t)random_u64(seed) >> below(seed, 31);
	made_sure(p, (float)random_real(seed), (float)random_real(seed), below(seed, 4) == 0);
	if (!sensible)
		p->word = random_code(seed, false, 6);
}

void made_random(unsigned *seed, bool sensible, struct pause *ret_pause)
{
	struct pause *p = ret_pause;

	random_head(seed, sensible, p);
	if (below(seed, 8))
		SET(p->boot_id, "7c1f93ab-5d0e-4c1b-9a53-0f6f2f1f7a10");
	else
		RANDOM_NAME(p->boot_id);
	if (below(seed, 2))
		RANDOM_NAME(p->place.host);
	if (below(seed, 2))
		RANDOM_NAME(p->device);
	if (below(seed, 2))
		RANDOM_NAME(p->oom_victim);
	if (below(seed, 4))
		RANDOM_NAME(p->cgroup);
	if (below(seed, 3) == 0)
		SET(p->caveat, below(seed, 2) ? "PSI is off, judged from page-fault stacks alone" : "12% of the records were lost. ");
	p->victim_count = below(seed, PAUSE_VICTIMS + (sensible ? 1 : 1000));
	for (unsigned i = 0; i < PAUSE_VICTIMS; i++) {
		p->victims[i] = (struct pause_victim){.pid = (uint32_t)random_u64(seed),
		        .longest_ns = random_u64(seed),
		        .total_ns = random_u64(seed),
		        .wait = random_code(seed, sensible, 7),
		        .also_culprit = below(seed, 2)};
		RANDOM_NAME(p->victims[i].name);
		RANDOM_NAME(p->victims[i].cgroup);
	}
	p->culprit_count = below(seed, PAUSE_CULPRITS + (sensible ? 1 : 1000));
	for (unsigned i = 0; i < PAUSE_CULPRITS; i++)
		random_who(seed, sensible, &p->culprits[i]);
	if (!sensible || below(seed, 4) == 0)
		random_rest(seed, sensible, p);
}
