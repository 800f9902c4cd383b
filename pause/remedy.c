/* remedy.c - see remedy.h; the rules are rows of remedies.def. */
#include "pause/remedy.h"

#include "rogue/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what the conditions ask ---- */

static bool is_kernel(const struct pause_facts *f, uint32_t major, uint32_t minor)
{
	return f->kernel_major > major || (f->kernel_major == major && f->kernel_minor >= minor);
}

static bool is_real_time(const struct pause_who *who)
{
	return who && (who->policy == RH_POLICY_fifo || who->policy == RH_POLICY_rr);
}

static bool is_background(const struct pause_who *who)
{
	return who && (who->nice > 0 || who->policy == RH_POLICY_batch || who->policy == RH_POLICY_idle);
}

static bool is_irq(const struct pause_who *who)
{
	return who && who->kind == PAUSE_KIND_irq;
}

/* Weights part cpus between units; they mean nothing to real time, nor within one unit. */
static bool can_be_weighed(const struct pause_facts *f, const struct pause_who *who)
{
	return who && !is_real_time(who) && f->cgroup2_cpu && f->culprit_has_unit && f->victim_has_unit && !f->same_unit;
}

static bool can_limit_io(const struct pause_facts *f, const struct pause_who *who)
{
	return who && f->cgroup2_io && f->culprit_has_unit && !f->same_unit;
}

static bool honours_weight(const struct pause_facts *f)
{
	return f->io_cost || strcmp(f->io_scheduler, "bfq") == 0;
}

static bool honours_ionice(const struct pause_facts *f)
{
	return strcmp(f->io_scheduler, "bfq") == 0 || (strcmp(f->io_scheduler, "mq-deadline") == 0 && is_kernel(f, 5, 14));
}

static bool is_memory_chronic(const struct pause *p, const struct pause_facts *f)
{
	return f->memory_today >= 3 || p->duration_ns > UINT64_C(5000000000);
}

static bool is_killed(const struct pause *p, const struct pause_who *who)
{
	return strncmp(p->oom_victim, who->name, sizeof(p->oom_victim)) == 0;
}

static bool is_service(const struct pause *p)
{
	static const char suffix[] = ".service";
	size_t length = strnlen(p->cgroup, sizeof(p->cgroup));

	return length >= sizeof(suffix) && memcmp(p->cgroup + length + 1 - sizeof(suffix), suffix, sizeof(suffix) - 1) == 0;
}

/* The first signal that was missing of those that most often decide, and that can be enabled. NULL if there is none. */
static const struct rh_signal_row *deciding_signal(const struct pause *p)
{
	static const uint8_t order[] = {RH_SIGNAL_scheduler, RH_SIGNAL_canaries, RH_SIGNAL_psi_memory, RH_SIGNAL_psi_io,
	        RH_SIGNAL_block_requests, RH_SIGNAL_kernel_locks, RH_SIGNAL_cpu_quota, RH_SIGNAL_delay_accounting, RH_SIGNAL_guard_deadline,
	        RH_SIGNAL_reclaim};

	for (size_t i = 0; i < COUNT_OF(order); i++)
		for (size_t k = 0; !(p->signals >> order[i] & 1) && k < COUNT_OF(rh_signal_rows); k++)
			if (rh_signal_rows[k].bit == order[i] && rh_signal_rows[k].enable[0])
				return &rh_signal_rows[k];
	return NULL;
}

#define PAUSE_REMEDY(class, name, condition, because, text, command, undo, risk) \
	static bool fits_##class##_##name(const struct pause *p, const struct pause_facts *f, const struct pause_who *who) \
	{ \
		(void)p; \
		(void)f; \
		(void)who; \
		return (condition); \
	}
#include "pause/remedies.def"

