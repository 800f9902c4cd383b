/*
 * sentence.c - see sentence.h. docs/verdict.md has the grammar; tests/support/pause_grammar.c reads it back.
 *
 * Names come from outside. Within the sentence they hold no bytes that the grammar uses to part its pieces, so nobody can write a verdict into the
 * name of a program or of a control group.
 */
#include "pause/sentence.h"

#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A class below this is hedged itself, and a list of candidates is one only where none of them is dominant. */
static const float class_certain = 0.80f;
static const float dominant_share = 0.5f;
/* With more idleness than this in it, it was not all cpus that were taken; a little is from its edges. */
static const float idle_shown = 0.25f;
/* Below this a hypervisor's steal does not explain that nothing ran. */
static const float steal_shown = 0.05f;

struct line {
	char text[1536];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
	va_list list;
	size_t room = sizeof(line->text) - line->used;

	va_start(list, format);
	int length = vsnprintf(line->text + line->used, room, format, list);
	va_end(list);
	if (length > 0)
		line->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void put_clock(struct line *line, const struct pause *p)
{
	enum { DAY_S = 86400 };
	int32_t offset;
	bool local = pause_utc_offset(p, &offset);
	int64_t second = ((int64_t)(p->start_realtime_ns / 1000000000) + offset) % DAY_S;

	if (second < 0)
		second += DAY_S;
	put(line, "%02d:%02d:%02d%s", (int)(second / 3600), (int)(second % 3600 / 60), (int)(second % 60), local ? "" : "Z");
}

/* ---- names ---- */

static const char exited_suffix[] = ", exited";

/* Whether the byte at that place, with those around it, could be taken for a piece of the grammar. */
static bool is_ambiguous(const char *name, size_t at)
{
	char next = name[at + 1];

	if (name[at] == ' ')
		return at == 0 || next == '\0';
	if (name[at] == '(' && at > 0 && name[at - 1] == ' ')
		return true;
	if (name[at] == ')' && next == ':')
		return true;
	if (next == '\0')
		return strchr(",;(", name[at]);
	return next == ' ' && strchr(",;.()", name[at]);
}

/* A name as it may stand in a sentence, of at most `max` bytes: ASCII, and nothing in it that parts pieces of the grammar. Returns out. */
static const char *name_text(const char *raw, size_t raw_bytes, size_t max, char out[PAUSE_TEXT_BYTES])
{
	char clean[PAUSE_TEXT_BYTES];
	bool exited = false;
	size_t length;

	text_sanitise(raw, raw_bytes, clean, sizeof(clean));
	text_reduce_to_ascii(clean);
	length = strlen(clean);
	if (length >= sizeof(exited_suffix) && strcmp(clean + length + 1 - sizeof(exited_suffix), exited_suffix) == 0) {
		exited = true;
		length -= sizeof(exited_suffix) - 1;
		clean[length] = '\0';
	}
	for (size_t i = 0; i < length; i++)
		if (is_ambiguous(clean, i))
			clean[i] = '?';
	if (length == 0)
		length = (size_t)snprintf(clean, sizeof(clean), "unknown");
	if (exited && length + sizeof(exited_suffix) - 1 > max && max < 2 * sizeof(exited_suffix))
		exited = false;
	size_t room = exited ? max + 1 - sizeof(exited_suffix) : max;
	if (length > room)
		snprintf(clean + room - 1, 2, "~");
	snprintf(out, PAUSE_TEXT_BYTES, "%s%s", clean, exited ? exited_suffix : "");
	return out;
}
#define NAME_TEXT(field, max, out) name_text((field), sizeof(field), (max), (out))

/* What stands alone between two words: the last part of a path, without blanks. */
static const char *word_text(const char *raw, size_t raw_bytes, size_t max, char out[PAUSE_TEXT_BYTES])
{
	size_t length = strnlen(raw, raw_bytes), begin;

	while (length > 0 && raw[length - 1] == '/')
		length--;
	for (begin = length; begin > 0 && raw[begin - 1] != '/'; begin--)
		;
	name_text(raw + begin, length - begin, max, out);
	for (char *c = out; *c; c++)
		if (*c == ' ')
			*c = '?';
	return out;
}
#define WORD_TEXT(field, max, out) word_text((field), sizeof(field), (max), (out))

/* What stands in parentheses. */
static void put_how(struct line *line, const struct pause_who *who)
{
	char text[PAUSE_TEXT_BYTES];

	NAME_TEXT(who->how, sizeof(text) - 1, text);
	for (char *c = text; *c; c++)
		if (*c == '(' || *c == ')')
			*c = '?';
	put(line, " (%s)", text);
}

/* ---- what is said ---- */

/* How much of a sentence is told; what does not fit is left out step by step. */
struct shape {
	size_t name_max;
	unsigned names; /* culprits or candidates */
	bool detail, notes, worst, share, group;
};

static const struct shape shapes[] = {
        {PAUSE_NAME_BYTES, 3, true, true, true, true, true},
        {PAUSE_NAME_BYTES, 3, false, true, true, true, true},
        {PAUSE_NAME_BYTES, 2, false, true, true, true, true},
        {PAUSE_NAME_BYTES, 1, false, true, true, true, true},
        {PAUSE_NAME_BYTES, 1, false, true, false, true, true},
        {PAUSE_NAME_BYTES, 1, false, true, false, false, true},
        {PAUSE_NAME_BYTES, 1, false, false, false, false, true},
        {40, 1, false, false, false, false, true},
        {24, 1, false, false, false, false, true},
        {16, 1, false, false, false, false, false},
        {8, 1, false, false, false, false, false},
};

struct said {
	const struct pause *p;
	struct shape shape;
	enum pause_class class;
	enum pause_word word;
	const char *hedge;
	bool hedge_first; /* before WHAT, not before "because of" */
	bool steal;       /* class host: the hypervisor told it */
	unsigned named;
	const struct pause_who *who[2];
};

/* Classes whose cause is somebody. */
static bool has_culprits(enum pause_class class)
{
	switch (class) {
	case PAUSE_CLASS_cpu:
	case PAUSE_CLASS_one_cpu:
	case PAUSE_CLASS_memory:
	case PAUSE_CLASS_oom:
	case PAUSE_CLASS_io:
	case PAUSE_CLASS_stuck:
	case PAUSE_CLASS_monitor:
		return true;
	case PAUSE_CLASS_unexplained:
	case PAUSE_CLASS_suspend:
	case PAUSE_CLASS_host:
	case PAUSE_CLASS_throttle:
	case PAUSE_CLASSES:
		break;
	}
	return false;
}

static unsigned who_count(const struct pause *p)
{
	return p->culprit_count < PAUSE_CULPRITS ? p->culprit_count : PAUSE_CULPRITS;
}

static void choose_words(struct said *said, const struct pause *p)
{
	*said = (struct said){.p = p, .word = pause_word_said(p), .hedge = ""};
	said->class =
	        p->class < PAUSE_CLASSES && said->word != PAUSE_WORD_unexplained ? (enum pause_class)p->class : PAUSE_CLASS_unexplained;
	if (said->class == PAUSE_CLASS_unexplained)
		return;
	if (said->word >= PAUSE_WORD_likely && has_culprits(said->class) && !p->outside && !p->own_fault) {
		for (unsigned i = 0; i < who_count(p) && said->named < COUNT_OF(said->who); i++)
			if (p->culprits[i].role == PAUSE_ROLE_culprit)
				said->who[said->named++] = &p->culprits[i];
	}
	said->steal = said->class == PAUSE_CLASS_host && p->steal_ratio >= steal_shown;
	bool certain = p->class_ratio >= class_certain;
	bool firmware = said->class == PAUSE_CLASS_host && !said->steal;
	if (said->word == PAUSE_WORD_recorded)
		said->hedge = firmware ? pause_hedge(PAUSE_WORD_very_likely) : "";
	else if (said->word == PAUSE_WORD_unclear)
		said->hedge = certain ? "" : pause_hedge(PAUSE_WORD_likely);
	else
		said->hedge = pause_hedge(said->word);
	said->hedge_first = said->hedge[0] && said->word != PAUSE_WORD_recorded && (!certain || (said->named == 0 && !firmware));
}

/* ---- SUBJECT, DUR, TIME ---- */

/* The only cpu it happened on, or -1. */
static int single_cpu(const struct pause *p)
{
	if (p->taken_cpu >= 0)
		return p->taken_cpu;
	return p->cpu_mask && !(p->cpu_mask & (p->cpu_mask - 1)) ? __builtin_ctzll(p->cpu_mask) : -1;
}

/* Whether the subject is in the plural. */
static bool several(const struct pause *p)
{
	return p->scope != PAUSE_SCOPE_machine && p->scope != PAUSE_SCOPE_monitor && p->task_count != 1;
}

static void put_subject(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	char group[PAUSE_TEXT_BYTES];

	if (p->scope == PAUSE_SCOPE_machine || p->scope == PAUSE_SCOPE_monitor) {
		put(line, p->scope == PAUSE_SCOPE_machine ? "This machine" : "rogue-hunter");
		return;
	}
	if (p->task_count == 0)
		put(line, "Some tasks");
	else
		put(line, "%" PRIu32 " task%s", p->task_count, p->task_count == 1 ? "" : "s");
	if (p->scope == PAUSE_SCOPE_cgroup && p->cgroup[0] == '\0')
		put(line, " in one cgroup");
	else if (p->scope == PAUSE_SCOPE_cgroup && said->shape.group)
		put(line, " in cgroup %s", WORD_TEXT(p->cgroup, said->shape.name_max, group));
	else if (p->scope == PAUSE_SCOPE_cpu && single_cpu(p) >= 0)
		put(line, " bound to CPU %d", single_cpu(p));
}

static void put_stand_still(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	char duration[PAUSE_FIGURE_BYTES], name[PAUSE_TEXT_BYTES];
	bool going_on = p->state == PAUSE_STATE_interim && p->ongoing;

	put_subject(line, said);
	put(line, " %spaused for ", going_on ? several(p) ? "have been " : "has been " : "");
	if (!p->onset_seen)
		put(line, "at least ");
	else if (several(p) && !going_on)
		put(line, "up to ");
	put(line, "%s %s ", pause_duration_text(p->duration_ns, duration), going_on ? "so far since" : "at");
	put_clock(line, p);
	if (said->shape.worst && p->victim_count > 0 && p->victims[0].name[0] && p->scope != PAUSE_SCOPE_machine &&
	        p->scope != PAUSE_SCOPE_monitor)
		put(line, " (worst: %s)", NAME_TEXT(p->victims[0].name, said->shape.name_max, name));
	put(line, ": ");
}

/* ---- WHAT ---- */

/* The hedge with a blank, where it stands before WHAT. */
static void put_hedge(struct line *line, const struct said *said)
{
	if (said->hedge_first)
		put(line, "%s ", said->hedge);
}

static void put_cpus_taken(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	unsigned hit = (unsigned)__builtin_popcountll(p->cpu_mask);

	if (p->taken_cpu >= 0)
		put(line, "CPU %d was ", p->taken_cpu);
	else if (p->place.cpus == 1)
		put(line, "the only CPU was ");
	else if (hit > 1 && hit < p->place.cpus && p->place.cpus <= 64)
		put(line, "%u of %" PRIu32 " CPUs were ", hit, p->place.cpus);
	else if (p->place.cpus > 1)
		put(line, "%s %" PRIu32 " CPUs were ", p->idle_ratio > idle_shown ? "some of" : "all", p->place.cpus);
	else
		put(line, "the CPUs were ");
	put_hedge(line, said);
	put(line, "taken");
}

static void put_one_cpu(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	bool by_interrupts = said->named ? said->who[0]->kind == PAUSE_KIND_irq : p->device[0] != '\0';

	if (single_cpu(p) >= 0)
		put(line, "CPU %d ", single_cpu(p));
	else
		put(line, "one CPU ");
	put_hedge(line, said);
	put(line, by_interrupts ? "served only interrupts" : "let no other task run");
}

static void put_kill(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	char name[PAUSE_TEXT_BYTES];

	if (!p->oom_of_group)
		put(line, "memory ");
	else if (p->cgroup[0])
		put(line, "cgroup %s ", WORD_TEXT(p->cgroup, said->shape.name_max, name));
	else
		put(line, "a cgroup ");
	put_hedge(line, said);
	put(line, p->oom_of_group ? "hit its own memory limit and the kernel killed " : "ran out until the kernel killed ");
	put(line, "%s", p->oom_victim[0] ? NAME_TEXT(p->oom_victim, said->shape.name_max, name) : "a process");
}

static void put_storage(struct line *line, const struct said *said)
{
	char device[PAUSE_TEXT_BYTES];

	put(line, "storage ");
	if (said->p->device[0])
		put(line, "%s ", WORD_TEXT(said->p->device, said->shape.name_max, device));
	put(line, "was ");
	put_hedge(line, said);
	put(line, "slow to answer");
}

static void put_quota(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	char quota[PAUSE_FIGURE_BYTES], period[PAUSE_FIGURE_BYTES];

	put(line, "the cgroup had ");
	put_hedge(line, said);
	put(line, "spent its own CPU quota");
	if (p->quota_ns && p->period_ns)
		put(line, " (%s per %s)", pause_quota_text(p->quota_ns, quota), pause_quota_text(p->period_ns, period));
}

static void put_host(struct line *line, const struct said *said)
{
	char steal[PAUSE_FIGURE_BYTES];

	if (said->steal) {
		put(line, "the hypervisor ");
		put_hedge(line, said);
		put(line, "ran something else (%s steal)", pause_state_text((double)said->p->steal_ratio, steal));
	} else {
		put_hedge(line, said);
		put(line, "no CPU ran anything");
	}
}

/* That the monitor was stopped is known from who sent the signal; else only that it did not run. */
static void put_monitor(struct line *line, const struct said *said)
{
	if (said->named > 0 && said->word == PAUSE_WORD_recorded) {
		put(line, "only the monitor was stopped");
	} else if (said->word == PAUSE_WORD_recorded) {
		put(line, "only the monitor did not run");
	} else {
		put(line, "only the monitor was ");
		put_hedge(line, said);
		put(line, "late");
	}
}

static void put_what(struct line *line, const struct said *said)
{
	switch (said->class) {
	case PAUSE_CLASS_suspend:
		put(line, said->p->scope == PAUSE_SCOPE_machine ? "it was " : "the machine was ");
		put_hedge(line, said);
		put(line, "suspended");
		break;
	case PAUSE_CLASS_host:
		put_host(line, said);
		break;
	case PAUSE_CLASS_cpu:
		put_cpus_taken(line, said);
		break;
	case PAUSE_CLASS_one_cpu:
		put_one_cpu(line, said);
		break;
	case PAUSE_CLASS_memory:
		put(line, "memory ");
		put_hedge(line, said);
		put(line, "ran short");
		break;
	case PAUSE_CLASS_oom:
		put_kill(line, said);
		break;
	case PAUSE_CLASS_io:
		put_storage(line, said);
		break;
	case PAUSE_CLASS_throttle:
		put_quota(line, said);
		break;
	case PAUSE_CLASS_stuck:
		put(line, several(said->p) ? "they " : "it ");
		put_hedge(line, said);
		put(line, said->named ? "waited for a kernel lock" : "waited in the kernel");
		break;
	case PAUSE_CLASS_monitor:
		put_monitor(line, said);
		break;
	case PAUSE_CLASS_unexplained:
	case PAUSE_CLASSES:
		put(line, "unexplained, no measured cause fits");
		break;
	}
}

/* ---- WHO ---- */

static void put_policy(struct line *line, const struct pause_who *who)
{
	if (who->policy == RH_POLICY_fifo || who->policy == RH_POLICY_rr)
		put(line, ", real-time %s %u", who->policy == RH_POLICY_fifo ? "FIFO" : "RR", (unsigned)who->rt_prio);
	else if (who->policy == RH_POLICY_deadline)
		put(line, ", real-time deadline");
}

/* A culprit with what it took; the metric is named with the first one only. */
static void put_culprit(struct line *line, const struct said *said, unsigned at)
{
	const struct pause_who *who = said->who[at];
	char name[PAUSE_TEXT_BYTES], share[PAUSE_FIGURE_BYTES];
	bool by_run = said->class == PAUSE_CLASS_cpu || said->class == PAUSE_CLASS_one_cpu;

	put(line, "%s", NAME_TEXT(who->name, said->shape.name_max, name));
	if (!said->shape.share)
		return;
	if (by_run)
		put_policy(line, who);
	if ((said->class == PAUSE_CLASS_oom || said->class == PAUSE_CLASS_monitor) && who->how[0]) {
		put_how(line, who);
	} else if (!isnan(who->share_ratio) && pause_metric_amount(said->class)[0]) {
		put(line, " (%s", pause_share_text((double)who->share_ratio, share));
		if (at == 0)
			put(line, " of %s", pause_metric_amount(said->class));
		put(line, ")");
	}
}

static void put_named(struct line *line, const struct said *said)
{
	bool recorded = said->word == PAUSE_WORD_recorded;
	bool of_lock = said->class == PAUSE_CLASS_stuck;

	if (!recorded || !of_lock)
		put(line, ", ");
	else
		put(line, " ");
	if (said->hedge[0] && !said->hedge_first)
		put(line, "%s ", said->hedge);
	if (of_lock)
		put(line, "held by ");
	else if (!recorded)
		put(line, "because of ");
	else if (said->class == PAUSE_CLASS_memory || said->class == PAUSE_CLASS_oom || said->class == PAUSE_CLASS_io)
		put(line, "caused by "); /* "until the kernel killed a[1], by b[2]" would say who killed */
	else
		put(line, "by ");
	put_culprit(line, said, 0);
	if (said->named > 1 && said->shape.names > 1) {
		put(line, ", then ");
		put_culprit(line, said, 1);
	}
}

/* A candidate that may be listed: with a share that is more than nothing. */
static bool is_listed(const struct pause_who *who)
{
	return (who->role == PAUSE_ROLE_candidate || who->role == PAUSE_ROLE_culprit) && pause_percents((double)who->share_ratio) >= 1;
}

/*
 * Nobody is named: those with the largest shares, unless one of them dominates and only certainty was lacking. "No single culprit" would then be
 * as wrong as a name.
 */
static void put_unnamed(struct line *line, const struct said *said)
{
	const struct pause_who *listed[3];
	char name[PAUSE_TEXT_BYTES], share[PAUSE_FIGURE_BYTES];
	unsigned count = 0;

	for (unsigned i = 0; i < who_count(said->p) && count < COUNT_OF(listed); i++)
		if (is_listed(&said->p->culprits[i]))
			listed[count++] = &said->p->culprits[i];
	bool dominated = count > 0 && listed[0]->share_ratio > dominant_share &&
	                 (count == 1 || listed[1]->share_ratio * 2 <= listed[0]->share_ratio);
	if (count == 0 || dominated || !said->shape.share || !pause_metric_amount(said->class)[0]) {
		put(line, ", culprit unclear");
		return;
	}
	for (unsigned i = 0; i < count && i < said->shape.names; i++)
		put(line, "%s%s %s", i ? ", " : ", no single culprit: ", NAME_TEXT(listed[i]->name, said->shape.name_max, name),
		        pause_share_text((double)listed[i]->share_ratio, share));
}

/* A host is outside by what it is; without steal it may as well be firmware, which is inferred even where the standing still was recorded. */
static void put_host_who(struct line *line, const struct said *said)
{
	if (said->steal)
		put(line, ", cause outside this machine");
	else if (!said->hedge[0])
		put(line, ", culprit unclear");
	else
		put(line, ", %s%sbecause of the hypervisor or firmware", said->hedge_first ? "" : said->hedge,
		        said->hedge_first ? "" : " ");
}

static void put_who(struct line *line, const struct said *said)
{
	if (said->class == PAUSE_CLASS_unexplained)
		return;
	if (said->class == PAUSE_CLASS_host)
		put_host_who(line, said);
	else if (said->class == PAUSE_CLASS_suspend)
		put(line, ", nobody's fault");
	else if (said->class == PAUSE_CLASS_throttle || said->p->own_fault)
		put(line, ", nobody else's fault");
	else if (said->p->outside)
		put(line, ", cause outside this machine");
	else if (said->named > 0)
		put_named(line, said);
	else
		put_unnamed(line, said);
}

/* ---- CAVEAT ---- */

/* One remark, cut at its first comma where detail is left out. */
static void put_note(struct line *line, const struct said *said, const char *raw, size_t raw_bytes)
{
	char text[2 * PAUSE_TEXT_BYTES];
	size_t length;

	text_sanitise(raw, raw_bytes, text, sizeof(text));
	text_reduce_to_ascii(text);
	char *comma = said->shape.detail ? NULL : strstr(text, ", ");
	length = comma ? (size_t)(comma - text) : strlen(text);
	/* The sentence has a full stop and a tag of its own. */
	while (length > 0 && strchr(". ;,", text[length - 1]))
		length--;
	if (length > 0)
		put(line, "; %.*s", (int)length, text);
}

/* Which other class came nearest to an explanation. */
static void put_nearest(struct line *line, const struct said *said)
{
#define PAUSE_CAUSE(class, text) [PAUSE_CLASS_##class] = text,
	static const char *const causes[PAUSE_CLASSES] = {
#include "pause/pause.def"
	};
	const struct pause *p = said->p;
	const struct pause_alternative *nearest = NULL;
	char text[2 * PAUSE_TEXT_BYTES];

	for (uint32_t i = 0; i < p->alternative_count && i < PAUSE_CLASSES; i++) {
		const struct pause_alternative *other = &p->alternatives[i];
		if (other->class < PAUSE_CLASSES && causes[other->class] && other->p_ratio > 0 &&
		        (!nearest || other->p_ratio > nearest->p_ratio))
			nearest = other;
	}
	if (!nearest)
		snprintf(text, sizeof(text), "nobody is named");
	else if (nearest->result == PAUSE_RESULT_cannot_tell)
		snprintf(text, sizeof(text), "%s cannot be ruled out, so nobody is named", causes[nearest->class]);
	else
		snprintf(text, sizeof(text), "%s was nearest and is %s, so nobody is named", causes[nearest->class],
		        nearest->result == PAUSE_RESULT_rejected ? "ruled out" : "not certain");
	put_note(line, said, text, sizeof(text));
}

/* A kernel thread did the work and nobody was found who asked for it. */
static void put_carrier(struct line *line, const struct said *said)
{
	const struct pause_who *carrier = NULL;
	char name[PAUSE_TEXT_BYTES], text[2 * PAUSE_TEXT_BYTES];

	if (!has_culprits(said->class) || said->p->outside || said->p->own_fault)
		return;
	for (unsigned i = 0; i < who_count(said->p); i++) {
		if (said->p->culprits[i].role != PAUSE_ROLE_carrier)
			return;
		if (!carrier && said->p->culprits[i].kind == PAUSE_KIND_kernel_thread)
			carrier = &said->p->culprits[i];
	}
	if (!carrier)
		return;
	snprintf(text, sizeof(text), "kernel thread %s did the work, who asked is not known",
	        NAME_TEXT(carrier->name, said->shape.name_max, name));
	put_note(line, said, text, sizeof(text));
}

static void put_notes(struct line *line, const struct said *said)
{
	const struct pause *p = said->p;
	char text[PAUSE_TEXT_BYTES], idle[PAUSE_FIGURE_BYTES];

	if (said->shape.notes) {
		if (said->class == PAUSE_CLASS_throttle && !isnan(p->idle_ratio)) {
			snprintf(text, sizeof(text), "CPUs were %s idle", pause_state_text((double)p->idle_ratio, idle));
			put_note(line, said, text, sizeof(text));
		}
		if (p->caveat[0])
			put_note(line, said, p->caveat, sizeof(p->caveat));
		else if (said->class == PAUSE_CLASS_unexplained)
			put_nearest(line, said);
		else if (said->class == PAUSE_CLASS_monitor && p->scope == PAUSE_SCOPE_monitor && p->task_count > 0)
			put(line, "; %" PRIu32 " other task%s ran normally meanwhile", p->task_count, p->task_count == 1 ? "" : "s");
		else
			put_carrier(line, said);
	}
	if (p->state == PAUSE_STATE_final && p->earlier_class != p->class && p->earlier_class < PAUSE_CLASSES)
		put(line, "; earlier said %s", pause_class_name(p->earlier_class));
}

/* ---- the whole ---- */

static size_t put_tag(const struct said *said, unsigned id_digits, char *out, size_t size)
{
	enum { BOOT_DIGITS = 8, DIGITS_MIN = 4 };
	char id[PAUSE_ID_BYTES];
	unsigned shown = id_digits < DIGITS_MIN ? DIGITS_MIN : id_digits > BOOT_DIGITS ? BOOT_DIGITS : id_digits;

	pause_id(said->p, id);
	return (size_t)snprintf(out, size, ". [%.*s%s %s%s]", (int)shown, id, id + BOOT_DIGITS, pause_class_name(said->class),
	        said->p->state == PAUSE_STATE_interim ? " interim" : "");
}

size_t pause_sentence(const struct pause *pause, unsigned id_digits, char out[PAUSE_SENTENCE_BYTES])
{
	struct said said;
	struct line line;
	char tag[64];
	size_t tag_bytes, room;

	choose_words(&said, pause);
	tag_bytes = put_tag(&said, id_digits, tag, sizeof(tag));
	room = PAUSE_SENTENCE_BYTES - 1 - tag_bytes;
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		said.shape = shapes[i];
		line.used = 0;
		put_stand_still(&line, &said);
		put_what(&line, &said);
		put_who(&line, &said);
		put_notes(&line, &said);
		if (line.used <= room)
			break;
	}
	return (size_t)snprintf(out, PAUSE_SENTENCE_BYTES, "%.*s%s", (int)(line.used < room ? line.used : room), line.text, tag);
}

