/* pauses.c - findings of the judge: into words, the database, the log, and to those who want to know; see pauses.h. */
#include "readers/tracker/pauses.h"

#include "base/clock.h"
#include "base/log.h"
#include "pause/document.h"
#include "pause/sentence.h"
#include "readers/tracker/surroundings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_DIGITS = 8 }; /* what is kept must not become ambiguous with a later boot */
static const uint64_t day_ns = UINT64_C(86400) * NS_PER_S;
static const uint64_t agree_ns = 200 * (uint64_t)NS_PER_MS; /* two judgements so far apart that agree are worth a notification */

struct pauses *pauses_new(const struct config *config, struct surroundings *surroundings, struct notify *notify)
{
	struct pauses *pauses = calloc(1, sizeof(*pauses));

	if (pauses) {
		pauses->config = config;
		pauses->surroundings = surroundings;
		pauses->notify = notify;
	}
	return pauses;
}

static void forget_entry(struct pauses_entry *entry)
{
	free(entry->document);
	*entry = (struct pauses_entry){0};
}

void pauses_free(struct pauses **pauses)
{
	for (size_t i = 0; *pauses && i < PAUSES_QUEUE; i++)
		forget_entry(&(*pauses)->queue[i]);
	free(*pauses);
	*pauses = NULL;
}

/* ---- what was done about a pause so far ---- */

static struct pauses_known *find_known(struct pauses *pauses, const char *boot_id, uint32_t number)
{
	for (size_t i = 0; i < PAUSES_KNOWN; i++)
		if (pauses->known[i].number == number && strcmp(pauses->known[i].boot_id, boot_id) == 0)
			return &pauses->known[i];
	return NULL;
}

/* The entry of a pause; one of long ago makes room for it. */
static struct pauses_known *know(struct pauses *pauses, const struct pause *pause)
{
	struct pauses_known *known = find_known(pauses, pause->boot_id, pause->number);

	if (known)
		return known;
	known = &pauses->known[pauses->next_known++ % PAUSES_KNOWN];
	*known = (struct pauses_known){.number = pause->number};
	snprintf(known->boot_id, sizeof(known->boot_id), "%s", pause->boot_id);
	return known;
}

static struct pauses_verdict verdict_of(const struct pause *pause)
{
	const struct pause_who *first = pause_named(pause);
	struct pauses_verdict verdict = {.class = pause->class};

	if (!first)
		return verdict;
	verdict.named = true;
	verdict.kind = first->kind;
	memcpy(verdict.command, first->command, sizeof(verdict.command));
	if (first->kind == PAUSE_KIND_group) {
		verdict.ancestor_pid = first->ancestor_pid; /* its greatest member may be another one each time */
	} else {
		verdict.pid = first->pid;
		verdict.start_time_ns = first->start_time_ns;
	}
	return verdict;
}

static bool is_same_verdict(const struct pauses_verdict *a, const struct pauses_verdict *b)
{
	return a->class == b->class && a->named == b->named && a->kind == b->kind && a->pid == b->pid &&
	       a->ancestor_pid == b->ancestor_pid && a->start_time_ns == b->start_time_ns &&
	       memcmp(a->command, b->command, sizeof(a->command)) == 0;
}

/* ---- the day ---- */

static bool is_stored_as(const struct pauses_known *known, unsigned class)
{
	return known && known->stored && known->stored_class == class;
}

/* Pauses of a class that the database has not, less those that it has, but that are of another one by now. But for the pause at hand. */
static int count_waiting(struct pauses *pauses, unsigned class, const struct pauses_known *at_hand)
{
	int count = 0;

	for (size_t i = 0; i < PAUSES_QUEUE; i++) {
		const struct pauses_entry *entry = &pauses->queue[i];
		const struct pauses_known *known = entry->used ? find_known(pauses, entry->row.boot_id, entry->row.number) : NULL;
		if (!entry->used || known == at_hand)
			continue;
		count += entry->class == class && !entry->merged;
		count -= is_stored_as(known, class);
	}
	return count;
}

