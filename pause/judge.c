/* judge.c - from noticing to findings: see judge.h. */
#include "pause/judge.h"

#include "pause/weigh.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS = 16 };

/*
 * What is kept apart: a group that spends its own quota for hours must not hide what happens to others meanwhile, nor a long copy what happens to
 * those that want a cpu. Waits for a cpu and waits asleep that have the same cause, or the same victims, are one pause all the same.
 */
enum line { LINE_MACHINE, LINE_RUN, LINE_ASLEEP, LINE_QUOTA, LINES };
#define KIND(kind) (1U << NOTICE_##kind)
static const unsigned line_masks[LINES] = {
        [LINE_MACHINE] = KIND(SUSPEND) | KIND(GAP),
        [LINE_RUN] = KIND(RUN),
        [LINE_ASLEEP] = KIND(IO) | KIND(MEMORY) | KIND(STUCK) | KIND(OOM),
        [LINE_QUOTA] = KIND(THROTTLE),
};
#undef KIND

static const double ns_per_s = 1e9;
/* An interim judgement that names nobody is tried again after this time, and twice that, and so on. */
static const uint64_t again_ns = 1000000000, again_most_ns = 30000000000;
/* After this time of going on the newest part is judged by itself as well. */
static const uint64_t divide_after_ns = 6000000000, divide_recent_ns = 3000000000;
static const float divide_ratio = 0.75F;

/* An incident and what was said of it. It is kept for a while after its end: it may go on. */
struct watch {
	struct incident incident;
	bool ended;             /* and may go on */
	uint32_t number;        /* 0: nothing said yet */
	uint8_t before_class;   /* the last one said that was another than what is said now; the same where none was */
	uint64_t first_said_ns; /* from the onset */
	uint64_t next_ns, wait_ns;
	uint64_t burst_ns; /* BOOTTIME: since when it has been going on without an end */
	struct pause last; /* as it was said last */
};

struct judge {
	const struct config *config;
	struct notice notice;
	struct watch watches[LINES];
	char boot_id[40];
	uint32_t next_number;
	struct pause findings[FINDINGS]; /* a queue */
	uint32_t first, count;
	struct pause scratch, other, both;
};

struct judge *judge_new(const struct config *config)
{
	struct judge *judge = calloc(1, sizeof(*judge));
	if (judge) {
		judge->config = config;
		judge->next_number = 1;
		notice_begin(&judge->notice, config);
	}
	return judge;
}

void judge_free(struct judge **judge)
{
	free(*judge);
	*judge = NULL;
}

void judge_begin(struct judge *judge, const char *boot_id, uint32_t next_number)
{
	notice_begin(&judge->notice, judge->config);
	memset(judge->watches, 0, sizeof(judge->watches));
	strncpy(judge->boot_id, boot_id, sizeof(judge->boot_id) - 1);
	judge->next_number = next_number > 0 ? next_number : 1;
}

uint32_t judge_next_number(const struct judge *judge)
{
	return judge->next_number;
}

bool judge_is_open(const struct judge *judge)
{
	for (unsigned i = 0; i < LINES; i++)
		if (judge->watches[i].incident.open && !judge->watches[i].ended)
			return true;
	return false;
}

bool judge_next(struct judge *judge, struct pause *ret_pause)
{
	if (judge->count == 0)
		return false;
	*ret_pause = judge->findings[judge->first];
	judge->first = (judge->first + 1) % FINDINGS;
	judge->count--;
	return true;
}

/* ---- saying ---- */

/* A newer judgement of the same pause takes the place of one that nobody has fetched. */
static struct pause *finding_place(struct judge *judge, uint32_t number)
{
	for (uint32_t i = 0; i < judge->count; i++) {
		struct pause *waiting = &judge->findings[(judge->first + i) % FINDINGS];
		if (waiting->number == number)
			return waiting;
	}
	if (judge->count == FINDINGS) {
		judge->first = (judge->first + 1) % FINDINGS;
		judge->count--;
	}
	return &judge->findings[(judge->first + judge->count++) % FINDINGS];
}

