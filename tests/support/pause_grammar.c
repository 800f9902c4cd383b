/*
 * pause_grammar.c - see pause_grammar.h. A parser by recursive descent: each read_x() moves the cursor behind an x and returns true, or leaves it.
 */
#include "tests/support/pause_grammar.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { SENTENCE_MAX = 240, NAMES_MAX = 8 };

struct cursor {
	const char *at, *end; /* the end is where the tag begins */
	unsigned hedges;
	struct {
		const char *begin, *end;
	} names[NAMES_MAX];
	unsigned name_count;
};

static const char *const hedges[] = {"almost certainly", "very likely", "likely"};

/*
 * Forms of WHAT. %h: the hedge may stand here. %n: a number. %w: a word. %N: a name. %d: a duration. %s: percents.
 */
static const struct {
	const char *class, *form;
} forms[] = {
        {"cpu", "all %n CPUs were %htaken"},
        {"cpu", "%n of %n CPUs were %htaken"},
        {"cpu", "some of %n CPUs were %htaken"},
        {"cpu", "CPU %n was %htaken"},
        {"cpu", "the only CPU was %htaken"},
        {"cpu", "the CPUs were %htaken"},
        {"one_cpu", "CPU %n %hserved only interrupts"},
        {"one_cpu", "one CPU %hserved only interrupts"},
        {"one_cpu", "CPU %n %hlet no other task run"},
        {"one_cpu", "one CPU %hlet no other task run"},
        {"memory", "memory %hran short"},
        {"oom", "memory %hran out until the kernel killed a process"},
        {"oom", "memory %hran out until the kernel killed %N"},
        {"oom", "cgroup %w %hhit its own memory limit and the kernel killed a process"},
        {"oom", "cgroup %w %hhit its own memory limit and the kernel killed %N"},
        {"oom", "a cgroup %hhit its own memory limit and the kernel killed a process"},
        {"oom", "a cgroup %hhit its own memory limit and the kernel killed %N"},
        {"io", "storage was %hslow to answer"},
        {"io", "storage %w was %hslow to answer"},
        {"throttle", "the cgroup had %hspent its own CPU quota (%d per %d)"},
        {"throttle", "the cgroup had %hspent its own CPU quota"},
        {"stuck", "they %hwaited for a kernel lock"},
        {"stuck", "it %hwaited for a kernel lock"},
        {"stuck", "they %hwaited in the kernel"},
        {"stuck", "it %hwaited in the kernel"},
        {"host", "the hypervisor %hran something else (%s steal)"},
        {"host", "%hno CPU ran anything"},
        {"suspend", "it was %hsuspended"},
        {"suspend", "the machine was %hsuspended"},
        {"monitor", "only the monitor was stopped"},
        {"monitor", "only the monitor did not run"},
        {"monitor", "only the monitor was %hlate"},
        {"unexplained", "unexplained, no measured cause fits"},
};

static bool is_at(const struct cursor *c, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(c->end - c->at) >= length && memcmp(c->at, text, length) == 0;
}

static bool read_text(struct cursor *c, const char *text)
{
	if (!is_at(c, text))
		return false;
	c->at += strlen(text);
	return true;
}

static bool read_number(struct cursor *c, uint64_t *ret_number)
{
	const char *begin = c->at;
	uint64_t number = 0;

	while (c->at < c->end && isdigit((unsigned char)*c->at))
		number = number * 10 + (uint64_t)(*c->at++ - '0');
	if (c->at == begin || c->at - begin > 10 || (*begin == '0' && c->at - begin > 1)) {
		c->at = begin;
		return false;
	}
	*ret_number = number;
	return true;
}

static void copy(const char *begin, const char *end, char out[GRAMMAR_NAME_BYTES])
{
	snprintf(out, GRAMMAR_NAME_BYTES, "%.*s", (int)(end - begin), begin);
}

static bool keep_name(struct cursor *c, const char *begin, char out[GRAMMAR_NAME_BYTES])
{
	if (c->at == begin || c->at - begin >= GRAMMAR_NAME_BYTES || c->name_count == NAMES_MAX)
		return false;
	c->names[c->name_count].begin = begin;
	c->names[c->name_count++].end = c->at;
	copy(begin, c->at, out);
	return true;
}

