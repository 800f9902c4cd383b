/*
 * parse.c - the text of /proc as numbers; see parse.h.
 *
 * All parsers move a cursor through the bytes and never look at or behind its end. No sscanf and no strtoull: they need an end
 * mark, heed the locale, and take most of the time of a sample.
 */
#include "collector/procfs/parse.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool cursor_at(const struct cursor *cursor, char c)
{
	return cursor->at < cursor->end && *cursor->at == c;
}

static void cursor_skip_blanks(struct cursor *cursor)
{
	while (cursor_at(cursor, ' ') || cursor_at(cursor, '\t'))
		cursor->at++;
}

/* Digits after blanks. Returns false, leaving them where they are, if there is none. */
static bool cursor_number(struct cursor *cursor, uint64_t *ret_number)
{
	cursor_skip_blanks(cursor);
	if (cursor->at == cursor->end || !is_digit(*cursor->at))
		return false;
	uint64_t number = 0;
	do {
		uint64_t digit = (uint64_t)(*cursor->at - '0');
		number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
	} while (++cursor->at < cursor->end && is_digit(*cursor->at));
	*ret_number = number;
	return true;
}

/* The same with a sign. Negative numbers are held as the kernel does, in two's complement. */
static bool cursor_signed(struct cursor *cursor, uint64_t *ret_number)
{
	cursor_skip_blanks(cursor);
	bool negative = cursor_at(cursor, '-');
	cursor->at += negative;
	uint64_t number;
	if (!cursor_number(cursor, &number))
		return false;
	if (negative)
		number = number > INT64_MAX ? UINT64_C(1) << 63 : -number;
	*ret_number = number;
	return true;
}

/* Cuts off the next line, without its end. Returns false when nothing is left. */
static bool cursor_line(struct cursor *cursor, struct cursor *ret_line)
{
	if (cursor->at == cursor->end)
		return false;
	const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));
	*ret_line = (struct cursor){cursor->at, newline ? newline : cursor->end};
	cursor->at = newline ? newline + 1 : cursor->end;
	return true;
}

/* Steps over a word if it comes next. */
static bool cursor_word(struct cursor *cursor, const char *word, size_t length)
{
	if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
		return false;
	cursor->at += length;
	return true;
}
#define CURSOR_WORD(cursor, word) cursor_word((cursor), (word), sizeof(word) - 1)

