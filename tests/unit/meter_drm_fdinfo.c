/* meter_drm_fdinfo.c - the text of fdinfo of DRM descriptors: what drivers write, and what none should. */
#include "collector/meters/drm_fdinfo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t685\n"

static bool parse(const char *text, struct drm_fdinfo *fdinfo)
{
	/* Exactly the bytes, so that a sanitizer sees a step beyond. */
	size_t length = strlen(text);
	char *copy = malloc(length + (length == 0));
	assert_non_null(copy);
	memcpy(copy, text, length);
	bool result = drm_fdinfo_parse(copy, length, fdinfo);
	free(copy);
	return result;
}

static const struct drm_engine *engine(const struct drm_fdinfo *fdinfo, const char *name)
{
	for (uint32_t i = 0; i < fdinfo->engine_count; i++) {
		if (strcmp(fdinfo->engines[i].name, name) == 0)
			return &fdinfo->engines[i];
	}
	fail_msg("no engine %s", name);
	return NULL;
}

static void busy_time(void **state)
{
	(void)state;
	struct drm_fdinfo fdinfo;
	assert_true(parse(HEAD "drm-driver:\ti915\ndrm-client-id:\t7\ndrm-pdev:\t0000:00:02.0\n"
	                       "drm-total-system0:\t8192 KiB\ndrm-resident-system0:\t8192 KiB\n"
	                       "drm-engine-render:\t9288864723 ns\ndrm-engine-copy:\t2035071108 ns\n"
	                       "drm-engine-video:\t0 ns\ndrm-engine-capacity-video:\t2\n",
	        &fdinfo));
	assert_string_equal(fdinfo.driver, "i915");
	assert_string_equal(fdinfo.pdev, "0000:00:02.0");
	assert_int_equal(fdinfo.client_id, 7);
	assert_int_equal(fdinfo.engine_count, 3);
	assert_int_equal(engine(&fdinfo, "render")->found, DRM_BUSY);
	assert_true(engine(&fdinfo, "render")->busy_ns == 9288864723);
	assert_int_equal(engine(&fdinfo, "copy")->busy_ns, 2035071108);
	assert_int_equal(engine(&fdinfo, "copy")->capacity, 1);
	assert_int_equal(engine(&fdinfo, "video")->busy_ns, 0);
	assert_int_equal(engine(&fdinfo, "video")->found, DRM_BUSY);
	assert_int_equal(engine(&fdinfo, "video")->capacity, 2);
}

static void cycles(void **state)
{
	(void)state;
	struct drm_fdinfo fdinfo;
	assert_true(parse(HEAD "drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:03:00.0\n"
	                       "drm-cycles-rcs:\t28257900\ndrm-total-cycles-rcs:\t7655183225\ndrm-engine-capacity-rcs:\t4\n",
	        &fdinfo));
	assert_int_equal(engine(&fdinfo, "rcs")->found, DRM_CYCLES | DRM_TOTAL_CYCLES);
	assert_int_equal(engine(&fdinfo, "rcs")->cycles, 28257900);
	assert_true(engine(&fdinfo, "rcs")->total_cycles == 7655183225);
	assert_int_equal(engine(&fdinfo, "rcs")->capacity, 4);

	assert_true(parse("drm-driver: msm\ndrm-client-id: 1\ndrm-cycles-gpu: 12\ndrm-maxfreq-gpu: 675 MHz\n", &fdinfo));
	assert_string_equal(fdinfo.pdev, "");
	assert_int_equal(engine(&fdinfo, "gpu")->found, DRM_CYCLES | DRM_MAX_HZ);
	assert_int_equal(engine(&fdinfo, "gpu")->max_hz, 675000000);
	assert_true(parse("drm-driver: msm\ndrm-client-id: 1\ndrm-maxfreq-a: 5\ndrm-maxfreq-b: 6 KHz\ndrm-maxfreq-c: 7 Hz\n", &fdinfo));
	assert_int_equal(engine(&fdinfo, "a")->max_hz, 5);
	assert_int_equal(engine(&fdinfo, "b")->max_hz, 6000);
	assert_int_equal(engine(&fdinfo, "c")->max_hz, 7);
}

