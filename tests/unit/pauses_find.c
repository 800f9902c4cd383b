/*
 * Which pause is meant by what people type; and documents, read and written again, whatever bytes they hold.
 */
#include "base/clock.h"
#include "readers/pauses/document_read.h"
#include "readers/pauses/find.h"
#include "tests/support/capture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const uint64_t now = UINT64_C(1800000000) * NS_PER_S; /* 2027-01-15 08:00:00 UTC */

static struct storage_pause_key key_of(const char *text)
{
	struct storage_pause_key key;

	if (!find_read(text, now, &key))
		fail_msg("\"%s\" names no pause", text);
	return key;
}

static void what_is_typed_names_a_pause(void **state)
{
	static const char *const wrong[] = {"", "0", "-", "-0", "--2", "7c1f", "7c1f-", "7c1f-0", "7c1f-x", "7c1f93abc-1", "g1-1", "1.5",
	        "4294967296", "-4294967296", "@", "@yesterday", "@25:00", "latest", " last"};

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	assert_int_equal(key_of("last").number, 0);
	assert_int_equal(key_of("last").back, 0);
	assert_int_equal(key_of("-1").back, 0);
	assert_int_equal(key_of("-2").back, 1);
	assert_int_equal(key_of("44").number, 44);
	assert_string_equal(key_of("44").boot_prefix, "");
	assert_int_equal(key_of("7c1f-44").number, 44);
	assert_string_equal(key_of("7C1F-44").boot_prefix, "7c1f");
	assert_string_equal(key_of("1234-5").boot_prefix, "1234");
	assert_true(key_of("@07:59:30").at_realtime_ns == now - UINT64_C(30) * NS_PER_S);
	assert_true(key_of("@07:59").at_realtime_ns == now - UINT64_C(30) * NS_PER_S); /* the middle of that minute */
	assert_true(key_of("@2027-01-15T07:00:00").at_realtime_ns == now - UINT64_C(3600) * NS_PER_S);
	assert_true(key_of("@2h").at_realtime_ns == now - UINT64_C(7200) * NS_PER_S);
	assert_true(key_of("@1799999999").at_realtime_ns == now - NS_PER_S);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct storage_pause_key key;
		if (find_read(wrong[i], now, &key))
			fail_msg("\"%s\" was taken for a pause", wrong[i]);
	}
	assert_true(find_is_back("-12") && !find_is_back("-") && !find_is_back("-n") && !find_is_back("2"));
}

static void documents_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} refused[] = {{"", "damaged"}, {"{", "damaged"}, {"[]", "not one of a pause"}, {"{}", "not one of a pause"},
	        {"{\"schema\":7}", "not one of a pause"}, {"{\"schema\":\"rogue-hunter.probe/1\"}", "not one of a pause"},
	        {"{\"schema\":\"rogue-hunter.pause/2\"}", "later version"}, {"{\"schema\":\"rogue-hunter.pause/10\"}", "later version"}};
	enum { DEEP = 1 << 20 };
	char error[DOCUMENT_ERROR_BYTES], *deep = malloc(DEEP);

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_null(document_parse(refused[i].text, strlen(refused[i].text), error));
		if (!strstr(error, refused[i].reason))
			fail_msg("%s: %s", refused[i].text, error);
	}
	memset(deep, '[', DEEP);
	assert_null(document_parse(deep, DEEP, error));
	free(deep);
}

static void other_types_are_absent(void **state)
{
	static const char text[] =
	        "{\"schema\":\"rogue-hunter.pause/1\",\"n\":\"5\",\"t\":5,\"o\":[],\"l\":{},\"b\":1,\"minus\":-1,\"huge\":1e300,"
	        "\"wide\":123456789012345678901234567890,\"us\":1500}";
	char error[DOCUMENT_ERROR_BYTES];
	const json_t *list;
	json_t *document = document_parse(text, strlen(text), error);

	(void)state;
	assert_non_null(document);
	assert_true(isnan(document_number(document, "n")) && isnan(document_number(document, "none")) && isnan(document_number(NULL, "n")));
	assert_string_equal(document_text(document, "t"), "");
	assert_null(document_object(document, "o"));
	assert_int_equal(document_list(document, "l", &list), 0);
	assert_null(list);
	assert_false(document_is_true(document, "b"));
	assert_int_equal(document_count(document, "minus", 9), 9);
	assert_true(document_count(document, "huge", 0) == UINT64_C(1) << 63);
	assert_true(document_count(document, "wide", 0) == UINT64_C(1) << 63);
	assert_int_equal(document_ns(document, "us"), 1500000);
	assert_true(document_ns(document, "huge") == INT64_MAX);
	json_decref(document);
}

static void documents_are_written_harmless(void **state)
{
	static const char text[] = "{\"a\":\"x\xe2\x80\xaey\xc2\x9b\xf3\xa0\x80\x81z\",\n\t\"b\":\"caf\xc3\xa9\"}";

	(void)state;
	document_write(capture_begin(), text);
	const char *out = capture_end();
	assert_string_equal(out, "{\"a\":\"x\\u202ey\\u009b\\udb40\\udc01z\",  \"b\":\"caf\xc3\xa9\"}\n");
	json_t *before = json_loads(text, 0, NULL), *after = json_loads(out, 0, NULL);
	assert_true(before && after && json_equal(before, after));
	json_decref(before);
	json_decref(after);
	document_write(capture_begin(), "\"\xff\x1b[31m\"");
	assert_string_equal(capture_end(), "\"\\ufffd\\u001b[31m\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_typed_names_a_pause),
	        cmocka_unit_test(documents_are_refused_with_a_reason),
	        cmocka_unit_test(other_types_are_absent),
	        cmocka_unit_test(documents_are_written_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
