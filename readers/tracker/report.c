/*
 * report.c - what the tracker tells the log, see report.h. Command names are foreign text: the log sanitises message and fields.
 */
#include "readers/tracker/report.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "rogue/tables.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What it uses most, in words: "cpu 98 %", "memory 3.1 GiB"; empty where nothing stands out. */
static void describe_use(const struct rh_process *process, char out[64])
{
	unsigned resource = rh_has(process->present, RH_F_dominant_resource) ? process->dominant_resource : RH_RESOURCE_none;

	out[0] = '\0';
	if (resource == RH_RESOURCE_memory && rh_has(process->present, RH_F_mem_bytes))
		snprintf(out, 64, ", mostly memory: %.1f MiB", (double)process->mem_bytes / 1048576);
	else if (resource == RH_RESOURCE_disk && rh_has(process->present, RH_F_disk_io_bytes_per_s))
		snprintf(out, 64, ", mostly disk: %.1f MiB/s", (double)process->disk_io_bytes_per_s / 1048576);
	else if (resource == RH_RESOURCE_wakeups && rh_has(process->present, RH_F_wakeups_per_s))
		snprintf(out, 64, ", mostly wakeups: %.0f/s", (double)process->wakeups_per_s);
	else if (resource == RH_RESOURCE_gpu && rh_has(process->present, RH_F_gpu_pct))
		snprintf(out, 64, ", mostly gpu: %.0f %%", (double)process->gpu_pct);
	else if (rh_has(process->present, RH_F_cpu_pct))
		snprintf(out, 64, ", cpu: %.0f %% of a core", (double)process->cpu_pct);
}

static void tell_entry(const struct track_event *event)
{
	const struct storage_snapshot *entry = &event->snapshots[STORAGE_snapshot_entry];
	char message[256], use[64];

	describe_use(&entry->process, use);
	snprintf(message, sizeof(message), "%s (pid %" PRIu32 ") is rogue: score %.0f%s", event->row.command, event->row.pid,
	        (double)event->row.entry_score, use);
	const struct log_field fields[] = {
	        LOG_TEXT("command", event->row.command),
	        LOG_INTEGER("process_pid", event->row.pid),
	        LOG_INTEGER("uid", event->row.uid),
	        LOG_INTEGER("start_time_ns", event->row.start_time_ns),
	        LOG_REAL("score", (double)event->row.entry_score),
	};
	log_event(LOG_WARNING_, "rogue_enter", message, fields, COUNT(fields));
}

static void tell_exit(const struct track_event *event)
{
	const struct storage_event *row = &event->row;
	double seconds = (double)(row->exit_boottime_ns - row->entry_boottime_ns) / NS_PER_S;
	const char *end = row->closed_by == STORAGE_closed_by_below ? "is no longer rogue" : "has ended";
	char message[256];

	snprintf(message, sizeof(message), "%s (pid %" PRIu32 ") %s after %.1f s: peak score %.0f (%s)", row->command, row->pid, end,
	        seconds, (double)row->peak_score, rh_code(RH_CODE_band, row->peak_band)->name);
	const struct log_field fields[] = {
	        LOG_TEXT("command", row->command),
	        LOG_INTEGER("process_pid", row->pid),
	        LOG_INTEGER("start_time_ns", row->start_time_ns),
	        LOG_REAL("peak_score", (double)row->peak_score),
	        LOG_TEXT("peak_band", rh_code(RH_CODE_band, row->peak_band)->name),
	        LOG_TEXT("closed_by", storage_code_name(STORAGE_CODE_closed_by, row->closed_by)),
	        LOG_REAL("seconds", seconds),
	};
	log_event(LOG_INFO_, "rogue_exit", message, fields, COUNT(fields));
}

void report_events(struct track *track)
{
	for (struct track_event *event = track_next(track, NULL); event; event = track_next(track, event)) {
		if (event->entered)
			tell_entry(event);
		if (event->exited)
			tell_exit(event);
		if (event->entered || event->exited)
			track_reported(track, event);
	}
}

/* Our resident memory without the ring, which is mapped by every reader and paid for once. 0 where it cannot be told. */
static uint64_t own_rss_bytes(void)
{
	char text[4096];
	uint64_t sum = 0;

	if (file_read_at(AT_FDCWD, "/proc/self/status", text, sizeof(text)) < 0)
		return 0;
	for (const char *key = "RssAnon:"; key; key = strcmp(key, "RssAnon:") == 0 ? "RssFile:" : NULL) {
		const char *line = strstr(text, key);
		unsigned long kib = 0;
		if (line && sscanf(line + strlen(key), "%lu", &kib) == 1)
			sum += (uint64_t)kib * 1024;
	}
	return sum;
}

static void tell_heartbeat(const struct report *report, const struct feed *feed, const struct track *track, const struct persist *persist)
{
	double mean = report->score_count ? report->score_sum / (double)report->score_count : 0;
	uint64_t rss = own_rss_bytes();
	uint64_t database = persist->storage ? storage_file_bytes(persist->storage) : 0;
	uint64_t wal = persist->storage ? storage_wal_bytes(persist->storage) : 0;
	char message[256];

	snprintf(message, sizeof(message),
	        "%" PRIu64 " samples: score mean %.1f, max %.1f; %" PRIu32 " tracked, %" PRIu64
	        " lost; lag %.1f ms; memory %.1f MiB, database %.1f MiB%s",
	        report->samples, mean, report->score_max, track->open_count, feed->follow.lost, (double)report->lag_ns / NS_PER_MS,
	        (double)rss / 1048576, (double)database / 1048576, persist->paused ? "; writing is paused" : "");
	const struct log_field fields[] = {
	        LOG_INTEGER("samples", report->samples),
	        LOG_INTEGER("sample_id", feed->system.sample_id),
	        LOG_REAL("score_mean", mean),
	        LOG_REAL("score_max", report->score_max),
	        LOG_INTEGER("tracked", track->open_count),
	        LOG_INTEGER("lost", feed->follow.lost),
	        LOG_REAL("lag_ms", (double)report->lag_ns / NS_PER_MS),
	        LOG_INTEGER("rss_bytes", rss),
	        LOG_INTEGER("database_bytes", database),
	        LOG_INTEGER("wal_bytes", wal),
	        LOG_TEXT("persistence", storage_code_name(STORAGE_CODE_persistence, persist->paused)),
	};
	log_event(LOG_INFO_, "heartbeat", message, fields, COUNT(fields));
}

bool report_sample(struct report *report, const struct feed *feed, const struct track *track, const struct persist *persist)
{
	const struct rh_system *system = &feed->system;

	report->samples++;
	report->score_sum += feed->score_sum;
	report->score_count += feed->score_count;
	if (rh_has(system->present, RH_S_max_score) && (double)system->max_score > report->score_max)
		report->score_max = (double)system->max_score;
	if (feed->lag_ns > report->lag_ns)
		report->lag_ns = feed->lag_ns;
	if (report->samples < (uint64_t)persist->config->log_heartbeat_samples)
		return false;
	tell_heartbeat(report, feed, track, persist);
	*report = (struct report){.status = report->status};
	return true;
}

void report_status(struct report *report, enum rh_status status)
{
	if (status == RH_TIMEOUT || status == report->status)
		return;
	if (status != RH_OK)
		log_say(status == RH_HUNG || status == RH_DEAD ? LOG_WARNING_ : LOG_INFO_, "ring_waiting", "waiting for samples: %s",
		        rh_status_text(status));
	else if (report->status != RH_OK)
		log_say(LOG_INFO_, "ring_running", "samples come again");
	report->status = status;
}