static void other_files_are_none(void **state)
{
	(void)state;
	struct drm_fdinfo fdinfo;
	assert_false(parse("", &fdinfo));
	assert_false(parse(HEAD, &fdinfo));
	assert_false(parse(HEAD "drm-driver:\tast\n", &fdinfo));
	assert_false(parse(HEAD "drm-client-id:\t1\n", &fdinfo));
	assert_false(parse(HEAD "drm-driver:\t\ndrm-client-id:\t1\n", &fdinfo));
	assert_false(parse("drm-driver: i915\ndrm-client-id: -1\n", &fdinfo));
	assert_false(parse("drm-driver: i915\ndrm-client-id: 1x\n", &fdinfo));
	assert_false(parse("drm-driver: i915\ndrm-client-id: 18446744073709551616\n", &fdinfo));
	assert_true(parse("drm-driver: i915\ndrm-client-id: 18446744073709551615\n", &fdinfo));
	assert_true(fdinfo.client_id == UINT64_MAX);
	assert_int_equal(fdinfo.engine_count, 0);
}

/* Each line alone is left out; those before and after it count. */
static void faulty_lines_are_left_out(void **state)
{
	(void)state;
	static const char *const lines[] = {
	        "drm-engine-render: 5\n",     /* no unit: i915 of some kernel? it is not known what it is */
	        "drm-engine-render: 5 ms\n",  /* another unit */
	        "drm-engine-render: 5ns\n",   /* not delimited */
	        "drm-engine-render: -5 ns\n", /* */
	        "drm-engine-render: ns\n",    /* */
	        "drm-engine-render: 18446744073709551616 ns\n",
	        "drm-engine-: 5 ns\n",
	        "drm-engine-\x01: 5 ns\n",
	        "drm-engine-a b: 5 ns\n",
	        "drm-engine-a-name-that-is-longer-than-any-driver-has: 5 ns\n",
	        "drm-engine-render\n",
	        "drm-engine-capacity-render: 0\n",
	        "drm-engine-capacity-render: 4294967296\n",
	        "drm-cycles-render: x\n",
	        "drm-maxfreq-render: 0 MHz\n",
	        "drm-maxfreq-render: 5 GHz\n",
	        "drm-maxfreq-render: 18446744073709551615 MHz\n",
	        "drm-client-id: 9 9x9x\n\n:\n::\n",
	        "drm-\n",
	        "rm-engine-render: 5 ns\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[512];
		struct drm_fdinfo fdinfo;
		snprintf(text, sizeof(text), "drm-driver: i915\n%sdrm-client-id: 4\ndrm-engine-copy: 6 ns\n", lines[i]);
		assert_true(parse(text, &fdinfo));
		assert_int_equal(fdinfo.client_id, 4);
		assert_int_equal(fdinfo.engine_count, 1);
		assert_int_equal(engine(&fdinfo, "copy")->busy_ns, 6);
		assert_int_equal(engine(&fdinfo, "copy")->found, DRM_BUSY);
	}
}

static void a_line_cut_off_is_left_out(void **state)
{
	(void)state;
	struct drm_fdinfo fdinfo;
	assert_true(parse("drm-driver: i915\ndrm-client-id: 4\ndrm-engine-copy: 6 ns\ndrm-engine-render: 123 ns", &fdinfo));
	assert_int_equal(fdinfo.engine_count, 1);
}

static void more_engines_than_there_is_room_for(void **state)
{
	(void)state;
	char text[4096];
	struct drm_fdinfo fdinfo;
	size_t length = (size_t)snprintf(text, sizeof(text), "drm-driver: i915\ndrm-client-id: 4\n");
	for (unsigned i = 0; i < DRM_ENGINES + 5; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "drm-engine-e%u: %u ns\n", i, i + 1);
	snprintf(text + length, sizeof(text) - length, "drm-engine-e0: 77 ns\n");
	assert_true(parse(text, &fdinfo));
	assert_int_equal(fdinfo.engine_count, DRM_ENGINES);
	assert_int_equal(engine(&fdinfo, "e0")->busy_ns, 77);
	assert_int_equal(engine(&fdinfo, "e15")->busy_ns, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(busy_time),
	        cmocka_unit_test(cycles),
	        cmocka_unit_test(other_files_are_none),
	        cmocka_unit_test(faulty_lines_are_left_out),
	        cmocka_unit_test(a_line_cut_off_is_left_out),
	        cmocka_unit_test(more_engines_than_there_is_room_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