/* Does a name end here? Not between a group's starter and the remark that it has exited. */
static bool ends_name(const struct cursor *c)
{
	static const char exited[] = ", exited";
	struct cursor after = *c;

	if (c->at == c->end || is_at(c, "; ") || is_at(c, " ("))
		return true;
	if (!is_at(c, ", "))
		return false;
	return !(read_text(&after, exited) && (after.at == after.end || strchr(",; ", *after.at)));
}

static bool read_name(struct cursor *c, char out[GRAMMAR_NAME_BYTES])
{
	const char *begin = c->at;

	while (!ends_name(c))
		c->at++;
	if (keep_name(c, begin, out))
		return true;
	c->at = begin;
	return false;
}

static bool read_word(struct cursor *c, char out[GRAMMAR_NAME_BYTES])
{
	const char *begin = c->at;

	while (c->at < c->end && *c->at != ' ')
		c->at++;
	if (keep_name(c, begin, out))
		return true;
	c->at = begin;
	return false;
}

/* ---- figures ---- */

/* A decimal number of at most three digits, in thousandths; its last digit's worth too. */
static bool read_decimal(struct cursor *c, uint64_t *ret_thousandths, uint64_t *ret_step)
{
	const char *begin = c->at;
	uint64_t value = 0, step = 1000;
	unsigned digits = 0;
	bool point = false;

	for (; c->at < c->end; c->at++) {
		if (*c->at == '.' && !point && digits > 0 && c->at + 1 < c->end && isdigit((unsigned char)c->at[1])) {
			point = true;
		} else if (isdigit((unsigned char)*c->at)) {
			value = value * 10 + (uint64_t)(*c->at - '0');
			digits++;
			step = point ? step / 10 : step;
		} else {
			break;
		}
	}
	if (digits == 0 || digits > 3) {
		c->at = begin;
		return false;
	}
	*ret_thousandths = value * step;
	*ret_step = step;
	return true;
}

static bool read_duration(struct cursor *c, uint64_t *ret_ns, uint64_t *ret_error_ns)
{
	static const struct {
		const char *unit, *smaller;
		uint64_t ns, smaller_ns, smaller_most;
		bool whole; /* no decimals */
	} units[] = {{" ms", NULL, 1000000, 0, 0, true}, {" s", NULL, 1000000000, 0, 0, false},
	        {" min ", " s", UINT64_C(60000000000), 1000000000, 59, true},
	        {" h ", " min", UINT64_C(3600000000000), UINT64_C(60000000000), 59, true},
	        {" d ", " h", UINT64_C(86400000000000), UINT64_C(3600000000000), 23, true}};
	const char *begin = c->at;
	uint64_t large, step, small;

	if (read_text(c, "under 1 ms")) {
		*ret_ns = 500000;
		*ret_error_ns = 500000;
		return true;
	}
	if (read_text(c, "over 999 d")) {
		*ret_ns = UINT64_C(1000) * 86400 * 1000000000;
		*ret_error_ns = UINT64_MAX;
		return true;
	}
	if (!read_decimal(c, &large, &step))
		return false;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		const char *number = c->at;
		if (!read_text(c, units[i].unit) || (units[i].whole && step != 1000)) {
			c->at = number;
			continue;
		}
		*ret_ns = large * (units[i].ns / 1000);
		*ret_error_ns = step * (units[i].ns / 1000);
		if (!units[i].smaller)
			return true;
		if (read_number(c, &small) && small <= units[i].smaller_most && read_text(c, units[i].smaller)) {
			*ret_ns += small * units[i].smaller_ns;
			*ret_error_ns = units[i].smaller_ns;
			return true;
		}
		c->at = number;
	}
	c->at = begin;
	return false;
}

/* "94%", "under 1%", and what stands for 100%. */
static bool read_share(struct cursor *c, const char *whole)
{
	const char *begin = c->at;
	uint64_t percents;

	if (read_text(c, "under 1%") || read_text(c, whole))
		return true;
	if (read_number(c, &percents) && percents >= 1 && percents <= 99 && read_text(c, "%"))
		return true;
	c->at = begin;
	return false;
}

