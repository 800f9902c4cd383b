/*
 * energy.c - energy of each process: what the cpu packages used (RAPL, by powercap), divided by cpu time.
 *
 * A package that was busy for a third of the time of its cpus gives a third of its energy to the processes, each by its cpu time; the rest was
 * idle, and nobody's. That is a division, not a measurement: all instructions count alike. The files are kept open and read in every tick.
 * Domains inside of a package (cores, memory) and of the platform are left out: they would count twice.
 */
#include "collector/meters/meter.h"
#include "collector/meters/pid_table.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PACKAGES = 64,
	WATTS_MAX = 5000, /* of one package: above, the counter has begun anew, in a suspend */
	SPAN_MAX_S = 60,  /* between two ticks: after a longer one the counters may have wrapped more than once */
	NJ_PER_UJ = 1000,
};

struct package {
	int fd;
	uint64_t range_uj; /* the counter begins anew after this value */
	uint64_t before_uj;
};

struct energy {
	struct meter meter; /* first: the interface */
	struct pool pool;   /* all memory, this struct included */
	struct package packages[PACKAGES];
	uint32_t count, capacity, cpus;
	bool has_before;
	struct pid_table table;
	uint64_t *used_ns;     /* [capacity] cpu time of each record in this interval */
	struct pid_row **rows; /* [capacity] its row, NULL where the record has no cpu time */
};

/* Energy of all packages since the tick before. Returns false if a counter cannot be read, or there is nothing yet to compare it with. */
static bool packages_read(struct energy *energy, uint64_t interval_ns, uint64_t *ret_uj)
{
	bool comparable = energy->has_before && interval_ns > 0 && interval_ns <= (uint64_t)SPAN_MAX_S * NS_PER_S;
	uint64_t most_uj = interval_ns / NS_PER_US * WATTS_MAX;
	*ret_uj = 0;
	energy->has_before = false;
	for (uint32_t i = 0; i < energy->count; i++) {
		struct package *package = &energy->packages[i];
		char text[32];
		uint64_t now_uj;
		if (file_pread(package->fd, text, sizeof(text)) <= 0)
			return false;
		char *end;
		errno = 0;
		now_uj = strtoull(text, &end, 10);
		if (end == text || errno != 0)
			return false;
		uint64_t used_uj =
		        now_uj >= package->before_uj ? now_uj - package->before_uj : now_uj + package->range_uj - package->before_uj;
		package->before_uj = now_uj;
		if (comparable && used_uj <= most_uj)
			*ret_uj += used_uj;
	}
	energy->has_before = true;
	return comparable;
}

/* Cpu time of each process since the tick before. A process that was not there has begun since. Returns the sum. */
static uint64_t use_gather(struct energy *energy, uint64_t most_ns, bool comparable, const struct raw_process *processes, uint32_t count)
{
	uint64_t sum_ns = 0;
	pid_table_begin(&energy->table);
	for (uint32_t i = 0; i < count; i++) {
		const struct raw_process *process = &processes[i];
		energy->rows[i] = NULL;
		if (!rh_has(process->present, RH_F_cpu_time_ns))
			continue;
		const struct pid_row *before = pid_table_before(&energy->table, process->pid, process->start_time_ns);
		struct pid_row *row = pid_table_add(&energy->table, process->pid, process->start_time_ns);
		uint64_t before_ns = before != NULL ? before->cpu_time_ns : 0;
		uint64_t used_ns = process->cpu_time_ns > before_ns ? process->cpu_time_ns - before_ns : 0;
		row->energy_nj = before != NULL ? before->energy_nj : 0;
		row->cpu_time_ns = process->cpu_time_ns;
		energy->rows[i] = row;
		energy->used_ns[i] = !comparable ? 0 : used_ns < most_ns ? used_ns : most_ns;
		sum_ns += energy->used_ns[i];
	}
	return sum_ns;
}