static const struct remedy {
	bool (*fits)(const struct pause *p, const struct pause_facts *f, const struct pause_who *who);
	const char *id, *because, *text, *command, *undo, *risk;
	uint8_t class;
} remedies[] = {
#define PAUSE_REMEDY(class_, name_, condition_, because_, text_, command_, undo_, risk_) \
	{.fits = fits_##class_##_##name_, \
	        .id = #class_ "." #name_, \
	        .because = (because_), \
	        .text = (text_), \
	        .command = (command_), \
	        .undo = (undo_), \
	        .risk = (risk_), \
	        .class = PAUSE_CLASS_##class_},
#include "pause/remedies.def"
};

/* ---- texts ---- */

/* A name that is one word to a shell, whatever it holds; else the word in capitals. */
static void put_safe(char out[PAUSE_NAME_BYTES], const char *name, size_t room, const char *instead)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-";
	size_t length = strnlen(name, room);
	size_t good = 0;

	while (good < length && strchr(allowed, name[good]))
		good++;
	/* What begins with a dash is an option. */
	if (length == 0 || good < length || length >= PAUSE_NAME_BYTES || name[0] == '-')
		snprintf(out, PAUSE_NAME_BYTES, "%s", instead);
	else
		snprintf(out, PAUSE_NAME_BYTES, "%.*s", (int)length, name);
}

static void put_number(char out[PAUSE_NAME_BYTES], uint64_t number, const char *instead)
{
	if (number)
		snprintf(out, PAUSE_NAME_BYTES, "%" PRIu64, number);
	else
		snprintf(out, PAUSE_NAME_BYTES, "%s", instead);
}

/* The last part of a path. */
static void put_last(char out[PAUSE_NAME_BYTES], const char *path, size_t room, const char *instead)
{
	size_t begin = strnlen(path, room);

	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	put_safe(out, path + begin, room - begin, instead);
}

/* Units under a user's own manager are that manager's. */
static void put_manager(char out[PAUSE_NAME_BYTES], const char *path, size_t room)
{
	snprintf(out, PAUSE_NAME_BYTES, "%s", memmem(path, strnlen(path, room), "/user@", 6) ? "--user " : "");
}

/* Percents of a cpu that a quota is, times a factor; "N%" where it is not known. */
static void put_quota(char out[PAUSE_NAME_BYTES], const struct pause *p, uint64_t factor)
{
	uint64_t percents = p->period_ns && p->quota_ns < UINT64_MAX / 200 ? factor * p->quota_ns * 100 / p->period_ns : 0;

	if (percents)
		snprintf(out, PAUSE_NAME_BYTES, "%" PRIu64 "%%", percents);
	else
		snprintf(out, PAUSE_NAME_BYTES, "N%%");
}

static void put_irq(char out[PAUSE_NAME_BYTES], const struct pause_who *who)
{
	unsigned number;

	if (who && sscanf(who->name, "irq %9u", &number) == 1)
		snprintf(out, PAUSE_NAME_BYTES, "%u", number);
	else
		snprintf(out, PAUSE_NAME_BYTES, "IRQ");
}

struct source {
	const struct pause *p;
	const struct pause_facts *f;
	const struct pause_who *who; /* NULL: nobody is named */
};