static bool read_clock(struct cursor *c, struct grammar_pause *ret)
{
	const char *t = c->at;

	if (c->end - t < 8 || t[2] != ':' || t[5] != ':')
		return false;
	for (int i = 0; i < 8; i++)
		if (i != 2 && i != 5 && !isdigit((unsigned char)t[i]))
			return false;
	int hour = (t[0] - '0') * 10 + t[1] - '0', minute = (t[3] - '0') * 10 + t[4] - '0', second = (t[6] - '0') * 10 + t[7] - '0';
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	c->at += 8;
	ret->second_of_day = hour * 3600 + minute * 60 + second;
	ret->utc = read_text(c, "Z");
	return true;
}

/* ---- pieces ---- */

static bool read_hedge(struct cursor *c, struct grammar_pause *ret)
{
	for (size_t i = 0; i < COUNT_OF(hedges); i++) {
		struct cursor after = *c;
		if (read_text(&after, hedges[i]) && read_text(&after, " ")) {
			*c = after;
			c->hedges++;
			snprintf(ret->hedge, sizeof(ret->hedge), "%s", hedges[i]);
			return true;
		}
	}
	return false;
}

static const char *read_tag(const char *sentence, struct cursor *c, struct grammar_pause *ret)
{
	static const char *const classes[] = {
	        "suspend", "host", "cpu", "one_cpu", "memory", "oom", "io", "throttle", "stuck", "monitor", "unexplained"};
	const char *tag = NULL;

	for (const char *found = strstr(sentence, ". ["); found; found = strstr(found + 1, ". ["))
		tag = found;
	if (!tag)
		return "no tag";
	c->end = tag;
	struct cursor t = {.at = tag + 3, .end = sentence + strlen(sentence)};
	const char *id = t.at;
	size_t digits = strspn(t.at, "0123456789abcdef");
	uint64_t number;
	t.at += digits;
	if (digits < 4 || digits > 8 || !read_text(&t, "-") || !read_number(&t, &number))
		return "no id in the tag";
	snprintf(ret->id, sizeof(ret->id), "%.*s", (int)(t.at - id), id);
	if (!read_text(&t, " "))
		return "no class in the tag";
	size_t length = strspn(t.at, "abcdefghijklmnopqrstuvwxyz_");
	for (size_t i = 0; i < COUNT_OF(classes); i++)
		if (strlen(classes[i]) == length && memcmp(classes[i], t.at, length) == 0)
			snprintf(ret->class, sizeof(ret->class), "%s", classes[i]);
	if (!ret->class[0])
		return "not a class in the tag";
	t.at += length;
	ret->interim = read_text(&t, " interim");
	return read_text(&t, "]") && t.at == t.end ? NULL : "the tag does not end";
}

static const char *read_subject(struct cursor *c, struct grammar_pause *ret)
{
	uint64_t number;

	ret->bound_cpu = -1;
	if (read_text(c, "This machine ")) {
		ret->subject = GRAMMAR_MACHINE;
		return NULL;
	}
	if (read_text(c, "rogue-hunter ")) {
		ret->subject = GRAMMAR_MONITOR;
		return NULL;
	}
	ret->subject = GRAMMAR_TASKS;
	if (read_number(c, &number)) {
		if (number == 0 || !read_text(c, number == 1 ? " task " : " tasks "))
			return "the number of tasks";
		ret->task_count = (uint32_t)number;
	} else if (!read_text(c, "Some tasks ")) {
		return "no subject";
	}
	if (read_text(c, "in cgroup ")) {
		if (!read_word(c, ret->group) || !read_text(c, " "))
			return "no cgroup";
	} else if (read_text(c, "bound to CPU ")) {
		if (!read_number(c, &number) || !read_text(c, " "))
			return "no CPU";
		ret->bound_cpu = (int)number;
	} else {
		read_text(c, "in one cgroup ");
	}
	return NULL;
}

