/*
 * head.c - the lines above the table of `top`, see head.h.
 */
#include "readers/top/head.h"

#include "base/clock.h"
#include "base/text.h"
#include "readers/common/attach.h"
#include "readers/common/table.h"
#include "readers/common/value.h"
#include "rogue/tables.h"

#include <string.h>

enum { GAUGE_CELLS = 20 }; /* every line fits into 80 columns */

/* One field of the system record as text, "-" where it is absent. */
static char *system_text(const struct rh_system *system, unsigned id, char out[VALUE_TEXT_BYTES])
{
	for (size_t i = 0; i < RH_SYSTEM_ROWS; i++)
		if (rh_system_rows[i].id == id)
			return value_text(&rh_system_rows[i], system, out);
	snprintf(out, VALUE_TEXT_BYTES, "-");
	return out;
}

/* A fraction as percent, "-" where the field is absent. */
static const char *percent(const struct rh_system *system, unsigned id, float ratio, char out[16])
{
	if (!rh_has(system->present, id))
		return "-";
	snprintf(out, 16, "%.0f%%", (double)ratio * 100);
	return out;
}

static void write_who(FILE *out, const struct batch *batch, const struct window *window, enum rh_status writer, uint64_t age_ns)
{
	const struct rh_system *system = &batch->system;
	char label[40], age[16], running[VALUE_TEXT_BYTES], stuck[VALUE_TEXT_BYTES];

	clock_label(system->realtime_ns, label);
	fprintf(out, "%.10s %.8s  ", label, label + 11); /* 2026-11-20T14:03:07.412+01:00 */
	if (writer == RH_RUNNING)
		fprintf(out, "live %.1f Hz", window->rate_hz);
	else
		fprintf(out, "%s for %s", attach_status_name(writer), value_duration((double)age_ns, age));
	fprintf(out, "  %u processes, %s running, %s stuck, %u rogue\n", batch->total, system_text(system, RH_S_running_count, running),
	        system_text(system, RH_S_stuck_count, stuck), system->rogue_count);
}

static enum table_style stress_style(unsigned stress)
{
	if (stress == RH_STRESS_critical)
		return TABLE_CRITICAL;
	return stress == RH_STRESS_elevated ? TABLE_ELEVATED : TABLE_PLAIN;
}

static void write_gauge(FILE *out, const struct terminal *terminal, const struct rh_system *system)
{
	char cells[GAUGE_CELLS + 1];
	double score = (double)system->max_score;
	size_t filled = score > 0 ? (size_t)(score * GAUGE_CELLS / 100 + 0.5) : 0;

	memset(cells, '.', GAUGE_CELLS);
	memset(cells, '#', filled < GAUGE_CELLS ? filled : GAUGE_CELLS);
	cells[GAUGE_CELLS] = '\0';
	fputs("stress [", out);
	table_styled(out, terminal, cells, stress_style(system->stress));
	fprintf(out, "] %.0f ", score);
	table_styled(out, terminal, rh_code(RH_CODE_stress, system->stress)->name, stress_style(system->stress));
}

static void write_use(FILE *out, const struct rh_system *system)
{
	char busy[16], iowait[16], steal[16], used[16], total[16], swap_used[16], swap_total[16], load[VALUE_TEXT_BYTES];
	double mem_used = (double)system->mem_total_bytes - (double)system->mem_available_bytes;

	fprintf(out, "cpu %s of %u  iowait %s  steal %s  load %s", percent(system, RH_S_cpu_busy_ratio, system->cpu_busy_ratio, busy),
	        system->cpus_count, percent(system, RH_S_cpu_iowait_ratio, system->cpu_iowait_ratio, iowait),
	        percent(system, RH_S_cpu_steal_ratio, system->cpu_steal_ratio, steal), system_text(system, RH_S_load_ratio, load));
	if (rh_has(system->present, RH_S_mem_total_bytes) && rh_has(system->present, RH_S_mem_available_bytes))
		fprintf(out, "  mem %s/%s", text_bytes(mem_used, used), text_bytes((double)system->mem_total_bytes, total));
	if (rh_has(system->present, RH_S_swap_total_bytes) && system->swap_total_bytes > 0)
		fprintf(out, "  swap %s/%s", text_bytes((double)system->swap_used_bytes, swap_used),
		        text_bytes((double)system->swap_total_bytes, swap_total));
	fputc('\n', out);
}

static void write_stalls(FILE *out, const struct rh_system *system)
{
	char text[5][VALUE_TEXT_BYTES];

	fprintf(out, "stalled ms/s  cpu %s  io %s full %s  mem %s full %s\n", system_text(system, RH_S_psi_cpu_some_ms_per_s, text[0]),
	        system_text(system, RH_S_psi_io_some_ms_per_s, text[1]), system_text(system, RH_S_psi_io_full_ms_per_s, text[2]),
	        system_text(system, RH_S_psi_memory_some_ms_per_s, text[3]), system_text(system, RH_S_psi_memory_full_ms_per_s, text[4]));
}

/* The cost of watching belongs on the screen that shows the watching. */
static void write_cost(FILE *out, const struct rh_system *system, const struct window *window)
{
	char rss[VALUE_TEXT_BYTES], late[16];

	fputs("  self ", out);
	if (window->self_cpu_pct >= 0)
		fprintf(out, "%.2f%% ", window->self_cpu_pct);
	fprintf(out, "%s  late %s  lost %llu\n", system_text(system, RH_S_self_rss_bytes, rss),
	        value_duration(window->lateness_mean_ns, late), (unsigned long long)system->lost_count);
}

void head_print(FILE *out, const struct batch *batch, const struct window *window, enum rh_status writer, uint64_t age_ns)
{
	struct terminal terminal = terminal_of(out);

	write_who(out, batch, window, writer, age_ns);
	write_gauge(out, &terminal, &batch->system);
	write_cost(out, &batch->system, window);
	write_use(out, &batch->system);
	write_stalls(out, &batch->system);
}
