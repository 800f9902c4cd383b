/* group.c - the texts of control groups, see group.h. */
#include "readers/tracker/group.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char removed_mark[] = " (deleted)"; /* the kernel's, behind the path of a group that was removed */

/* ---- /proc/PID ---- */

/* After the last ')' of the line: state is field 3, session 6, start time 22. */
bool group_read_stat(const char *text, uint32_t *ret_session, uint64_t *ret_start_ns)
{
	const char *rest = strrchr(text, ')');
	long long session;
	unsigned long long ticks;
	long ticks_per_s = sysconf(_SC_CLK_TCK);

	if (!rest || ticks_per_s <= 0 ||
	        sscanf(rest + 1, " %*c %*d %*d %lld %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &session, &ticks) !=
	                2)
		return false;
	*ret_session = session > 0 && session <= UINT32_MAX ? (uint32_t)session : 0;
	*ret_start_ns = ticks / (unsigned long long)ticks_per_s * NS_PER_S +
	                ticks % (unsigned long long)ticks_per_s * NS_PER_S / (unsigned long long)ticks_per_s;
	return true;
}

/*
 * How well the line of a tree fits what is asked for; 0 not at all. The name=systemd tree of v1 has no controller, but units; a hybrid system
 * may have them there and leave the unified tree empty.
 */
static unsigned fitness(bool unified, const char *controllers, bool root, enum group_tree tree)
{
	if ((tree == GROUP_TREE_cpu && group_lists(controllers, "cpu")) ||
	        (tree == GROUP_TREE_memory && group_lists(controllers, "memory")))
		return 5;
	if (unified)
		return root ? 2 : 4;
	return strcmp(controllers, "name=systemd") == 0 ? root ? 1 : 3 : 0;
}

static bool take_path(struct group_member *member, const char *path, size_t length)
{
	const size_t mark = sizeof(removed_mark) - 1;
	bool removed = length > mark && memcmp(path + length - mark, removed_mark, mark) == 0;

	if (removed)
		length -= mark;
	if (length == 0 || path[0] != '/' || length >= sizeof(member->path))
		return false;
	member->removed = removed;
	memcpy(member->path, path, length);
	member->path[length] = '\0';
	return true;
}

/* "4:cpu,cpuacct:/user.slice": the path may hold colons, what is before it may not. Returns where the path begins, NULL where it does not. */
static const char *split_line(const char *line, bool *ret_unified, char controllers[256])
{
	size_t digits = strspn(line, "0123456789");
	const char *second = line + digits + 1;

	if (digits == 0 || line[digits] != ':')
		return NULL;
	size_t length = strcspn(second, ":\n");
	if (second[length] != ':' || length >= 256)
		return NULL;
	memcpy(controllers, second, length);
	controllers[length] = '\0';
	*ret_unified = digits == 1 && line[0] == '0' && length == 0;
	return second + length + 1;
}

bool group_read_path(const char *text, enum group_tree tree, struct group_member *member)
{
	char controllers[256];
	unsigned best = 0;

	member->path[0] = '\0';
	member->removed = member->unified = false;
	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		bool unified;
		end = line + strcspn(line, "\n");
		const char *path = split_line(line, &unified, controllers);
		if (!path)
			continue;
		unsigned fits = fitness(unified, controllers, end - path == 1, tree);
		if (fits > best && take_path(member, path, (size_t)(end - path))) {
			best = fits;
			member->unified = unified;
		}
	}
	return best > 0;
}

/* ---- paths ---- */

bool group_has_files(const struct group_member *member)
{
	const char *path = member->path;
	size_t length = strlen(path);

	return length > 0 && !member->removed && !strstr(path, "/../") && !(length >= 3 && strcmp(path + length - 3, "/..") == 0);
}

const char *group_file(const char *mount, const char *group, const char *file, char out[GROUP_FILE_BYTES])
{
	return mount && snprintf(out, GROUP_FILE_BYTES, "%s%s/%s", mount, group, file) < GROUP_FILE_BYTES ? out : NULL;
}

bool group_parent(char path[GROUP_PATH_BYTES])
{
	char *slash = strrchr(path, '/');

	if (!slash || !slash[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

char *group_show(const char *path, char *out, size_t size)
{
	char clean[3 * GROUP_PATH_BYTES];

	text_sanitise(path, strlen(path), clean, sizeof(clean));
	text_reduce_to_ascii(clean);
	size_t length = strlen(clean);
	if (length < size) {
		memcpy(out, clean, length + 1);
		return out;
	}
	const char *last = strrchr(clean, '/');
	size_t last_length = last ? strlen(last) : length;
	size_t head = last_length + 3 <= size ? size - last_length - 3 : 0; /* "/~", and the NUL */
	while (head > 0 && clean[head] != '/')
		head--;
	if (last_length + 3 <= size)
		snprintf(out, size, "%.*s/~%s", (int)head, clean, last);
	else
		snprintf(out, size, "~%s", clean + length - (size - 2));
	return out;
}

static bool has_suffix(const char *text, size_t length, const char *suffix)
{
	size_t suffix_length = strlen(suffix);
	return length > suffix_length && memcmp(text + length - suffix_length, suffix, suffix_length) == 0;
}

size_t group_unit(const char *path, char unit[GROUP_UNIT_BYTES])
{
	size_t found = 0;
	bool is_slice = true;

	unit[0] = '\0';
	for (const char *part = path; *part;) {
		part += strspn(part, "/");
		size_t length = strcspn(part, "/");
		bool slice = has_suffix(part, length, ".slice");
		bool named = slice || has_suffix(part, length, ".service") || has_suffix(part, length, ".scope");
		if (named && (!slice || is_slice)) {
			/* Of an inner one that does not fit nothing is told: the outer one is others' too. */
			snprintf(unit, GROUP_UNIT_BYTES, "%.*s", length < GROUP_UNIT_BYTES ? (int)length : 0, part);
			is_slice = slice;
			found = (size_t)(part - path) + length;
		}
		part += length;
	}
	return unit[0] ? found : 0;
}

bool group_lists(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *next = words; *next; next += strcspn(next, " ,\n")) {
		next += strspn(next, " ,\n");
		if (strcspn(next, " ,\n") == length && length > 0 && memcmp(next, word, length) == 0)
			return true;
	}
	return false;
}

/* ---- limits ---- */

static bool take_limit(long long quota_us, long long period_us, uint64_t *ret_quota_ns, uint64_t *ret_period_ns)
{
	const long long most_us = 1000000000LL * 1000; /* a nonsense that must not overflow */

	if (quota_us <= 0 || period_us <= 0 || quota_us > most_us || period_us > most_us)
		return false;
	*ret_quota_ns = (uint64_t)quota_us * NS_PER_US;
	*ret_period_ns = (uint64_t)period_us * NS_PER_US;
	return true;
}

bool group_read_cpu_max(const char *text, uint64_t *ret_quota_ns, uint64_t *ret_period_ns)
{
	long long quota, period;

	return sscanf(text, "%lld %lld", &quota, &period) == 2 && take_limit(quota, period, ret_quota_ns, ret_period_ns);
}

bool group_read_cfs(const char *quota_text, const char *period_text, uint64_t *ret_quota_ns, uint64_t *ret_period_ns)
{
	long long quota, period;

	return sscanf(quota_text, "%lld", &quota) == 1 && sscanf(period_text, "%lld", &period) == 1 &&
	       take_limit(quota, period, ret_quota_ns, ret_period_ns);
}