static const char *read_stand_still(struct cursor *c, struct grammar_pause *ret)
{
	bool plural = ret->subject == GRAMMAR_TASKS && ret->task_count != 1;

	ret->going_on = read_text(c, plural ? "have been " : "has been ");
	if (!read_text(c, "paused for "))
		return "not paused";
	ret->at_least = read_text(c, "at least ");
	ret->up_to = !ret->at_least && !ret->going_on && plural && read_text(c, "up to ");
	if (plural && !ret->going_on && !ret->at_least && !ret->up_to)
		return "several tasks, and not 'up to'";
	const char *begin = c->at;
	if (!read_duration(c, &ret->duration_ns, &ret->duration_error_ns))
		return "no duration";
	snprintf(ret->duration, sizeof(ret->duration), "%.*s", (int)(c->at - begin), begin);
	if (!read_text(c, ret->going_on ? " so far since " : " at ") || !read_clock(c, ret))
		return "no time";
	if (ret->going_on && !ret->interim)
		return "going on, and not interim";
	if (ret->subject == GRAMMAR_TASKS && read_text(c, " (worst: ")) {
		begin = c->at;
		while (c->at < c->end && !is_at(c, "): "))
			c->at++;
		if (!keep_name(c, begin, ret->worst) || !read_text(c, ")"))
			return "no worst victim";
	}
	return read_text(c, ": ") ? NULL : "no colon before WHAT";
}

static bool read_form(struct cursor *c, const char *form, struct grammar_pause *ret)
{
	char name[GRAMMAR_NAME_BYTES];
	uint64_t number;

	for (; *form; form++) {
		bool read;
		if (*form != '%') {
			read = c->at < c->end && *c->at == *form;
			c->at += read;
		} else {
			switch (*++form) {
			case 'h':
				read_hedge(c, ret);
				read = true;
				break;
			case 'n':
				read = read_number(c, &number);
				break;
			case 'w':
				read = read_word(c, name);
				break;
			case 'N':
				read = read_name(c, name);
				break;
			case 'd':
				read = read_duration(c, &number, &number);
				break;
			default:
				read = read_share(c, "over 99%");
				break;
			}
		}
		if (!read)
			return false;
	}
	/* A form ends where WHO begins, the caveat, or the tag. */
	return c->at == c->end || is_at(c, ", ") || is_at(c, "; ") || is_at(c, " held by ");
}

static const char *read_what(struct cursor *c, struct grammar_pause *ret)
{
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct cursor after = *c;
		char hedge[sizeof(ret->hedge)];

		memcpy(hedge, ret->hedge, sizeof(hedge));
		if (strcmp(forms[i].class, ret->class) == 0 && read_form(&after, forms[i].form, ret)) {
			*c = after;
			ret->what = forms[i].form;
			ret->hedge_first = c->hedges > 0;
			return NULL;
		}
		memcpy(ret->hedge, hedge, sizeof(hedge));
	}
	return "no WHAT of this class";
}

/* "real-time FIFO 50" */
static bool read_policy(struct cursor *c)
{
	const char *begin = c->at;
	uint64_t priority;

	if (!read_text(c, ", real-time "))
		return false;
	if (read_text(c, "deadline") || ((read_text(c, "FIFO ") || read_text(c, "RR ")) && read_number(c, &priority)))
		return true;
	c->at = begin;
	return false;
}

static const char *amount_of(const char *class)
{
	static const struct {
		const char *class, *amount;
	} amounts[] = {{"cpu", "the CPU time"}, {"one_cpu", "its interrupts"}, {"memory", "the memory taken in"},
	        {"oom", "the memory taken in"}, {"io", "bytes moved"}, {"stuck", "the waiting"}};
	for (size_t i = 0; i < COUNT_OF(amounts); i++)
		if (strcmp(amounts[i].class, class) == 0)
			return amounts[i].amount;
	return "";
}

/* What is in parentheses after a culprit: a share, of the metric in the first ones; free words for a kill and for who stopped the monitor. */
static bool read_detail(struct cursor *c, const struct grammar_pause *ret, bool first, char out[GRAMMAR_NAME_BYTES])
{
	const char *begin = c->at + 2;
	struct cursor share = *c;

	if (!read_text(&share, " ("))
		return true;
	if (read_share(&share, "all") && (!first || (read_text(&share, " of ") && read_text(&share, amount_of(ret->class)))) &&
	        is_at(&share, ")")) {
		copy(begin, share.at, out);
		c->at = share.at + 1;
		return true;
	}
	if (strcmp(ret->class, "oom") != 0 && strcmp(ret->class, "monitor") != 0)
		return false;
	for (share.at = begin; share.at < share.end; share.at++)
		if (*share.at == '(' || *share.at == ')')
			break;
	if (share.at == begin || !is_at(&share, ")"))
		return false;
	if (c->name_count == NAMES_MAX)
		return false;
	c->names[c->name_count].begin = begin;
	c->names[c->name_count++].end = share.at;
	copy(begin, share.at, out);
	c->at = share.at + 1;
	return true;
}