char *pause_who_short(const struct pause *pause, char out[PAUSE_NAME_BYTES + 8])
{
	enum { SIZE = PAUSE_NAME_BYTES + 8 };
	struct said said;
	char name[PAUSE_TEXT_BYTES], share[PAUSE_FIGURE_BYTES];

	choose_words(&said, pause);
	if (said.class == PAUSE_CLASS_host || (said.class != PAUSE_CLASS_unexplained && pause->outside))
		snprintf(out, SIZE, "(outside)");
	else if (said.class == PAUSE_CLASS_suspend || said.class == PAUSE_CLASS_throttle ||
	         (said.class != PAUSE_CLASS_unexplained && pause->own_fault))
		snprintf(out, SIZE, "(nobody)");
	else if (said.named == 0)
		snprintf(out, SIZE, "(unclear)");
	else if (isnan(said.who[0]->share_ratio) || !pause_metric_amount(said.class)[0])
		snprintf(out, SIZE, "%s", NAME_TEXT(said.who[0]->name, PAUSE_NAME_BYTES - 1, name));
	else
		snprintf(out, SIZE, "%s %s", NAME_TEXT(said.who[0]->name, SIZE - sizeof(" under 1%"), name),
		        pause_share_text((double)said.who[0]->share_ratio, share));
	return out;
}
