/*
 * examine.c - see examine.h.
 */
#include "readers/doctor/examine.h"

#include "base/file.h"
#include "readers/common/attach.h"
#include "readers/common/batch.h"
#include "readers/doctor/ask.h"
#include "rogue/tables.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_BYTES = 8192 };

/* The effective set of a process, if it is a collector: its number may mean another one in our namespace. */
static bool capabilities_of(uint32_t pid, uint64_t *ret_set)
{
	static const char name[] = "Name:\trh-collector\n", key[] = "\nCapEff:\t";
	char path[40], status[STATUS_BYTES];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (file_read_at(AT_FDCWD, path, status, sizeof(status)) <= 0 || strncmp(status, name, sizeof(name) - 1) != 0)
		return false;
	const char *line = strstr(status, key);
	if (!line)
		return false;
	*ret_set = strtoull(line + sizeof(key) - 1, NULL, 16);
	return true;
}

static void examine_daemon(struct report *report, const char *instance)
{
	struct rh_error error = {0};
	struct batch batch = {0};
	struct rh_ring *ring;
	struct rh_info info;

	report->writer = rh_open(instance, &ring, &error);
	if (report->writer != RH_OK) {
		attach_reason(report->writer, &error, report->ring_error);
		return;
	}
	rh_info(ring, &info);
	report->writer_pid = info.writer_pid;
	report->writer = rh_writer_status(ring);
	enum rh_status status = batch_latest(ring, 0, &batch);
	bool lives = report->writer == RH_RUNNING || report->writer == RH_HUNG;
	if (status != RH_OK) {
		snprintf(report->ring_error, sizeof(report->ring_error), "%s", rh_status_text(status));
	} else if (lives) {
		report->has_system = true;
		report->system = batch.system;
		report->has_live = rh_has(batch.system.present, RH_S_signals);
		report->live = batch.system.signals;
	}
	batch_free(&batch);
	rh_close(&ring);
	if (lives)
		report->has_capabilities = capabilities_of(info.writer_pid, &report->held);
}

void examine(struct report *report, const char *instance, int config_fd)
{
	report->open_ms = report->sample_ms = -1;
	report->probed = ask_probe(report, config_fd);
	examine_daemon(report, instance);
}

bool examine_is_live(const struct report *report, unsigned signal)
{
	return report->live >> signal & 1;
}

/* Is the step one in the configuration, "... [section] key = value"? Then *ret_named tells whether the reason is that key, "section.key". */
static bool is_configured(const char *step, const char *why, bool *ret_named)
{
	const char *begin = strchr(step, '[');
	char section[32], key[64], name[100];

	if (!begin || sscanf(begin, "[%31[a-z]] %63[a-z_] =", section, key) != 2)
		return false;
	snprintf(name, sizeof(name), "%s.%s", section, key);
	*ret_named = strstr(why, name) != NULL;
	return true;
}

const char *examine_step(const struct report *report, const struct rh_signal_row *row)
{
	const struct examined_signal *signal = &report->signals[row->bit];
	bool named;

	if (report->probed && (signal->available || strncmp(signal->why, "needs ", 6) == 0))
		return "";
	if (is_configured(row->enable, signal->why, &named))
		return named ? row->enable : "";
	return strstr(signal->why, "in the configuration") ? "change that in the file that `rogue-hunter config path` names" : row->enable;
}

bool examine_is_spare(const struct report *report, unsigned signal)
{
	return signal == RH_SIGNAL_task_iterator && examine_is_live(report, RH_SIGNAL_task_walk);
}
