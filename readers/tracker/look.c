/* look.c - short looks at small files of the kernel, see look.h. */
#include "readers/tracker/look.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

void look_begin(struct look *look, uint64_t budget_ns)
{
	look->deadline_ns = clock_now_ns(CLOCK_MONOTONIC) + budget_ns;
}

const char *look_at(struct look *look, int dirfd, const char *path)
{
	if (clock_now_ns(CLOCK_MONOTONIC) >= look->deadline_ns) {
		look->late++;
		return NULL;
	}
	return dirfd >= 0 && file_read_at(dirfd, path, look->text, sizeof(look->text)) >= 0 ? look->text : NULL;
}

uint64_t look_at_number(struct look *look, int dirfd, const char *path)
{
	const char *text = look_at(look, dirfd, path);
	unsigned long long value = 0;

	return text && sscanf(text, "%19llu", &value) == 1 ? value : 0;
}

uint64_t look_number_of(const char *text, const char *key)
{
	size_t length = strlen(key);
	unsigned long long value;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && sscanf(line + length, " %19llu", &value) == 1)
			return value;
	}
	return 0;
}

void look_line(const char *text, char *out, size_t size)
{
	text_sanitise(text, strcspn(text, "\n"), out, size);
	text_reduce_to_ascii(out);
}