static uint32_t narrow_u32(uint64_t number)
{
	return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

static int32_t narrow_i32(uint64_t number)
{
	int64_t value = (int64_t)number;
	return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* ---- files of "key value" lines ---- */

struct key {
	const char *name; /* what a line begins with, separator included */
	uint8_t length;
	uint8_t member;
	bool is_prefix; /* the rest of the word does not matter */
};
#define KEY(name_, member_) \
	{ \
		.name = (name_), .length = sizeof(name_) - 1, .member = (member_) \
	}
#define KEY_PREFIX(name_, member_) \
	{ \
		.name = (name_), .length = sizeof(name_) - 1, .member = (member_), .is_prefix = true \
	}
#define KEYS(table) (table), sizeof(table) / sizeof((table)[0])

/* Adds the number of each line that begins with a key to that key's member. Returns the members found, as bits 1 << member. */
static uint32_t sum_keys(const char *text, size_t length, const struct key *keys, size_t count, uint64_t *values)
{
	struct cursor cursor = {text, text + length}, line;
	uint32_t found = 0;
	while (cursor_line(&cursor, &line)) {
		size_t i = 0;
		while (i < count && !cursor_word(&line, keys[i].name, keys[i].length))
			i++;
		if (i == count)
			continue;
		while (keys[i].is_prefix && line.at < line.end && *line.at != ' ')
			line.at++;
		uint64_t number;
		if (!cursor_number(&line, &number))
			continue;
		uint64_t *value = &values[keys[i].member];
		*value = number > UINT64_MAX - *value ? UINT64_MAX : *value + number;
		found |= 1u << keys[i].member;
	}
	return found;
}

bool procfs_parse_io(const char *text, size_t length, struct procfs_io *ret_io)
{
	enum { READ_CALLS, WRITE_CALLS, READ_BYTES, WRITE_BYTES, MEMBERS };
	static const struct key keys[] = {
	        KEY("syscr:", READ_CALLS),
	        KEY("syscw:", WRITE_CALLS),
	        KEY("read_bytes:", READ_BYTES),
	        KEY("write_bytes:", WRITE_BYTES),
	};
	uint64_t value[MEMBERS] = {0};
	uint32_t found = sum_keys(text, length, KEYS(keys), value);
	*ret_io = (struct procfs_io){value[READ_CALLS], value[WRITE_CALLS], value[READ_BYTES], value[WRITE_BYTES]};
	return found == (1u << MEMBERS) - 1;
}

bool procfs_parse_status(const char *text, size_t length, struct procfs_status *ret_status)
{
	/* Line breaks in Name: are escaped by the kernel, so a command cannot pose as another line. */
	static const struct key keys[] = {
	        KEY("Uid:", PROCFS_STATUS_UID),
	        KEY("VmHWM:", PROCFS_STATUS_PEAK),
	        KEY("VmRSS:", PROCFS_STATUS_RSS),
	        KEY("RssAnon:", PROCFS_STATUS_ANON),
	        KEY("RssShmem:", PROCFS_STATUS_SHMEM),
	        KEY("VmSwap:", PROCFS_STATUS_SWAP),
	        KEY("voluntary_ctxt_switches:", PROCFS_STATUS_VOLUNTARY),
	        KEY("nonvoluntary_ctxt_switches:", PROCFS_STATUS_INVOLUNTARY),
	};
	*ret_status = (struct procfs_status){0};
	ret_status->found = sum_keys(text, length, KEYS(keys), ret_status->value);
	return ret_status->found != 0;
}

bool procfs_parse_meminfo(const char *text, size_t length, struct procfs_meminfo *ret_meminfo)
{
	static const struct key keys[] = {
	        KEY("MemTotal:", PROCFS_MEMINFO_TOTAL),
	        KEY("MemAvailable:", PROCFS_MEMINFO_AVAILABLE),
	        KEY("SwapTotal:", PROCFS_MEMINFO_SWAP_TOTAL),
	        KEY("SwapFree:", PROCFS_MEMINFO_SWAP_FREE),
	        KEY("Dirty:", PROCFS_MEMINFO_DIRTY),
	};
	*ret_meminfo = (struct procfs_meminfo){0};
	ret_meminfo->found = sum_keys(text, length, KEYS(keys), ret_meminfo->value);
	return ret_meminfo->found != 0;
}

bool procfs_parse_vmstat(const char *text, size_t length, struct procfs_vmstat *ret_vmstat)
{
	static const struct key keys[] = {
	        KEY("pswpin ", PROCFS_VMSTAT_SWAPIN),
	        KEY("pswpout ", PROCFS_VMSTAT_SWAPOUT),
	        KEY_PREFIX("allocstall", PROCFS_VMSTAT_ALLOCSTALL),
	        KEY_PREFIX("workingset_refault", PROCFS_VMSTAT_REFAULT),
	        KEY("compact_stall ", PROCFS_VMSTAT_COMPACT_STALL),
	        KEY("oom_kill ", PROCFS_VMSTAT_OOM_KILL),
	};
	*ret_vmstat = (struct procfs_vmstat){0};
	ret_vmstat->found = sum_keys(text, length, KEYS(keys), ret_vmstat->value);
	return ret_vmstat->found != 0;
}

/* ---- files of a process ---- */

bool procfs_parse_schedstat(const char *text, size_t length, struct procfs_schedstat *ret_schedstat)
{
	struct cursor cursor = {text, text + length};
	return cursor_number(&cursor, &ret_schedstat->run_ns) && cursor_number(&cursor, &ret_schedstat->wait_ns) &&
	       cursor_number(&cursor, &ret_schedstat->slices);
}

/* Fields of stat that are looked at, by the numbers of proc(5). */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_FLAGS = 9,
	STAT_MINOR_FAULTS = 10,
	STAT_MAJOR_FAULTS = 12,
	STAT_USER = 14,
	STAT_SYSTEM = 15,
	STAT_PRIORITY = 18,
	STAT_NICE = 19,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_RSS = 24,
	STAT_POLICY = 41,
	STAT_BLKIO = 42,
	STAT_FIELDS = 43,
};

/*
 * Steps over "pid (command) ". The command may hold any byte but NUL, line breaks, blanks and ')' among them, but what follows it is
 * numbers and one letter: it ends at the last ')' of the text.
 */
static bool stat_command(struct cursor *cursor, char command[RH_COMMAND_BYTES])
{
	const char *text = cursor->at;
	size_t length = (size_t)(cursor->end - text);
	const char *open = length ? memchr(text, '(', length) : NULL;
	const char *close = length ? memrchr(text, ')', length) : NULL;
	if (!open || !close || close < open)
		return false;
	size_t bytes = (size_t)(close - open) - 1;
	if (bytes > RH_COMMAND_BYTES - 1)
		bytes = RH_COMMAND_BYTES - 1;
	memset(command, 0, RH_COMMAND_BYTES);
	memcpy(command, open + 1, bytes);
	cursor->at = close + 1;
	return true;
}

/*
 * The kernel shows a worker as its name and the queue it works for now, "kworker/0:1-events": the name alone stays the same. That of a
 * rescuer, "kworker/R-writeback", is a name as a whole.
 */
static void stat_cut_worker(char command[RH_COMMAND_BYTES])
{
	static const char worker[] = "kworker/";
	if (memcmp(command, worker, sizeof(worker) - 1) != 0 || command[sizeof(worker) - 1] == 'R')
		return;
	size_t length = strcspn(command, "-+");
	memset(command + length, 0, RH_COMMAND_BYTES - length);
}

bool procfs_parse_stat(const char *text, size_t length, struct procfs_stat *ret_stat)
{
	struct cursor cursor = {text, text + length};
	*ret_stat = (struct procfs_stat){0};
	if (!stat_command(&cursor, ret_stat->command))
		return false;
	cursor_skip_blanks(&cursor);
	if (cursor.at == cursor.end || *cursor.at == '\n')
		return false;
	ret_stat->state = *cursor.at++;

	uint64_t value[STAT_FIELDS] = {0};
	unsigned field = STAT_STATE + 1;
	while (field < STAT_FIELDS && cursor_signed(&cursor, &value[field]))
		field++;
	ret_stat->fields = field - 1;
	ret_stat->ppid = narrow_u32(value[STAT_PPID]);
	ret_stat->flags = narrow_u32(value[STAT_FLAGS]);
	ret_stat->minor_faults = value[STAT_MINOR_FAULTS];
	ret_stat->major_faults = value[STAT_MAJOR_FAULTS];
	ret_stat->user_ticks = value[STAT_USER];
	ret_stat->system_ticks = value[STAT_SYSTEM];
	ret_stat->priority = narrow_i32(value[STAT_PRIORITY]);
	ret_stat->nice = narrow_i32(value[STAT_NICE]);
	ret_stat->threads = narrow_u32(value[STAT_THREADS]);
	ret_stat->start_ticks = value[STAT_START];
	ret_stat->rss_pages = value[STAT_RSS];
	ret_stat->policy = narrow_u32(value[STAT_POLICY]);
	ret_stat->blkio_ticks = value[STAT_BLKIO];
	if (ret_stat->flags & PROCFS_KERNEL_THREAD)
		stat_cut_worker(ret_stat->command);
	return true;
}

/* ---- directories ---- */

/* struct linux_dirent64: inode 8 bytes, offset 8, length of the entry 2, type 1, then the name and its NUL. */
enum { DIRENT_LENGTH_AT = 16, DIRENT_NAME_AT = 19 };

/* Is the name, all of it, a number below PROCFS_PID_MAX without leading zeros? */
static bool dirent_id(const char *name, size_t size, uint32_t *ret_id)
{
	uint32_t id = 0;
	size_t i = 0;
	for (; i < size && is_digit(name[i]) && id < PROCFS_PID_MAX; i++)
		id = id * 10 + (uint32_t)(name[i] - '0');
	*ret_id = id;
	return i > 0 && i < size && name[i] == '\0' && name[0] != '0' && id < PROCFS_PID_MAX;
}

bool procfs_parse_dirent(const char *buffer, size_t length, size_t *offset, uint32_t *ret_id)
{
	while (*offset <= length && length - *offset > DIRENT_NAME_AT) {
		const char *entry = buffer + *offset;
		uint16_t entry_length;
		memcpy(&entry_length, entry + DIRENT_LENGTH_AT, sizeof(entry_length));
		if (entry_length <= DIRENT_NAME_AT || entry_length > length - *offset)
			return false;
		*offset += entry_length;
		if (dirent_id(entry + DIRENT_NAME_AT, entry_length - DIRENT_NAME_AT, ret_id))
			return true;
	}
	return false;
}

/* ---- files of the machine ---- */

bool procfs_parse_loadavg(const char *text, size_t length, struct procfs_loadavg *ret_loadavg)
{
	struct cursor cursor = {text, text + length};
	uint64_t whole, hundredths, ignored;
	if (!cursor_number(&cursor, &whole) || !CURSOR_WORD(&cursor, ".") || !cursor_number(&cursor, &hundredths))
		return false;
	for (int i = 0; i < 2; i++)
		if (!cursor_number(&cursor, &ignored) || !CURSOR_WORD(&cursor, ".") || !cursor_number(&cursor, &ignored))
			return false;
	ret_loadavg->load = (double)whole + (double)hundredths / 100;
	return cursor_number(&cursor, &ret_loadavg->running) && CURSOR_WORD(&cursor, "/") &&
	       cursor_number(&cursor, &ret_loadavg->threads) && cursor_number(&cursor, &ret_loadavg->last_pid);
}

/* The numbers behind "cpu ": an old kernel has at least four, steal came with 2.6.11. */
static bool stat_cpu(struct cursor *line, struct procfs_system_stat *stat)
{
	uint64_t *const members[] = {
	        &stat->user,
	        &stat->nice,
	        &stat->system,
	        &stat->idle,
	        &stat->iowait,
	        &stat->irq,
	        &stat->softirq,
	        &stat->steal,
	};
	unsigned count = 0;
	while (count < sizeof(members) / sizeof(members[0]) && cursor_number(line, members[count]))
		count++;
	return count >= 4;
}

bool procfs_parse_system_stat(const char *text, size_t length, struct procfs_system_stat *ret_stat)
{
	struct cursor cursor = {text, text + length}, line;
	*ret_stat = (struct procfs_system_stat){0};
	while (cursor_line(&cursor, &line)) {
		if (CURSOR_WORD(&line, "cpu ")) {
			if (stat_cpu(&line, ret_stat))
				ret_stat->found |= 1u << PROCFS_SYSTEM_STAT_CPU;
		} else if (CURSOR_WORD(&line, "cpu")) {
			ret_stat->cpus += line.at < line.end && is_digit(*line.at);
		} else if (CURSOR_WORD(&line, "processes ")) {
			if (cursor_number(&line, &ret_stat->forks))
				ret_stat->found |= 1u << PROCFS_SYSTEM_STAT_FORKS;
		} else if (CURSOR_WORD(&line, "procs_running ")) {
			if (cursor_number(&line, &ret_stat->running))
				ret_stat->found |= 1u << PROCFS_SYSTEM_STAT_RUNNING;
		}
	}
	return ret_stat->found != 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234" */
static bool pressure_total(struct cursor *line, uint64_t *ret_us)
{
	static const char total[] = "total=";
	size_t length = (size_t)(line->end - line->at);
	const char *found = length ? memmem(line->at, length, total, sizeof(total) - 1) : NULL;
	if (!found)
		return false;
	line->at = found + sizeof(total) - 1;
	return cursor_number(line, ret_us);
}

bool procfs_parse_pressure(const char *text, size_t length, struct procfs_pressure *ret_pressure)
{
	struct cursor cursor = {text, text + length}, line;
	*ret_pressure = (struct procfs_pressure){0};
	while (cursor_line(&cursor, &line)) {
		if (CURSOR_WORD(&line, "some "))
			ret_pressure->has_some = pressure_total(&line, &ret_pressure->some_us);
		else if (CURSOR_WORD(&line, "full "))
			ret_pressure->has_full = pressure_total(&line, &ret_pressure->full_us);
	}
	return ret_pressure->has_some || ret_pressure->has_full;
}

/* "8 0 sda 1 2 3 ...": eleven numbers behind the name, more since 4.18. A line of an old partition has four and is refused. */
static bool disk_line(struct cursor *line, struct procfs_disk *disk)
{
	uint64_t major, minor, value[10];
	if (!cursor_number(line, &major) || !cursor_number(line, &minor))
		return false;
	cursor_skip_blanks(line);
	size_t length = 0;
	while (line->at < line->end && *line->at != ' ' && *line->at != '\0') {
		if (length < PROCFS_DISK_NAME_BYTES - 1)
			disk->name[length++] = *line->at;
		line->at++;
	}
	for (unsigned i = 0; i < 10; i++)
		if (!cursor_number(line, &value[i]))
			return false;
	disk->major = narrow_u32(major);
	disk->minor = narrow_u32(minor);
	disk->reads = value[0];
	disk->read_sectors = value[2];
	disk->read_ms = value[3];
	disk->writes = value[4];
	disk->write_sectors = value[6];
	disk->write_ms = value[7];
	disk->in_flight = value[8];
	disk->busy_ms = value[9];
	return length > 0;
}

bool procfs_parse_diskstats(const char *text, size_t length, size_t *offset, struct procfs_disk *ret_disk)
{
	struct cursor cursor = {text + *offset, text + length}, line;
	while (cursor_line(&cursor, &line)) {
		*offset = (size_t)(cursor.at - text);
		*ret_disk = (struct procfs_disk){0};
		if (disk_line(&line, ret_disk))
			return true;
	}
	return false;
}

bool procfs_parse_is_partition(const char *name, const char *disk)
{
	size_t length = strlen(disk);
	if (length == 0 || strncmp(name, disk, length) != 0)
		return false;
	const char *rest = name + length;
	if (is_digit(disk[length - 1]) && *rest++ != 'p')
		return false;
	return *rest != '\0' && rest[strspn(rest, "0123456789")] == '\0';
}