static bool read_culprit(struct cursor *c, struct grammar_pause *ret)
{
	struct grammar_name *culprit = &ret->culprits[ret->culprit_count];

	if (ret->culprit_count == GRAMMAR_CULPRITS || !read_name(c, culprit->name))
		return false;
	read_policy(c);
	if (!read_detail(c, ret, ret->culprit_count == 0, culprit->detail))
		return false;
	ret->culprit_count++;
	return true;
}

static const char *read_culprits(struct cursor *c, struct grammar_pause *ret)
{
	if (!read_culprit(c, ret))
		return "no culprit, or no share of the metric";
	if (read_text(c, ", then ") && !read_culprit(c, ret))
		return "no second culprit";
	return NULL;
}

/* "java[4100] 38%, code[3000] 24%": a name with a share behind its last blank. */
static const char *read_candidates(struct cursor *c, struct grammar_pause *ret)
{
	do {
		if (ret->culprit_count == GRAMMAR_CULPRITS)
			return "more than three candidates";
		struct grammar_name *candidate = &ret->culprits[ret->culprit_count];
		if (!read_name(c, candidate->name))
			return "no candidate";
		char *blank = strrchr(candidate->name, ' ');
		if (!blank)
			return "a candidate without a share";
		snprintf(candidate->detail, sizeof(candidate->detail), "%s", blank + 1);
		struct cursor share = {.at = candidate->detail, .end = candidate->detail + strlen(candidate->detail)};
		if (!read_share(&share, "all") || share.at != share.end)
			return "a candidate without a share";
		c->names[c->name_count - 1].end -= strlen(blank);
		*blank = '\0';
		ret->culprit_count++;
	} while (read_text(c, ", "));
	return NULL;
}

static const char *read_who(struct cursor *c, struct grammar_pause *ret)
{
	static const struct {
		const char *text;
		enum grammar_who who;
	} fixed[] = {{", nobody's fault", GRAMMAR_NOBODY}, {", nobody else's fault", GRAMMAR_NOBODY_ELSE},
	        {", cause outside this machine", GRAMMAR_OUTSIDE}, {", culprit unclear", GRAMMAR_UNCLEAR}};
	const char *begin = c->at;

	for (size_t i = 0; i < COUNT_OF(fixed); i++) {
		if (read_text(c, fixed[i].text)) {
			ret->who = fixed[i].who;
			return NULL;
		}
	}
	if (c->at == c->end || is_at(c, "; "))
		return NULL;
	if (read_text(c, ", no single culprit: ")) {
		ret->who = GRAMMAR_CANDIDATES;
		return read_candidates(c, ret);
	}
	bool comma = read_text(c, ", ");
	if (comma)
		read_hedge(c, ret);
	else if (!read_text(c, " "))
		return "no WHO";
	if (strcmp(ret->class, "host") == 0) {
		ret->who = GRAMMAR_FIRMWARE;
		return read_text(c, "because of the hypervisor or firmware") ? NULL : "no WHO";
	}
	if (read_text(c, "held by "))
		ret->who = GRAMMAR_HELD;
	else if (comma && read_text(c, "because of "))
		ret->who = GRAMMAR_BECAUSE;
	else if (comma && (read_text(c, "by ") || read_text(c, "caused by ")))
		ret->who = GRAMMAR_BY;
	else
		return c->at == begin ? "no WHO" : "WHO is of no known form";
	return read_culprits(c, ret);
}

/* The one remark that holds a name. */
static void read_carrier(struct cursor *c)
{
	const char *begin;

	if (!read_text(c, "kernel thread "))
		return;
	for (begin = c->at; c->at < c->end && !is_at(c, " did the work"); c->at++)
		;
	if (c->name_count < NAMES_MAX) {
		c->names[c->name_count].begin = begin;
		c->names[c->name_count++].end = c->at;
	}
}

/* ---- what holds of the whole ---- */