/* Pauses of a class in the 24 hours up to this one, this one included where it is of that class; 0 where it is not known. */
static uint32_t count_day(
        struct pauses *pauses, struct storage *storage, unsigned class, const struct pause *pause, const struct pauses_known *known)
{
	uint64_t since = pause->start_realtime_ns > day_ns ? pause->start_realtime_ns - day_ns : 0;
	int count = storage ? storage_count_pauses(storage, pause_class_name(class), since) : -1;

	if (count < 0)
		return 0;
	count += count_waiting(pauses, class, known) - is_stored_as(known, class);
	count += pause->class == class && pause->state != PAUSE_STATE_merged;
	return count > 0 ? (uint32_t)count : 0;
}

/* ---- words ---- */

static void put_row(const struct pause *pause, const char *sentence, struct storage_pause *row)
{
	*row = (struct storage_pause){
	        .number = pause->number,
	        .merged_into = pause->state == PAUSE_STATE_merged ? pause->merged_into : 0,
	        .start_realtime_ns = pause->start_realtime_ns,
	        .start_boottime_ns = pause->start_boottime_ns,
	        .duration_ns = pause->duration_ns,
	        .span_ns = pause->span_ns,
	        .both_ratio = pause->both_ratio,
	        .signals = pause->signals,
	        .judge = PAUSE_JUDGE,
	};
	snprintf(row->boot_id, sizeof(row->boot_id), "%s", pause->boot_id);
	snprintf(row->state, sizeof(row->state), "%s", pause_state_name(pause->state));
	snprintf(row->class, sizeof(row->class), "%s", pause_class_name(pause->class));
	snprintf(row->word, sizeof(row->word), "%s", pause_word_name(pause->word));
	snprintf(row->worst, sizeof(row->worst), "%s", pause->victim_count > 0 ? pause->victims[0].name : "");
	pause_who_short(pause, row->who);
	snprintf(row->sentence, sizeof(row->sentence), "%s", sentence);
}

static void put_culprit(const struct pause_who *who, uint32_t rank, struct storage_culprit *culprit)
{
	*culprit = (struct storage_culprit){
	        .rank = rank,
	        .pid = who->pid,
	        .process_count = who->process_count,
	        .start_time_ns = who->start_time_ns,
	        .harm_ns = who->harm_ns,
	        .share_ratio = who->share_ratio,
	        .amount = who->amount,
	};
	snprintf(culprit->role, sizeof(culprit->role), "%s", pause_role_name(who->role));
	snprintf(culprit->kind, sizeof(culprit->kind), "%s", pause_kind_name(who->kind));
	snprintf(culprit->name, sizeof(culprit->name), "%s", who->name);
	memcpy(culprit->command, who->command, sizeof(culprit->command));
	snprintf(culprit->cgroup, sizeof(culprit->cgroup), "%s", who->cgroup);
}

static void put_victim(const struct pause_victim *from, uint32_t rank, struct storage_victim *victim)
{
	*victim = (struct storage_victim){
	        .rank = rank,
	        .pid = from->pid,
	        .start_time_ns = from->start_time_ns,
	        .longest_ns = from->longest_ns,
	        .total_ns = from->total_ns,
	};
	snprintf(victim->name, sizeof(victim->name), "%s", from->name);
	memcpy(victim->command, from->command, sizeof(victim->command));
	snprintf(victim->wait, sizeof(victim->wait), "%s", pause_wait_name(from->wait));
	snprintf(victim->cgroup, sizeof(victim->cgroup), "%s", from->cgroup);
}

/* The place of this pause in the queue, else a free one, else that of the oldest, which is given up. */
static struct pauses_entry *take_place(struct pauses *pauses, const struct pause *pause)
{
	struct pauses_entry *place = NULL;

	for (size_t i = 0; i < PAUSES_QUEUE; i++) {
		struct pauses_entry *entry = &pauses->queue[i];
		if (entry->used && entry->row.number == pause->number && strcmp(entry->row.boot_id, pause->boot_id) == 0)
			return entry;
		if (!place || (place->used && (!entry->used || entry->order < place->order)))
			place = entry;
	}
	pauses->dropped_count += place->used;
	return place;
}