/* ---- two lines, one pause ---- */

enum voice {
	VOICE_SILENT,
	VOICE_SPEAKS,
	VOICE_MERGES, /* what it said before belongs to what the other line says */
};

static bool overlap(const struct incident *a, const struct incident *b)
{
	uint64_t begin = a->onset_ns > b->onset_ns ? a->onset_ns : b->onset_ns, end = a->last_ns < b->last_ns ? a->last_ns : b->last_ns;
	uint64_t shorter = a->last_ns - a->onset_ns < b->last_ns - b->onset_ns ? a->last_ns - a->onset_ns : b->last_ns - b->onset_ns;
	return a->open && b->open && end > begin && (double)(end - begin) >= 0.3 * (double)shorter;
}

static bool names_somebody(const struct pause *pause)
{
	return pause_named(pause) != NULL;
}

static bool same_culprit(const struct pause *a, const struct pause *b)
{
	if (!names_somebody(a) || !names_somebody(b))
		return false;
	const struct pause_who *one = &a->culprits[0], *two = &b->culprits[0];
	return (one->pid == two->pid && one->start_time_ns == two->start_time_ns) ||
	       memcmp(one->command, two->command, sizeof(one->command)) == 0;
}

/* Of those that stood still in the one, has half at least stood still in the other? */
static bool same_victims(const struct pause *a, const struct pause *b)
{
	uint32_t alike = 0, of = 0;
	for (uint32_t i = 0; i < a->victim_count; i++) {
		bool found = false;
		for (uint32_t j = 0; j < b->victim_count; j++)
			found |= a->victims[i].pid == b->victims[j].pid && a->victims[i].start_time_ns == b->victims[j].start_time_ns;
		of += a->victims[i].pid != 0;
		alike += found && a->victims[i].pid != 0;
	}
	return of > 0 && 2 * alike >= of;
}

static bool is_asleep(uint8_t class)
{
	return class == PAUSE_CLASS_memory || class == PAUSE_CLASS_oom || class == PAUSE_CLASS_io || class == PAUSE_CLASS_stuck;
}

/*
 * Where both lines tell of one thing it is said once: by the line that gave it a number first, else by the one that the class of the whole belongs to. What the
 * other one said before is merged into it.
 */
static enum voice voice_of(struct judge *judge, enum line line, struct rh_ring *ring, bool ongoing)
{
	const struct watch *own = &judge->watches[line], *other = &judge->watches[line == LINE_RUN ? LINE_ASLEEP : LINE_RUN];
	struct pause *pause = &judge->scratch;
	if ((line != LINE_RUN && line != LINE_ASLEEP) || !overlap(&own->incident, &other->incident) ||
	        !weigh(judge->config, ring, &other->incident, ongoing, &judge->other))
		return VOICE_SPEAKS;
	if (!same_culprit(pause, &judge->other) && !same_victims(pause, &judge->other) && !same_victims(&judge->other, pause))
		return VOICE_SPEAKS;
	struct incident whole = incident_union(&own->incident, &other->incident);
	if (!weigh(judge->config, ring, &whole, ongoing, &judge->both))
		return VOICE_SPEAKS;
	bool is_ours = is_asleep(judge->both.class) == (line == LINE_ASLEEP);
	if (own->number != 0 || other->number != 0) /* who has been said first lives on */
		is_ours = own->number != 0 && (other->number == 0 || own->number < other->number);
	if (!is_ours)
		return own->number != 0 ? VOICE_MERGES : VOICE_SILENT;
	*pause = judge->both;
	return VOICE_SPEAKS;
}

