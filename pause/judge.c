/* judge.c - from noticing to findings: see judge.h. */
#include "pause/judge.h"

#include "pause/weigh.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS = 8 };

/* What is kept apart: a group that spends its own quota for hours must not hide what happens to others meanwhile. */
enum line { LINE_OTHERS, LINE_QUOTA, LINES };
#define KIND(kind) (1U << NOTICE_##kind)
static const unsigned line_masks[LINES] = {
        [LINE_OTHERS] = KIND(SUSPEND) | KIND(GAP) | KIND(RUN) | KIND(IO) | KIND(MEMORY) | KIND(STUCK) | KIND(OOM),
        [LINE_QUOTA] = KIND(THROTTLE),
};
#undef KIND

static const double ns_per_s = 1e9;
/* An interim judgement that names nobody is tried again after this time, and twice that, and so on. */
static const uint64_t again_ns = 1000000000, again_most_ns = 30000000000;

/* An incident and what was said of it. It is kept for a while after its end: it may go on. */
struct watch {
	struct incident incident;
	bool ended;      /* and may go on */
	uint32_t number; /* 0: nothing said yet */
	uint8_t first_class; /* as said first */
	uint64_t first_said_ns; /* from the onset */
	uint64_t next_ns, wait_ns;
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
	struct pause scratch;
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

static bool say(struct judge *judge, struct watch *watch, struct rh_ring *ring, uint64_t now_ns, bool ongoing)
{
	struct pause *pause = &judge->scratch;
	if (!weigh(judge->config, ring, &watch->incident, ongoing, pause)) {
		if (ongoing || watch->number == 0)
			return false;
		*pause = watch->last; /* what was said of it while it went on has to do */
		pause->ongoing = false;
	}
	if (watch->number == 0) {
		watch->number = judge->next_number++;
		watch->first_class = pause->class;
		watch->first_said_ns = now_ns - pause->start_boottime_ns;
	}
	pause->number = watch->number;
	memcpy(pause->boot_id, judge->boot_id, sizeof(pause->boot_id));
	pause->state = ongoing ? PAUSE_STATE_interim : PAUSE_STATE_final;
	pause->earlier_class = watch->first_class;
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

static void while_active(struct judge *judge, struct watch *watch, struct rh_ring *ring, uint64_t now_ns)
{
	const struct config *config = judge->config;
	uint64_t interim_ns = (uint64_t)(config->pause_interim * ns_per_s);
	if (watch->next_ns == 0)
		watch->next_ns = watch->incident.onset_ns + interim_ns;
	if (now_ns < watch->next_ns)
		return;
	watch->wait_ns = say(judge, watch, ring, now_ns, true) || watch->wait_ns == 0 ? again_ns : 2 * watch->wait_ns;
	watch->wait_ns = watch->wait_ns < again_most_ns ? watch->wait_ns : again_most_ns;
	watch->next_ns = now_ns + (watch->wait_ns > interim_ns ? watch->wait_ns : interim_ns);
}

static void watch_step(struct judge *judge, enum line line, struct rh_ring *ring, const struct rh_view *view)
{
	struct watch *watch = &judge->watches[line];
	const uint64_t now_ns = view->system.boottime_ns;
	uint64_t since_ns = now_ns - watch->incident.last_ns;
	if (watch->ended && (double)since_ns > judge->config->pause_merge * ns_per_s)
		begin_anew(watch);
	if (incident_add(&watch->incident, &judge->notice, line_masks[line], now_ns, view->sample)) {
		watch->ended = false;
		while_active(judge, watch, ring, now_ns);
	} else if (watch->incident.open && !watch->ended && (double)since_ns >= judge->config->pause_quiet * ns_per_s) {
		watch->ended = true;
		if (!say(judge, watch, ring, now_ns, false))
			begin_anew(watch);
	}
}

void judge_step(struct judge *judge, struct rh_ring *ring, const struct rh_view *view)
{
	bool open = judge_is_open(judge);
	if (!notice_look(&judge->notice, view, open) && !open && !judge->watches[LINE_OTHERS].ended && !judge->watches[LINE_QUOTA].ended)
		return;
	for (unsigned line = 0; line < LINES; line++)
		watch_step(judge, (enum line)line, ring, view);
}