static void keep(struct pauses *pauses, const struct pause *pause, const char *sentence)
{
	char *document = pause_document_text(pause);

	if (!document) {
		pauses->dropped_count++;
		return;
	}
	struct pauses_entry *entry = take_place(pauses, pause);
	forget_entry(entry);
	entry->used = true;
	entry->final = pause->state != PAUSE_STATE_interim;
	entry->merged = pause->state == PAUSE_STATE_merged;
	entry->class = pause->class;
	entry->order = ++pauses->order;
	entry->document = document;
	put_row(pause, sentence, &entry->row);
	entry->culprit_count = pause->culprit_count < PAUSE_CULPRITS ? pause->culprit_count : PAUSE_CULPRITS;
	for (uint32_t i = 0; i < entry->culprit_count; i++)
		put_culprit(&pause->culprits[i], i + 1, &entry->culprits[i]);
	entry->victim_count = pause->victim_count < PAUSE_VICTIMS ? pause->victim_count : PAUSE_VICTIMS;
	for (uint32_t i = 0; i < entry->victim_count; i++)
		put_victim(&pause->victims[i], i + 1, &entry->victims[i]);
}

/* ---- telling ---- */

static void tell_log(const struct pause *pause, const struct notify_message *message)
{
	const struct log_field fields[] = {
	        LOG_TEXT("pause", message->id),
	        LOG_TEXT("class", message->class),
	        LOG_TEXT("state", pause_state_name(pause->state)),
	        LOG_REAL("confidence", (double)message->both_ratio),
	        LOG_TEXT("culprit", message->culprit),
	        LOG_INTEGER("duration_us", message->duration_ns / NS_PER_US),
	};
	bool severe = pause->class != PAUSE_CLASS_suspend && pause->duration_ns >= NS_PER_S && pause->state != PAUSE_STATE_merged;

	log_event(severe ? LOG_WARNING_ : LOG_INFO_, "pause", message->sentence, fields, sizeof(fields) / sizeof(fields[0]));
}

/* A finding is worth a line if it is the first, the first final one, or says something else than the last line: another cause, or twice as long. */
static bool is_news(const struct pause *pause, const struct pauses_known *known, const struct pauses_verdict *verdict)
{
	bool final = pause->state != PAUSE_STATE_interim;

	return !known->logged || (final && (!known->final_logged || pause->duration_ns / 2 >= known->logged_duration_ns)) ||
	       !is_same_verdict(verdict, &known->logged_verdict);
}

/* A verdict for the time being must have stood for a while. */
static bool is_worth_a_notification(
        const struct pauses *pauses, const struct pause *pause, const struct pauses_known *known, uint64_t now_ns)
{
	if (known->notified || pause->state == PAUSE_STATE_merged || (double)pause->duration_ns < pauses->config->notify_least * NS_PER_S)
		return false;
	return pause->state == PAUSE_STATE_final || now_ns - known->judged_ns >= agree_ns;
}

static void tell(struct pauses *pauses, const struct pause *pause, const char *sentence, struct pauses_known *known, uint64_t now_ns)
{
	const struct pauses_verdict verdict = verdict_of(pause);
	struct notify_message message;

	notify_describe(pause, sentence, &message);
	if (known->judged_ns == 0 || !is_same_verdict(&verdict, &known->verdict))
		known->judged_ns = now_ns;
	known->verdict = verdict;
	if (is_news(pause, known, &verdict)) {
		tell_log(pause, &message);
		if (pauses->notify)
			notify_journal(pauses->notify, &message);
		known->logged = true;
		known->final_logged |= pause->state != PAUSE_STATE_interim;
		known->logged_verdict = verdict;
		known->logged_duration_ns = pause->duration_ns;
	}
	if (pauses->notify && is_worth_a_notification(pauses, pause, known, now_ns)) {
		notify_command(pauses->notify, &message);
		known->notified = true;
	}
}

