/*
 * capture.c - see capture.h.
 */
#include "tests/support/capture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *memory;
static size_t memory_size;
static FILE *stream;

FILE *capture_begin(void)
{
	free(memory);
	memory = NULL;
	stream = open_memstream(&memory, &memory_size);
	if (!stream)
		abort();
	return stream;
}

const char *capture_end(void)
{
	fclose(stream);
	return memory;
}

/* Puts a temporary file in the place of a stream. Returns what was there. */
static int redirect(FILE *from, FILE *to)
{
	fflush(from);
	int saved = dup(fileno(from));
	if (saved < 0 || dup2(fileno(to), fileno(from)) < 0)
		abort();
	return saved;
}

static char *restore(FILE *from, FILE *to, int saved)
{
	fflush(from);
	if (dup2(saved, fileno(from)) < 0)
		abort();
	close(saved);
	clearerr(from);

	long length = ftell(to);
	if (fseek(to, 0, SEEK_END) == 0)
		length = ftell(to);
	char *text = calloc(1, (size_t)length + 1);
	rewind(to);
	if (!text || fread(text, 1, (size_t)length, to) != (size_t)length)
		abort();
	fclose(to);
	return text;
}

struct command_result command_run(int (*command)(int argc, char **argv), const char *const argv[])
{
	struct command_result result;
	char *copies[32] = {0};
	int argc = 0;
	FILE *out = tmpfile(), *err = tmpfile();

	if (!out || !err)
		abort();
	for (; argv[argc] && argc < 31; argc++)
		copies[argc] = strdup(argv[argc]); /* getopt_long() reorders them */
	char *order[32];
	memcpy(order, copies, sizeof(order));
	int saved_out = redirect(stdout, out), saved_err = redirect(stderr, err);
	result.code = command(argc, order);
	result.err = restore(stderr, err, saved_err);
	result.out = restore(stdout, out, saved_out);
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	return result;
}

void command_forget(struct command_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct command_result){0};
}