static enum voice judged(struct judge *judge, enum line line, struct rh_ring *ring, bool ongoing)
{
	struct watch *watch = &judge->watches[line];
	struct pause *pause = &judge->scratch;
	enum voice voice =
	        weigh(judge->config, ring, &watch->incident, ongoing, pause) ? voice_of(judge, line, ring, ongoing) : VOICE_SILENT;
	if (voice == VOICE_SPEAKS || (ongoing && voice == VOICE_SILENT) || watch->number == 0)
		return voice;
	*pause = watch->last; /* what was said of it while it went on has to do */
	pause->ongoing = false;
	return voice == VOICE_MERGES ? VOICE_MERGES : VOICE_SPEAKS;
}

static bool say(struct judge *judge, enum line line, struct rh_ring *ring, uint64_t now_ns, bool ongoing)
{
	struct watch *watch = &judge->watches[line];
	struct pause *pause = &judge->scratch;
	enum voice voice = judged(judge, line, ring, ongoing);
	if (voice == VOICE_SILENT)
		return false;
	if (watch->number == 0) {
		watch->number = judge->next_number++;
		watch->before_class = watch->last.class = pause->class;
		watch->first_said_ns = now_ns - pause->start_boottime_ns;
	}
	if (watch->last.class != pause->class)
		watch->before_class = watch->last.class;
	pause->number = watch->number;
	memcpy(pause->boot_id, judge->boot_id, sizeof(pause->boot_id));
	pause->state = voice == VOICE_MERGES ? PAUSE_STATE_merged : ongoing ? PAUSE_STATE_interim : PAUSE_STATE_final;
	pause->merged_into = voice == VOICE_MERGES ? judge->watches[line == LINE_RUN ? LINE_ASLEEP : LINE_RUN].number : 0;
	pause->earlier_class = watch->before_class;
	pause->first_said_ns = watch->first_said_ns;
	pause->final_said_ns = ongoing ? 0 : now_ns - watch->incident.last_ns;
	watch->last = *pause;
	*finding_place(judge, pause->number) = *pause;
	return true;
}

/* ---- one incident ---- */

static void begin_anew(struct watch *watch)
{
	memset(watch, 0, sizeof(*watch));
}

/* The part of an incident since then. */
static struct incident part_since(const struct incident *whole, uint64_t onset_ns)
{
	struct incident part = *whole;
	part.onset_ns = onset_ns;
	for (unsigned i = 0; i < NOTICE_KINDS; i++) {
		struct incident_kind *kind = &part.kinds[i];
		kind->active = kind->active && kind->last_ns > onset_ns;
		kind->onset_ns = kind->onset_ns > onset_ns ? kind->onset_ns : onset_ns;
		kind->longest_ns = kind->longest_ns < kind->last_ns - onset_ns ? kind->longest_ns : kind->last_ns - onset_ns;
	}
	return part;
}

/* Who suffered before and takes what he lost back is no new culprit, nor is a branch of the tree that was one, or its root. */
static bool is_another(const struct pause *now, const struct pause *before)
{
	if (!names_somebody(now) || now->own_fault || now->both_ratio < divide_ratio || same_culprit(now, before))
		return false;
	const struct pause_who *who = &now->culprits[0];
	if (who->kind == PAUSE_KIND_tree || (names_somebody(before) && before->culprits[0].kind == PAUSE_KIND_tree))
		return false;
	for (uint32_t i = 0; i < before->victim_count; i++)
		if (before->victims[i].pid == who->pid || memcmp(before->victims[i].command, who->command, sizeof(who->command)) == 0)
			return false;
	return true;
}

/*
 * Has what goes on another culprit than what was said before? Then it is another pause: the one before is over, and this one begins. What is looked at is
 * the time since it went on again, or the newest part of one that has been going on for long.
 */