/* What stands for a word in braces. Returns false for one that does not exist. */
static bool put_value(const struct source *s, const char *word, char out[PAUSE_NAME_BYTES])
{
	const struct pause *p = s->p;
	const struct pause_who *who = s->who;

	if (strcmp(word, "unit") == 0)
		put_safe(out, s->f->culprit_unit, sizeof(s->f->culprit_unit), "UNIT");
	else if (strcmp(word, "victim") == 0)
		put_safe(out, s->f->victim_unit, sizeof(s->f->victim_unit), "UNIT");
	else if (strcmp(word, "group") == 0)
		put_last(out, p->cgroup, sizeof(p->cgroup), "UNIT");
	else if (strcmp(word, "user") == 0)
		put_manager(out, who ? who->cgroup : "", who ? sizeof(who->cgroup) : 0);
	else if (strcmp(word, "victim_user") == 0)
		put_manager(out, p->victim_count ? p->victims[0].cgroup : p->cgroup, sizeof(p->cgroup));
	else if (strcmp(word, "pid") == 0)
		put_number(out, who ? who->pid : 0, "PID");
	else if (strcmp(word, "nice") == 0)
		snprintf(out, PAUSE_NAME_BYTES, "%d", who ? (int)who->nice : 0);
	else if (strcmp(word, "policy") == 0)
		snprintf(out, PAUSE_NAME_BYTES, "%s", who && who->policy == RH_POLICY_rr ? "-r" : "-f");
	else if (strcmp(word, "priority") == 0)
		put_number(out, who ? who->rt_prio : 0, "PRIORITY");
	else if (strcmp(word, "irq") == 0)
		put_irq(out, who);
	else if (strcmp(word, "other_cpu") == 0)
		snprintf(out, PAUSE_NAME_BYTES, "%d", p->taken_cpu == 0 ? 1 : 0);
	else if (strcmp(word, "cpus") == 0)
		put_number(out, p->place.cpus, "N");
	else if (strcmp(word, "device") == 0)
		put_safe(out, p->device, sizeof(p->device), "DEVICE");
	else if (strcmp(word, "quota") == 0)
		put_quota(out, p, 2);
	else if (strcmp(word, "quota_now") == 0)
		put_quota(out, p, 1);
	else if (strcmp(word, "size") == 0 && s->f->culprit_bytes_before >= 1048576)
		snprintf(out, PAUSE_NAME_BYTES, "%" PRIu64 "M", s->f->culprit_bytes_before / 1048576);
	else if (strcmp(word, "size") == 0)
		snprintf(out, PAUSE_NAME_BYTES, "SIZE");
	else
		return false;
	return true;
}

/* The texts of signals are ours, and longer than a name. */
static const char *long_value(const struct source *s, const char *word)
{
	const struct rh_signal_row *signal = deciding_signal(s->p);

	if (signal && strcmp(word, "signal") == 0)
		return signal->name;
	return signal && strcmp(word, "enable") == 0 ? signal->enable : NULL;
}

/* Fills the words in braces in. What would not fit becomes "": half a command is another command. */
static void expand(const struct source *s, const char *format, char *out, size_t size)
{
	size_t used = 0;
	bool fits = true;

	while (*format && fits) {
		char word[16], value[PAUSE_NAME_BYTES];
		const char *text = value;
		size_t taken = *format == '{' ? strcspn(format, "}") : 0;

		if (taken > 1 && taken - 1 < sizeof(word)) {
			snprintf(word, sizeof(word), "%.*s", (int)(taken - 1), format + 1);
			if (long_value(s, word))
				text = long_value(s, word);
			else
				fits = put_value(s, word, value);
			format += taken + 1;
		} else {
			snprintf(value, 2, "%s", format++);
		}
		size_t length = fits ? strlen(text) : 0;
		fits = fits && used + length < size;
		if (fits) {
			memcpy(out + used, text, length);
			used += length;
		}
	}
	out[fits ? used : 0] = '\0';
}

void pause_remedies(struct pause *pause, const struct pause_facts *facts)
{
	struct source source = {.p = pause, .f = facts, .who = pause_named(pause)};

	pause->remedy_count = 0;
	for (size_t i = 0; i < COUNT_OF(remedies) && pause->remedy_count < PAUSE_REMEDIES; i++) {
		const struct remedy *row = &remedies[i];
		struct pause_remedy *out = &pause->remedies[pause->remedy_count];
		if (row->class != pause->class || !row->fits(pause, facts, source.who))
			continue;
		snprintf(out->id, sizeof(out->id), "%s", row->id);
		snprintf(out->condition, sizeof(out->condition), "%s", row->because);
		expand(&source, row->text, out->text, sizeof(out->text));
		expand(&source, row->command, out->command, sizeof(out->command));
		expand(&source, row->undo, out->undo, sizeof(out->undo));
		snprintf(out->risk, sizeof(out->risk), "%s", row->risk);
		pause->remedy_count++;
	}
}
