/*
 * line.c - one sample on one line, see line.h.
 */
#include "readers/watch/line.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "rogue/tables.h"

static void write_system(FILE *out, const struct rh_system *system)
{
	char label[40], late[16];

	clock_label(system->realtime_ns, label);
	/* 2026-11-20T14:03:07.412+01:00: the time of day is what a person watches */
	fprintf(out, "%.12s  %-8s %3.0f  procs %u  rogue %u", label + 11, rh_code(RH_CODE_stress, system->stress)->name,
	        (double)system->max_score, system->process_count, system->rogue_count);
	if (rh_has(system->present, RH_S_cpu_busy_ratio))
		fprintf(out, "  cpu %3.0f%%", (double)system->cpu_busy_ratio * 100);
	if (rh_has(system->present, RH_S_mem_available_bytes) && system->mem_total_bytes > 0)
		fprintf(out, "  mem %3.0f%%", 100 - (double)system->mem_available_bytes / (double)system->mem_total_bytes * 100);
	fprintf(out, "  late %-6s", value_duration((double)system->lateness_ns, late));
}

static void write_process(FILE *out, const struct terminal *terminal, const struct rh_process *process)
{
	static const char *const shown[] = {"cpu_pct", "cpu_blame_ms_per_s", "runnable_ms_per_s", "mem_bytes", "disk_io_bytes_per_s"};
	char command[RH_COMMAND_BYTES + 1], name[64], text[VALUE_TEXT_BYTES];

	text_sanitise(process->command, RH_COMMAND_BYTES, command, sizeof(command)); /* never longer than it was */
	snprintf(name, sizeof(name), "  %s[%u] %.0f %s", command, process->pid, (double)process->score,
	        rh_code(RH_CODE_band, process->band)->name);
	table_styled(out, terminal, name, table_band_style(process->band));
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const struct rh_row *row = columns_find(COLUMNS_PROCESS, shown[i]);
		if (value_is_present(row, process))
			fprintf(out, "  %s %s", row->title, value_text(row, process, text));
	}
}

static void write_pairs(
        FILE *out, const struct terminal *terminal, const struct columns *columns, const void *record, const char **separator)
{
	char text[VALUE_TEXT_BYTES];

	for (size_t i = 0; i < columns->count; i++) {
		fprintf(out, "%s%s=", *separator, columns->rows[i]->name);
		table_styled(out, terminal, value_text(columns->rows[i], record, text), TABLE_PLAIN);
		*separator = " ";
	}
}

void line_text(FILE *out, const struct batch *batch, uint64_t lost, const struct line_fields *fields)
{
	struct terminal terminal = terminal_of(out);

	if (fields->chosen) {
		const char *separator = "";
		write_pairs(out, &terminal, &fields->system, &batch->system, &separator);
		if (batch->count > 0)
			write_pairs(out, &terminal, &fields->process, &batch->records[0], &separator);
	} else {
		write_system(out, &batch->system);
		if (batch->count > 0)
			write_process(out, &terminal, &batch->records[0]);
	}
	if (lost > 0)
		fprintf(out, "  lost %llu samples", (unsigned long long)lost);
	fputc('\n', out);
}

void line_json(FILE *out, const struct batch *batch, uint64_t lost, const struct line_fields *fields)
{
	uint32_t rogues = batch->system.rogue_count > 0 ? batch->system.rogue_count : 1;
	struct json json;

	json_begin(&json, out);
	json_object_begin(&json);
	json_key(&json, "sample");
	json_u64(&json, batch->sample);
	json_key(&json, "lost");
	json_u64(&json, lost);
	json_key(&json, "system");
	value_json_object(&fields->system, &batch->system, &json);
	json_key(&json, "processes");
	json_array_begin(&json);
	for (uint32_t i = 0; i < batch->count && i < rogues; i++)
		value_json_object(&fields->process, &batch->records[i], &json);
	json_array_end(&json);
	json_object_end(&json);
	fputc('\n', out);
}
