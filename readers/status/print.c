/*
 * print.c - the report of `status`, see print.h.
 */
#include "readers/status/print.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "readers/common/attach.h"
#include "readers/common/columns.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "rogue/tables.h"

#define SIGNAL(name) (UINT64_C(1) << RH_SIGNAL_##name)

/* ---- for people: a label, then sentences ---- */

static void label(FILE *out, const char *text)
{
	fprintf(out, "%-10s ", text);
}

static enum table_style writer_style(enum rh_status writer)
{
	return writer == RH_RUNNING ? TABLE_BOLD : TABLE_CRITICAL;
}

static void text_degraded(FILE *out, unsigned degraded)
{
	static const struct {
		unsigned bit;
		const char *text;
	} reasons[] = {
#define RH_DEGRADED(bit_, name_, text_) {(bit_), text_},
#include "rogue/codes.def"
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!(degraded >> reasons[i].bit & 1))
			continue;
		label(out, "degraded");
		fprintf(out, "%s\n", reasons[i].text);
	}
}

static void text_collector(FILE *out, const struct health *health)
{
	struct terminal terminal = terminal_of(out);
	bool attached = health->info.writer_pid > 0;
	char age[16];

	label(out, "collector");
	table_styled(out, &terminal, attached ? rh_status_text(health->writer) : health->ring_error, writer_style(health->writer));
	if (attached)
		fprintf(out, ", pid %u, last sign of life %s ago", health->info.writer_pid, value_duration((double)health->age_ns, age));
	fputc('\n', out);
	if (attached && health->ring_error[0]) {
		label(out, "");
		table_styled(out, &terminal, health->ring_error, TABLE_PLAIN);
		fputc('\n', out);
	}
}

/* The signals whose absence matters: without them blame is estimated, or something is not seen at all. Those that need a device are not among them. */
static const uint64_t expected_signals = SIGNAL(run_delay) | SIGNAL(process_io) | SIGNAL(psi_cpu) | SIGNAL(psi_memory) | SIGNAL(psi_io) |
                                         SIGNAL(scheduler) | SIGNAL(last_words) | SIGNAL(block_requests) | SIGNAL(real_time) |
                                         SIGNAL(locked_memory) | SIGNAL(guard_deadline) | SIGNAL(canaries);

static uint64_t missing_signals(const struct rh_system *system)
{
	return rh_has(system->present, RH_S_signals) ? expected_signals & ~system->signals : 0;
}

static void text_missing(FILE *out, const struct rh_system *system)
{
	uint64_t missing = missing_signals(system);
	const char *before = "";

	if (missing == 0)
		return;
	label(out, "not seen");
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		if (!(missing >> rh_signal_rows[i].bit & 1))
			continue;
		fprintf(out, "%s%s", before, rh_signal_rows[i].name);
		before = ", ";
	}
	fputs("; `rogue-hunter doctor` tells why\n", out);
}

static void text_sample(FILE *out, const struct health *health)
{
	const struct rh_system *system = &health->batch.system;
	const struct window *window = &health->window;
	char mean[16], worst[16], scan[16], span[16];

	label(out, "back end");
	fprintf(out, "%s, %s\n", rh_code(RH_CODE_sampler, system->sampler)->name,
	        rh_code(RH_CODE_sampler_reason, system->sampler_reason)->text);
	label(out, "stress");
	fprintf(out, "%s, score %.0f now, %.0f at most in the last %s; %u rogue of %u processes\n",
	        rh_code(RH_CODE_stress, system->stress)->name, (double)system->max_score, window->max_score,
	        value_duration(window->seconds * 1e9, span), system->rogue_count, health->batch.total);
	label(out, "sampling");
	fprintf(out, "%.1f samples per second, late by %s, %s at most; a sample takes %s; %llu missed, %llu lost\n", window->rate_hz,
	        value_duration(window->lateness_mean_ns, mean), value_duration(window->lateness_max_ns, worst),
	        value_duration(window->scan_mean_ns, scan), (unsigned long long)system->ticks_missed_count,
	        (unsigned long long)system->lost_count);
	text_degraded(out, system->degraded);
	text_missing(out, system);
}