static void divide(struct judge *judge, enum line line, struct rh_ring *ring, uint64_t now_ns)
{
	struct watch *watch = &judge->watches[line];
	uint64_t onset_ns = watch->burst_ns > watch->incident.onset_ns ? watch->burst_ns : watch->incident.onset_ns;
	if (watch->number == 0 || line == LINE_MACHINE)
		return;
	if (now_ns - onset_ns > divide_after_ns)
		onset_ns = now_ns - divide_recent_ns;
	else if (onset_ns == watch->incident.onset_ns)
		return;
	struct incident part = part_since(&watch->incident, onset_ns);
	if (!weigh(judge->config, ring, &part, true, &judge->other) || !is_another(&judge->other, &watch->last))
		return;
	struct pause *before = &judge->scratch;
	*before = watch->last;
	before->state = PAUSE_STATE_final;
	before->ongoing = false;
	*finding_place(judge, before->number) = *before;
	begin_anew(watch);
	watch->incident = part;
	watch->burst_ns = onset_ns;
}

static void while_active(struct judge *judge, enum line line, struct rh_ring *ring, uint64_t now_ns)
{
	struct watch *watch = &judge->watches[line];
	const struct config *config = judge->config;
	uint64_t interim_ns = (uint64_t)(config->pause_interim * ns_per_s);
	if (watch->next_ns == 0)
		/* A suspend, or a collector that did not run, is over when it is noticed: only one that comes again and again goes on. */
		watch->next_ns = (line == LINE_MACHINE ? now_ns : watch->incident.onset_ns) + interim_ns;
	if (now_ns < watch->next_ns)
		return;
	divide(judge, line, ring, now_ns);
	watch->wait_ns = say(judge, line, ring, now_ns, true) || watch->wait_ns == 0 ? again_ns : 2 * watch->wait_ns;
	watch->wait_ns = watch->wait_ns < again_most_ns ? watch->wait_ns : again_most_ns;
	watch->next_ns = now_ns + (watch->wait_ns > interim_ns ? watch->wait_ns : interim_ns);
}

/* Does what was noticed in this sample begin long after what goes on, with no sample in between? So it is where the machine was suspended meanwhile. */
static bool begins_later(const struct judge *judge, enum line line)
{
	const struct incident *incident = &judge->watches[line].incident;
	uint64_t onset_ns = UINT64_MAX, merge_ns = (uint64_t)(judge->config->pause_merge * ns_per_s);
	for (unsigned i = 0; i < NOTICE_KINDS; i++)
		if (line_masks[line] >> i & 1 && judge->notice.kinds[i].active && judge->notice.kinds[i].onset_ns < onset_ns)
			onset_ns = judge->notice.kinds[i].onset_ns;
	return onset_ns != UINT64_MAX && incident->open && onset_ns > incident->last_ns + merge_ns;
}

static void watch_step(struct judge *judge, enum line line, struct rh_ring *ring, const struct rh_view *view)
{
	struct watch *watch = &judge->watches[line];
	const uint64_t now_ns = view->system.boottime_ns;
	uint64_t since_ns = now_ns - watch->incident.last_ns;
	if (watch->ended && (double)since_ns > judge->config->pause_merge * ns_per_s)
		begin_anew(watch);
	if (!watch->ended && begins_later(judge, line)) {
		say(judge, line, ring, now_ns, false);
		begin_anew(watch);
	}
	watch->incident.newest_sample = view->sample;
	if (incident_add(&watch->incident, &judge->notice, line_masks[line], now_ns, view->sample)) {
		if (watch->ended) /* it goes on again; how far back the first time reaches, the incident knows */
			watch->burst_ns = now_ns - view->system.elapsed_ns;
		watch->ended = false;
		while_active(judge, line, ring, now_ns);
	} else if (watch->incident.open && !watch->ended && (double)since_ns >= judge->config->pause_quiet * ns_per_s) {
		divide(judge, line, ring, now_ns);
		watch->ended = true;
		if (!say(judge, line, ring, now_ns, false))
			begin_anew(watch);
	}
}

void judge_step(struct judge *judge, struct rh_ring *ring, const struct rh_view *view)
{
	bool open = false;
	for (unsigned line = 0; line < LINES; line++)
		open |= judge->watches[line].incident.open;
	if (!notice_look(&judge->notice, view, judge_is_open(judge)) && !open)
		return;
	for (unsigned line = 0; line < LINES; line++)
		watch_step(judge, (enum line)line, ring, view);
}