/* A device that fails is slow by itself: whoever used it most is no culprit. */
static void accuse_nobody(struct pause *pause)
{
	for (uint32_t i = 0; i < pause->culprit_count && i < PAUSE_CULPRITS; i++)
		if (pause->culprits[i].role == PAUSE_ROLE_culprit)
			pause->culprits[i].role = PAUSE_ROLE_candidate;
	pause->both_ratio = fminf(pause->both_ratio, 0.5F);
	pause->word = (uint8_t)PAUSE_WORD_unclear;
	snprintf(pause->caveat, sizeof(pause->caveat), "the kernel logged errors of the device");
}

/* The group itself is what is named where it is known. */
static void name_group(struct pause *pause)
{
	struct pause_who *who = &pause->culprits[0];
	const char *last = strrchr(who->cgroup, '/');
	if (pause->class == PAUSE_CLASS_throttle && pause->culprit_count > 0 && who->kind == PAUSE_KIND_cgroup && last && last[1])
		snprintf(who->name, sizeof(who->name), "cgroup %s", last + 1);
}

bool pauses_take(struct pauses *pauses, struct pause *pause, struct pause_facts *facts, struct storage *storage, uint64_t now_ns)
{
	struct pauses_known *known = know(pauses, pause);
	char sentence[PAUSE_SENTENCE_BYTES];

	pauses->found_count++;
	if (pauses->surroundings)
		surroundings_gather(pauses->surroundings, pause, facts);
	if (facts->io_errors && pause->class == PAUSE_CLASS_io)
		accuse_nobody(pause);
	name_group(pause);
	pause->same_class_today = count_day(pauses, storage, pause->class, pause, known);
	facts->memory_today = count_day(pauses, storage, PAUSE_CLASS_memory, pause, known);
	facts->host_today = count_day(pauses, storage, PAUSE_CLASS_host, pause, known);
	pause_remedies(pause, facts);
	pause_sentence(pause, ID_DIGITS, sentence);
	pause_id(pause, pauses->last_id);
	keep(pauses, pause, sentence);
	bool first_final = pause->state == PAUSE_STATE_final && !known->final_logged;
	tell(pauses, pause, sentence, known, now_ns);
	return first_final;
}

/* ---- storing ---- */

bool pauses_are_marked(const struct pauses *pauses, bool *ret_urgent)
{
	bool any = false;

	*ret_urgent = false;
	for (size_t i = 0; i < PAUSES_QUEUE; i++) {
		any |= pauses->queue[i].used;
		*ret_urgent |= pauses->queue[i].used && pauses->queue[i].final;
	}
	return any;
}

int pauses_put(const struct pauses *pauses, struct storage *storage)
{
	int failed = 0;

	for (size_t i = 0; i < PAUSES_QUEUE && failed == 0; i++) {
		const struct pauses_entry *entry = &pauses->queue[i];
		if (entry->used)
			failed = storage_put_pause(storage, &entry->row, entry->document, entry->culprits, entry->culprit_count,
			        entry->victims, entry->victim_count);
	}
	return failed;
}

void pauses_stored(struct pauses *pauses)
{
	for (size_t i = 0; i < PAUSES_QUEUE; i++) {
		struct pauses_entry *entry = &pauses->queue[i];
		if (!entry->used)
			continue;
		struct pauses_known *known = find_known(pauses, entry->row.boot_id, entry->row.number);
		if (known) {
			known->stored = !entry->merged;
			known->stored_class = entry->class;
		}
		forget_entry(entry);
	}
}

uint32_t pauses_next_number(const struct pauses *pauses, struct storage *storage, const char *boot_id)
{
	int64_t last = storage ? storage_last_pause_number(storage, boot_id) : -1;

	if (last < 0 || last >= UINT32_MAX)
		return 0;
	for (size_t i = 0; i < PAUSES_QUEUE; i++)
		if (pauses->queue[i].used && pauses->queue[i].row.number > last && strcmp(pauses->queue[i].row.boot_id, boot_id) == 0)
			last = pauses->queue[i].row.number;
	return (uint32_t)last + 1;
}
