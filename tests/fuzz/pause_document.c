/*
 * pause_document.c - fuzzes the reader of a pause's document: whatever it holds, `explain` makes lines of at most 80 columns of printable characters
 * of it, with every block in its place; and written as JSON it is printable too.
 */
#include "base/assert.h"
#include "base/text.h"
#include "readers/pauses/blocks.h"
#include "readers/pauses/document_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_harmless(char *text, size_t columns)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t length = strlen(line);
		RH_ASSERT(text_columns(line) <= columns);
		for (size_t i = 0; i < length;) {
			uint32_t code_point = 0;
			size_t bytes = text_decode(line + i, length - i, &code_point);
			RH_ASSERT(bytes > 0 && !text_is_unsafe(code_point));
			i += bytes;
		}
	}
}

static void check_blocks(const char *text)
{
	static const char *const heads[] = {"PAUSE ", "\nVERDICT", "\nTIMELINE", "\nCULPRITS", "\nVICTIMS", "\nEVIDENCE FOR",
	        "\nEVIDENCE AGAINST", "\nCAUSES REJECTED", "\nNOT MEASURED", "\nWHAT TO DO"};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		text = strstr(text, heads[i]);
		RH_ASSERT(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct explanation explanation = {.id = "7c1f-44"};
	char error[DOCUMENT_ERROR_BYTES] = "", *text = NULL;
	size_t length;

	FILE *out = open_memstream(&text, &length);
	char *copy = strndup((const char *)data, size);
	RH_ASSERT(out && copy);
	document_write(out, copy);
	free(copy);
	fclose(out);
	check_harmless(text, SIZE_MAX);
	free(text);
	json_t *document = document_parse((const char *)data, size, error);
	if (!document) {
		RH_ASSERT(error[0] && memchr(error, '\0', sizeof(error)));
		return 0;
	}
	explanation.document = document;
	out = open_memstream(&text, &length);
	RH_ASSERT(out);
	blocks_print(out, &explanation);
	fclose(out);
	json_decref(document);
	check_blocks(text);
	check_harmless(text, PAGE_WIDTH);
	free(text);
	return 0;
}
