/*
 * drm_fdinfo.c - fuzzes the parser of fdinfo of DRM descriptors.
 *
 * Beside staying inside the text, what it returns must keep what its header promises; and a text that is cut off anywhere says no more than the
 * whole lines before.
 */
#include "collector/meters/drm_fdinfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void name_check(const char *name, bool may_be_empty)
{
	size_t length = strnlen(name, DRM_NAME_BYTES);
	must(length < DRM_NAME_BYTES && (may_be_empty || length > 0));
	for (size_t i = 0; i < length; i++)
		must(name[i] > ' ' && name[i] <= '~');
}

static void engines_check(const struct drm_fdinfo *fdinfo)
{
	must(fdinfo->engine_count <= DRM_ENGINES);
	for (uint32_t i = 0; i < fdinfo->engine_count; i++) {
		const struct drm_engine *engine = &fdinfo->engines[i];
		name_check(engine->name, false);
		must(engine->capacity > 0);
		must((engine->found & ~(uint32_t)(DRM_BUSY | DRM_CYCLES | DRM_TOTAL_CYCLES | DRM_MAX_HZ)) == 0);
		must((engine->found & DRM_MAX_HZ) == 0 || engine->max_hz > 0);
		for (uint32_t j = 0; j < i; j++)
			must(strcmp(fdinfo->engines[j].name, engine->name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drm_fdinfo fdinfo, cut;
	const char *text = (const char *)data;
	bool is_client = drm_fdinfo_parse(text, size, &fdinfo);
	engines_check(&fdinfo);
	if (is_client) {
		name_check(fdinfo.driver, false);
		name_check(fdinfo.pdev, true);
	}
	size_t whole = size;
	while (whole > 0 && text[whole - 1] != '\n')
		whole--;
	must(drm_fdinfo_parse(text, whole, &cut) == is_client);
	must(cut.engine_count == fdinfo.engine_count);
	return 0;
}