static const char *check_words(const char *sentence, const struct cursor *c)
{
	static const char *const forbidden[] = {"guilty", "rogue", "bad", "abuse", "leak", "you"};
	char text[SENTENCE_MAX + 1];

	snprintf(text, sizeof(text), "%s", sentence);
	for (unsigned i = 0; i < c->name_count; i++)
		memset(text + (c->names[i].begin - sentence), '_', (size_t)(c->names[i].end - c->names[i].begin));
	if (strncmp(text, "rogue-hunter", 12) == 0)
		memset(text, '_', 12);
	for (size_t i = 0; i < COUNT_OF(forbidden); i++)
		for (const char *found = strcasestr(text, forbidden[i]); found; found = strcasestr(found + 1, forbidden[i]))
			if (found == text || !isalpha((unsigned char)found[-1]))
				return "a word that is never used";
	return NULL;
}

static const char *check_hedges(const struct cursor *c, const struct grammar_pause *ret)
{
	bool none = ret->hedge[0] == '\0';

	if (c->hedges > 1)
		return "two hedges";
	if ((ret->who == GRAMMAR_BECAUSE || ret->who == GRAMMAR_FIRMWARE) && none)
		return "a cause without a hedge";
	if (ret->who == GRAMMAR_BY && !none)
		return "recorded, and hedged";
	if (strcmp(ret->class, "unexplained") == 0 && !none)
		return "unexplained, and hedged";
	/* Of the host's firmware nothing is ever recorded: there the hedge is of what was seen, not of a judgement to come. */
	if (ret->interim && !none && strcmp(ret->hedge, "likely") != 0 && ret->who != GRAMMAR_FIRMWARE)
		return "interim, and more than likely";
	return NULL;
}

static const char *check_who(const struct grammar_pause *ret)
{
	static const struct {
		const char *class;
		unsigned allowed;
	} rules[] = {{"suspend", 1u << GRAMMAR_NOBODY}, {"throttle", 1u << GRAMMAR_NOBODY_ELSE}, {"unexplained", 1u << GRAMMAR_NONE},
	        {"host", 1u << GRAMMAR_OUTSIDE | 1u << GRAMMAR_FIRMWARE | 1u << GRAMMAR_UNCLEAR | 1u << GRAMMAR_NOBODY_ELSE}};
	unsigned allowed = 1u << GRAMMAR_BECAUSE | 1u << GRAMMAR_BY | 1u << GRAMMAR_CANDIDATES | 1u << GRAMMAR_UNCLEAR |
	                   1u << GRAMMAR_OUTSIDE | 1u << GRAMMAR_NOBODY_ELSE;

	if (strcmp(ret->class, "stuck") == 0)
		allowed = (allowed & ~(1u << GRAMMAR_BECAUSE | 1u << GRAMMAR_BY)) | 1u << GRAMMAR_HELD;
	for (size_t i = 0; i < COUNT_OF(rules); i++)
		if (strcmp(ret->class, rules[i].class) == 0)
			allowed = rules[i].allowed;
	return 1u << ret->who & allowed ? NULL : "a WHO that this class cannot have";
}

const char *grammar_parse(const char *sentence, struct grammar_pause *ret_pause)
{
	struct cursor c = {.at = sentence};
	const char *fault;

	*ret_pause = (struct grammar_pause){.bound_cpu = -1};
	if (strlen(sentence) > SENTENCE_MAX)
		return "longer than 240 bytes";
	for (const char *b = sentence; *b; b++)
		if (*b < ' ' || *b > '~')
			return "not printable ASCII";
	if ((fault = read_tag(sentence, &c, ret_pause)) || (fault = read_subject(&c, ret_pause)) ||
	        (fault = read_stand_still(&c, ret_pause)) || (fault = read_what(&c, ret_pause)) || (fault = read_who(&c, ret_pause)))
		return fault;
	if (read_text(&c, "; ")) {
		snprintf(ret_pause->caveat, sizeof(ret_pause->caveat), "%.*s", (int)(c.end - c.at), c.at);
		if (ret_pause->caveat[0] == '\0' || ret_pause->caveat[0] == ' ')
			return "an empty caveat";
		read_carrier(&c);
		c.at = c.end;
	}
	if (c.at != c.end)
		return "something between WHO and the tag";
	if ((fault = check_hedges(&c, ret_pause)) || (fault = check_who(ret_pause)))
		return fault;
	return check_words(sentence, &c);
}
