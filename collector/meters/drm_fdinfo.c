/* drm_fdinfo.c - see drm_fdinfo.h. */
#include "collector/meters/drm_fdinfo.h"

#include <string.h>

struct words {
	const char *begin, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct words trimmed(const char *begin, const char *end)
{
	while (begin < end && is_blank(*begin))
		begin++;
	while (begin < end && is_blank(end[-1]))
		end--;
	return (struct words){begin, end};
}

static bool equals(struct words words, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(words.end - words.begin) == length && memcmp(words.begin, text, length) == 0;
}

/* Takes a prefix off. */
static bool skip(struct words *words, const char *prefix)
{
	size_t length = strlen(prefix);
	if ((size_t)(words->end - words->begin) < length || memcmp(words->begin, prefix, length) != 0)
		return false;
	words->begin += length;
	return true;
}

/* A name of printable characters that fits whole: two that are cut could become the same. */
static bool take_name(struct words words, char out[DRM_NAME_BYTES])
{
	size_t length = (size_t)(words.end - words.begin);
	if (length == 0 || length >= DRM_NAME_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (words.begin[i] <= ' ' || words.begin[i] > '~')
			return false;
	}
	memset(out, 0, DRM_NAME_BYTES);
	memcpy(out, words.begin, length);
	return true;
}

/* Digits, then a unit or nothing. One too large for its type is none. */
static bool take_number(struct words words, uint64_t *ret_number, struct words *ret_unit)
{
	const char *at = words.begin;
	uint64_t number = 0;
	while (at < words.end && *at >= '0' && *at <= '9') {
		if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
			return false;
		at++;
	}
	*ret_number = number;
	*ret_unit = trimmed(at, words.end);
	return at > words.begin && (at == words.end || is_blank(*at));
}

static bool take_hz(struct words value, uint64_t *ret_hz)
{
	struct words unit;
	uint64_t number, factor;
	if (!take_number(value, &number, &unit))
		return false;
	if (unit.begin == unit.end || equals(unit, "Hz"))
		factor = 1;
	else if (equals(unit, "KHz"))
		factor = 1000;
	else if (equals(unit, "MHz"))
		factor = 1000000;
	else
		return false;
	return number > 0 && !__builtin_mul_overflow(number, factor, ret_hz);
}

static struct drm_engine *engine_of(struct drm_fdinfo *fdinfo, struct words words)
{
	char name[DRM_NAME_BYTES];
	if (!take_name(words, name))
		return NULL;
	for (uint32_t i = 0; i < fdinfo->engine_count; i++) {
		if (strcmp(fdinfo->engines[i].name, name) == 0)
			return &fdinfo->engines[i];
	}
	if (fdinfo->engine_count == DRM_ENGINES)
		return NULL;
	struct drm_engine *engine = &fdinfo->engines[fdinfo->engine_count++];
	memset(engine, 0, sizeof(*engine));
	memcpy(engine->name, name, sizeof(name));
	engine->capacity = 1;
	return engine;
}

static void take_cycles(struct drm_fdinfo *fdinfo, struct words name, struct words value, enum drm_engine_member member)
{
	struct words unit;
	uint64_t cycles;
	if (!take_number(value, &cycles, &unit))
		return;
	struct drm_engine *engine = engine_of(fdinfo, name);
	if (engine == NULL)
		return;
	engine->found |= member;
	*(member == DRM_CYCLES ? &engine->cycles : &engine->total_cycles) = cycles;
}

static void take_busy(struct drm_fdinfo *fdinfo, struct words name, struct words value)
{
	struct words unit;
	uint64_t busy_ns;
	if (!take_number(value, &busy_ns, &unit) || !equals(unit, "ns"))
		return;
	struct drm_engine *engine = engine_of(fdinfo, name);
	if (engine == NULL)
		return;
	engine->found |= DRM_BUSY;
	engine->busy_ns = busy_ns;
}

static void take_capacity(struct drm_fdinfo *fdinfo, struct words name, struct words value)
{
	struct words unit;
	uint64_t capacity;
	if (!take_number(value, &capacity, &unit) || capacity == 0 || capacity > UINT32_MAX)
		return;
	struct drm_engine *engine = engine_of(fdinfo, name);
	if (engine != NULL)
		engine->capacity = (uint32_t)capacity;
}

static void take_frequency(struct drm_fdinfo *fdinfo, struct words name, struct words value)
{
	uint64_t hz;
	if (!take_hz(value, &hz))
		return;
	struct drm_engine *engine = engine_of(fdinfo, name);
	if (engine == NULL)
		return;
	engine->found |= DRM_MAX_HZ;
	engine->max_hz = hz;
}

static void take_line(struct drm_fdinfo *fdinfo, struct words key, struct words value, bool *has_client)
{
	struct words unit;
	uint64_t number;
	if (!skip(&key, "drm-"))
		return;
	if (equals(key, "driver"))
		(void)take_name(value, fdinfo->driver);
	else if (equals(key, "pdev"))
		(void)take_name(value, fdinfo->pdev);
	else if (equals(key, "client-id") && take_number(value, &number, &unit)) {
		fdinfo->client_id = number;
		*has_client = true;
	} else if (skip(&key, "engine-capacity-"))
		take_capacity(fdinfo, key, value);
	else if (skip(&key, "engine-"))
		take_busy(fdinfo, key, value);
	else if (skip(&key, "total-cycles-"))
		take_cycles(fdinfo, key, value, DRM_TOTAL_CYCLES);
	else if (skip(&key, "cycles-"))
		take_cycles(fdinfo, key, value, DRM_CYCLES);
	else if (skip(&key, "maxfreq-"))
		take_frequency(fdinfo, key, value);
}

bool drm_fdinfo_parse(const char *text, size_t length, struct drm_fdinfo *ret_fdinfo)
{
	const char *at = text, *end = text + length;
	bool has_client = false;
	ret_fdinfo->driver[0] = ret_fdinfo->pdev[0] = '\0';
	ret_fdinfo->client_id = 0;
	ret_fdinfo->engine_count = 0;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		if (stop == NULL)
			break;
		const char *colon = memchr(at, ':', (size_t)(stop - at));
		if (colon != NULL)
			take_line(ret_fdinfo, trimmed(at, colon), trimmed(colon + 1, stop), &has_client);
		at = stop + 1;
	}
	return has_client && ret_fdinfo->driver[0] != '\0';
}