static void text_cost(FILE *out, const struct health *health)
{
	const struct rh_system *system = &health->batch.system;
	bool counts_lost = rh_has(system->present, RH_S_events_lost_count) && system->events_lost_count > 0;
	char rss[16], ring[16], kernel[16];

	label(out, "cost");
	if (health->window.self_cpu_pct >= 0)
		fprintf(out, "%.2f %% of a core, ", health->window.self_cpu_pct);
	if (rh_has(system->present, RH_S_hook_cost_ratio))
		fprintf(out, "%.2f %% in the kernel's hooks, ", 100 * (double)system->hook_cost_ratio);
	fprintf(out, "%s of memory, ", text_bytes((double)system->self_rss_bytes, rss));
	if (rh_has(system->present, RH_S_self_kernel_bytes))
		fprintf(out, "%s in the kernel, ", text_bytes((double)system->self_kernel_bytes, kernel));
	fprintf(out, "ring of %s with %u samples\n", text_bytes((double)health->info.total_bytes, ring), health->window.samples);
	if (!counts_lost)
		return;
	label(out, "");
	fprintf(out, "%llu events of the kernel found no room\n", (unsigned long long)system->events_lost_count);
}

static bool has_canaries(const struct rh_system *system)
{
	return rh_has(system->present, RH_S_canary_lateness_ns);
}

/* "deadline: nothing above it; 0 samples put ahead; a normal program waited up to 60us for a cpu; 0.05 % of a core" */
static void text_guard(FILE *out, const struct rh_system *system)
{
	char wait[16];

	label(out, "guard");
	if (!rh_has(system->present, RH_S_guard_class)) {
		fputs("none: a pause of the whole machine cannot be told from one of the collector\n", out);
		return;
	}
	fprintf(out, "%s; %u samples put ahead; ", rh_code(RH_CODE_guard_class, system->guard_class)->text, system->guard_boosts_count);
	if (has_canaries(system))
		fprintf(out, "a normal program waited up to %s for a cpu", value_duration((double)system->canary_lateness_ns, wait));
	else
		fputs("no canaries", out);
	if (rh_has(system->present, RH_S_guard_cost_ratio))
		fprintf(out, "; %.2f %% of a core", 100 * (double)system->guard_cost_ratio);
	fputc('\n', out);
}

static void text_pauses(FILE *out, const struct health *health)
{
	struct terminal terminal = terminal_of(out);

	label(out, "pauses");
	fprintf(out, "%d in the last 24 hours\n", health->pauses_today);
	if (!health->has_pause)
		return;
	label(out, "");
	table_styled(out, &terminal, health->pause.sentence, TABLE_PLAIN);
	fputc('\n', out);
}

static void text_database(FILE *out, const struct health *health)
{
	struct terminal terminal = terminal_of(out);
	char size[16], wal[16];

	label(out, "database");
	if (health->database_error[0]) {
		table_styled(out, &terminal, health->database_error, TABLE_PLAIN);
		fputc('\n', out);
		return;
	}
	table_styled(out, &terminal, health->database, TABLE_PLAIN);
	fprintf(out, ", %s, write-ahead log %s\n", text_bytes((double)health->database_bytes, size),
	        text_bytes((double)health->wal_bytes, wal));
	label(out, "events");
	fprintf(out, "%lld open\n", (long long)health->open_events);
	text_pauses(out, health);
}

static double tracker_age_ns(const struct storage_state *tracker)
{
	uint64_t now_ns = clock_now_ns(CLOCK_BOOTTIME);
	return now_ns > tracker->updated_boottime_ns ? (double)(now_ns - tracker->updated_boottime_ns) : 0;
}

static void text_tracker(FILE *out, const struct health *health)
{
	const struct storage_state *tracker = &health->tracker;
	const char *state = tracker->running ? "died without closing" : "stopped";
	struct terminal terminal = terminal_of(out);
	char age[16];

	if (!health->has_tracker)
		return;
	label(out, "tracker");
	fprintf(out, "%s, pid %u, %llu samples taken in, %llu lost", health->tracker_lives ? "running" : state, tracker->tracker_pid,
	        (unsigned long long)tracker->samples_count, (unsigned long long)tracker->lost_count);
	if (health->tracker_lives) /* it writes of itself now and then, not at every sample */
		fprintf(out, " as of %s ago", value_duration(tracker_age_ns(tracker), age));
	fprintf(out, "; writing: %s", storage_code_name(STORAGE_CODE_persistence, tracker->persistence));
	if (tracker->reason[0]) {
		fputs(", last paused: ", out);
		table_styled(out, &terminal, tracker->reason, TABLE_PLAIN);
	}
	fputc('\n', out);
}

void print_text(FILE *out, const struct health *health)
{
	text_collector(out, health);
	if (health->has_sample) {
		text_sample(out, health);
		text_cost(out, health);
		text_guard(out, &health->batch.system);
	}
	text_database(out, health);
	text_tracker(out, health);
}

/* ---- JSON ---- */

static void text_member(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text, SIZE_MAX);
}

static void number_member(struct json *json, const char *key, uint64_t number)
{
	json_key(json, key);
	json_u64(json, number);
}