static bool energy_tick(struct meter *meter, uint64_t interval_ns, struct raw_process *processes, uint32_t count, struct raw_system *system)
{
	struct energy *energy = (struct energy *)meter;
	uint64_t used_uj;
	bool comparable = packages_read(energy, interval_ns, &used_uj);
	if (!energy->has_before)
		return false;
	if (count > energy->capacity)
		count = energy->capacity;
	uint32_t cpus = rh_has(system->present, RH_S_cpus_count) && system->cpus > 0 ? system->cpus : energy->cpus;
	uint64_t all_ns = interval_ns * cpus;
	uint64_t sum_ns = use_gather(energy, all_ns, comparable, processes, count);
	if (sum_ns > all_ns) /* cpu times are of slightly different instants */
		all_ns = sum_ns;
	double nj_per_ns = comparable && all_ns > 0 ? (double)used_uj * NJ_PER_UJ / (double)all_ns : 0;
	for (uint32_t i = 0; i < count; i++) {
		struct pid_row *row = energy->rows[i];
		if (row == NULL)
			continue;
		row->energy_nj += (uint64_t)((double)energy->used_ns[i] * nj_per_ns);
		processes[i].energy_uj = row->energy_nj / NJ_PER_UJ;
		rh_set(processes[i].present, RH_F_energy_uj);
	}
	return true;
}

static void energy_close(struct meter **meter)
{
	struct energy *energy = (struct energy *)*meter;
	if (energy == NULL)
		return;
	for (uint32_t i = 0; i < energy->count; i++)
		closefd(&energy->packages[i].fd);
	struct pool pool = energy->pool; /* holds the struct itself */
	pool_release(&pool);
	*meter = NULL;
}

static const struct meter_operations energy_operations = {.signal = RH_SIGNAL_energy, .tick = energy_tick, .close = energy_close};

/* Opens intel-rapl:N if it is a package. Returns 1, 0 if there is none or it is something else, or -errno. */
static int package_open(struct energy *energy, const char *sys_root, uint32_t number)
{
	char path[512], text[64];
	snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:%u/name", sys_root, number);
	ssize_t length = file_read_at(AT_FDCWD, path, text, sizeof(text));
	if (length < 0 || strncmp(text, "package-", strlen("package-")) != 0)
		return 0;
	struct package *package = &energy->packages[energy->count];
	snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:%u/max_energy_range_uj", sys_root, number);
	length = file_read_at(AT_FDCWD, path, text, sizeof(text));
	package->range_uj = length > 0 ? strtoull(text, NULL, 10) : 0;
	snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:%u/energy_uj", sys_root, number);
	package->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (package->fd < 0)
		return -errno;
	energy->count++;
	return 1;
}

static int packages_open(struct energy *energy, const char *sys_root, char error[256])
{
	for (uint32_t number = 0; number < PACKAGES; number++) {
		int result = package_open(energy, sys_root, number);
		if (result == -EACCES || result == -EPERM) {
			snprintf(error, 256,
			        "%s/class/powercap/intel-rapl:%u/energy_uj may be read by root only, since fine energy readings can betray "
			        "secrets "
			        "(CVE-2020-8694): run the collector as root",
			        sys_root, number);
			return result;
		}
		if (result < 0) {
			snprintf(error, 256, "%s/class/powercap/intel-rapl:%u/energy_uj cannot be opened: %s", sys_root, number,
			        strerror(-result));
			return result;
		}
	}
	if (energy->count > 0)
		return 0;
	snprintf(error, 256,
	        "no energy counter (%s/class/powercap has no package of intel-rapl): modprobe intel_rapl_msr helps on a real machine, "
	        "virtual ones hardly ever have any",
	        sys_root);
	return -ENODEV;
}

int meter_energy_open(const struct meter_options *options, struct meter **ret_meter, char error[256])
{
	*ret_meter = NULL;
	if (strcmp(options->config->meters_energy, "off") == 0) {
		snprintf(error, 256, "switched off in the configuration (meters.energy)");
		return -ENODEV;
	}
	struct pool pool = {0};
	struct energy *energy = pool_take(&pool, 1, sizeof(*energy));
	if (energy == NULL) {
		snprintf(error, 256, "no memory for the energy counters");
		return -ENOMEM;
	}
	struct meter *meter = &energy->meter;
	meter->operations = &energy_operations;
	int result = packages_open(energy, options->sys_root, error);
	if (result == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);
		energy->cpus = cpus > 0 ? (uint32_t)cpus : 1;
		energy->capacity = options->max_processes;
		pid_table_take(&energy->table, &pool, energy->capacity);
		energy->used_ns = pool_take(&pool, energy->capacity, sizeof(*energy->used_ns));
		energy->rows = pool_take(&pool, energy->capacity, sizeof(struct pid_row *));
		if (pool.failed) {
			snprintf(error, 256, "no memory for the energy of %u processes", energy->capacity);
			result = -ENOMEM;
		}
	}
	energy->pool = pool;
	if (result < 0)
		energy_close(&meter);
	*ret_meter = meter;
	return result;
}
