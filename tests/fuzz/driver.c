/*
 * driver.c - stands in for libFuzzer where that is not to be had: runs every file of a corpus, then a fixed number of mutations of
 * them. Deterministic: the same corpus gives the same inputs in the same order. What it lacks is guidance by coverage.
 *
 * Usage: fuzz_NAME [FOLDER-OR-FILE ...]; FUZZ_RUNS sets the number of mutations, 20,000 if unset.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUTS_MOST = 4096, INPUT_BYTES_MOST = 1 << 16, DEFAULT_RUNS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *bytes;
	size_t size;
};

static struct input inputs[INPUTS_MOST];
static size_t input_count;
static uint64_t random_state = UINT64_C(0x853c49e6748fea9b);

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below ? (uint32_t)(random_state >> 33) % below : 0;
}

static void add_file(const char *path)
{
	static uint8_t bytes[INPUT_BYTES_MOST];
	FILE *file = fopen(path, "rb");

	if (!file || input_count == INPUTS_MOST) {
		if (file)
			fclose(file);
		return;
	}
	struct input *input = &inputs[input_count++];
	input->size = fread(bytes, 1, sizeof(bytes), file);
	input->bytes = malloc(input->size + 1);
	if (!input->bytes)
		exit(1);
	memcpy(input->bytes, bytes, input->size);
	fclose(file);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void add(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, is_visible, alphasort);

	if (count < 0) {
		add_file(path);
		return;
	}
	for (int i = 0; i < count; i++) {
		char file[4096];

		if (snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name) < (int)sizeof(file))
			add_file(file);
		free(names[i]);
	}
	free(names);
}

/* One to eight small changes: flip, set, copy, insert, remove, cut, append. Returns the new size. */
static size_t mutate(uint8_t *bytes, size_t size)
{
	static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, ' ', '\n', '(', ')', '-', '0', '9', ':', '"', '\\'};

	for (uint32_t changes = 1 + next_random(8); changes > 0; changes--) {
		size_t at = next_random((uint32_t)size), length = 1 + next_random(16);

		switch (size ? next_random(7) : 6) {
		case 0:
			bytes[at] ^= (uint8_t)(1u << next_random(8));
			break;
		case 1:
			bytes[at] = telling[next_random(sizeof(telling))];
			break;
		case 2:
			bytes[at] = (uint8_t)next_random(256);
			break;
		case 3: /* remove */
			if (length > size - at)
				length = size - at;
			memmove(bytes + at, bytes + at + length, size - at - length);
			size -= length;
			break;
		case 4: /* repeat a piece */
			if (length > size - at)
				length = size - at;
			if (size + length > INPUT_BYTES_MOST)
				break;
			memmove(bytes + at + length, bytes + at, size - at);
			size += length;
			break;
		case 5:
			size = at;
			break;
		default:
			for (; length > 0 && size < INPUT_BYTES_MOST; length--)
				bytes[size++] = (uint8_t)next_random(256);
		}
	}
	return size;
}

int main(int argc, char **argv)
{
	static uint8_t bytes[INPUT_BYTES_MOST];
	const char *wanted = getenv("FUZZ_RUNS");
	unsigned long runs = wanted ? strtoul(wanted, NULL, 10) : DEFAULT_RUNS;

	for (int i = 1; i < argc; i++)
		add(argv[i]);
	for (size_t i = 0; i < input_count; i++)
		LLVMFuzzerTestOneInput(inputs[i].bytes, inputs[i].size);
	for (unsigned long run = 0; run < runs; run++) {
		size_t size = 0;

		if (input_count > 0) {
			const struct input *input = &inputs[next_random((uint32_t)input_count)];

			memcpy(bytes, input->bytes, input->size);
			size = input->size;
		}
		size = mutate(bytes, size);
		uint8_t *exact = malloc(size + !size); /* of its own size, so that a sanitizer sees the first byte beyond */
		if (!exact)
			return 1;
		memcpy(exact, bytes, size);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	printf("%zu files, %lu mutations\n", input_count, runs);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].bytes);
	return 0;
}