static void real_member(struct json *json, const char *key, double number)
{
	json_key(json, key);
	json_f64(json, number, 6);
}

static void json_collector(struct json *json, const struct health *health)
{
	text_member(json, "writer", attach_status_name(health->writer));
	text_member(json, "text", rh_status_text(health->writer));
	if (health->ring_error[0])
		text_member(json, "ring_error", health->ring_error);
	if (health->info.writer_pid == 0)
		return;
	number_member(json, "writer_pid", health->info.writer_pid);
	number_member(json, "age_ns", health->age_ns);
	number_member(json, "generation_id", health->info.generation);
	number_member(json, "ring_bytes", health->info.total_bytes);
}

static void json_window(struct json *json, const struct window *window)
{
	json_key(json, "window");
	json_object_begin(json);
	number_member(json, "samples_count", window->samples);
	real_member(json, "span_ns", window->seconds * 1e9);
	real_member(json, "samples_per_s", window->rate_hz);
	if (window->self_cpu_pct >= 0)
		real_member(json, "self_cpu_pct", window->self_cpu_pct);
	real_member(json, "lateness_mean_ns", window->lateness_mean_ns);
	real_member(json, "lateness_max_ns", window->lateness_max_ns);
	real_member(json, "scan_mean_ns", window->scan_mean_ns);
	real_member(json, "max_score", window->max_score);
	real_member(json, "ticks_missed_count", window->missed);
	json_object_end(json);
}

/* Of a collector without a guard nothing but its class, "none". */
static void json_guard(struct json *json, const struct rh_system *system)
{
	bool is_there = rh_has(system->present, RH_S_guard_class);

	json_key(json, "guard");
	json_object_begin(json);
	text_member(json, "class", rh_code(RH_CODE_guard_class, is_there ? system->guard_class : RH_GUARD_CLASS_none)->name);
	if (is_there) {
		json_key(json, "canaries");
		json_bool(json, has_canaries(system));
		number_member(json, "boosts_count", system->guard_boosts_count);
		real_member(json, "lateness_ns", (double)system->guard_lateness_ns);
	}
	if (has_canaries(system))
		real_member(json, "canary_lateness_ns", (double)system->canary_lateness_ns);
	if (is_there && rh_has(system->present, RH_S_guard_cost_ratio))
		real_member(json, "cost_ratio", (double)system->guard_cost_ratio);
	json_object_end(json);
}

static void json_missing(struct json *json, const struct rh_system *system)
{
	uint64_t missing = missing_signals(system);

	json_key(json, "not_seen");
	json_array_begin(json);
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++)
		if (missing >> rh_signal_rows[i].bit & 1)
			json_text(json, rh_signal_rows[i].name, SIZE_MAX);
	json_array_end(json);
}

static void json_database(struct json *json, const struct health *health)
{
	json_key(json, "database");
	json_object_begin(json);
	text_member(json, "path", health->database);
	if (health->database_error[0]) {
		text_member(json, "error", health->database_error);
	} else {
		number_member(json, "size_bytes", health->database_bytes);
		number_member(json, "wal_bytes", health->wal_bytes);
		number_member(json, "open_count", (uint64_t)health->open_events);
		number_member(json, "pauses_today_count", (uint64_t)health->pauses_today);
		if (health->has_pause)
			text_member(json, "last_pause", health->pause.sentence);
	}
	json_object_end(json);
}

static void json_tracker(struct json *json, const struct health *health)
{
	const struct storage_state *tracker = &health->tracker;

	json_key(json, "tracker");
	json_object_begin(json);
	json_key(json, "running");
	json_bool(json, health->tracker_lives);
	number_member(json, "tracker_pid", tracker->tracker_pid);
	number_member(json, "updated_realtime_ns", tracker->updated_realtime_ns);
	number_member(json, "samples_count", tracker->samples_count);
	number_member(json, "lost_count", tracker->lost_count);
	text_member(json, "persistence", storage_code_name(STORAGE_CODE_persistence, tracker->persistence));
	text_member(json, "reason", tracker->reason);
	json_object_end(json);
}

void print_json(FILE *out, const struct health *health)
{
	struct columns system;
	struct json json;

	json_begin(&json, out);
	json_object_begin(&json);
	json_collector(&json, health);
	if (health->has_sample) {
		columns_all(&system, COLUMNS_SYSTEM);
		json_key(&json, "system");
		value_json_object(&system, &health->batch.system, &json);
		json_missing(&json, &health->batch.system);
		json_window(&json, &health->window);
		json_guard(&json, &health->batch.system);
	}
	json_database(&json, health);
	if (health->has_tracker)
		json_tracker(&json, health);
	json_object_end(&json);
	fputc('\n', out);
}
