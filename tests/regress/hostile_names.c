/*
 * Processes with hostile names, and the checks of what our commands make of them. hostile_names.sh puts both together.
 *
 * usage: hostile_names spawn SECONDS      starts the processes, writes "INDEX PID" lines, and keeps them until its input ends
 *        hostile_names plain FILE         the file holds nothing that a terminal would obey
 *        hostile_names documents FILE      each line is a JSON document
 *        hostile_names json LIST FILE     each line is a JSON document; each process of LIST is in one of them, as it is
 *        hostile_names csv LIST FILE      each row has the cells of the header; each process is there, as it is
 *        hostile_names table LIST FILE    each process is there, on one line with its name made harmless
 */
#include <ctype.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NICE = 7, FILE_BYTES = 64 << 20, WORK_MS = 4, PERIOD_MS = 100 };

/* A name of at most 15 bytes, what JSON says of it (UTF-8), and what a terminal gets to see. */
static const struct hostile {
	const char *name, *json, *plain;
} hostiles[] = {
        {"\033[2J\033[31mred", "\033[2J\033[31mred", "?[2J?[31mred"},
        {"\033]0;title\007", "\033]0;title\007", "?]0;title?"},
        {"c1\x9b"
         "31m",
                "c1\xef\xbf\xbd"
                "31m",
                "c1?31m"}, /* C1 as a byte */
        {"c1\xc2\x9b"
         "31m",
                "c1\xc2\x9b"
                "31m",
                "c1?31m"}, /* C1 as UTF-8 */
        {"del\x7f"
         "bell\a\b",
                "del\x7f"
                "bell\a\b",
                "del?bell??"},
        {"\xe2\x80\xae"
         "txt.exe",
                "\xe2\x80\xae"
                "txt.exe",
                "?txt.exe"}, /* U+202E: shown backwards */
        {"\xe2\x80\x8bzero\xef\xbb\xbf", "\xe2\x80\x8bzero\xef\xbb\xbf", "?zero?"},
        {"a) R 1 2 (b", "a) R 1 2 (b", "a) R 1 2 (b"}, /* as in /proc/PID/stat */
        {") S 1 1 1 1 1 1", ") S 1 1 1 1 1 1", ") S 1 1 1 1 1 1"},
        {"((()))", "((()))", "((()))"},
        {"two  words ", "two  words ", "two  words "},
        {"new\nline\r\t", "new\nline\r\t", "new?line??"},
        {"aaaaaaaaaaaaaa\xc3", "aaaaaaaaaaaaaa\xef\xbf\xbd", "aaaaaaaaaaaaaa?"}, /* cut as the kernel cuts */
        {"aaaaaaaaaaaa\xf0\x9f\x98", "aaaaaaaaaaaa\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "aaaaaaaaaaaa???"},
        {"\xf0\x9f\x98\x80 caf\xc3\xa9", "\xf0\x9f\x98\x80 caf\xc3\xa9", "\xf0\x9f\x98\x80 caf\xc3\xa9"},
        {"\xff\xfe\x80\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "?????"},
        {"\"quoted\\\"", "\"quoted\\\"", "\"quoted\\\""},
        {"a,b;c'd", "a,b;c'd", "a,b;c'd"},
        {"=cmd|' /C'!A0", "=cmd|' /C'!A0", "=cmd|' /C'!A0"},
        {"@SUM(1)", "@SUM(1)", "@SUM(1)"},
        {"+1+1", "+1+1", "+1+1"},
        {"-2", "-2", "-2"},
        {"%s%n%x", "%s%n%x", "%s%n%x"},
        {"<b>&lt;{}", "<b>&lt;{}", "<b>&lt;{}"},
        {"", "", ""},
};
enum { HOSTILES = sizeof(hostiles) / sizeof(hostiles[0]) };

static int __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;

	fputs("FAILED: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

/* ---- the processes ---- */

static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Says that it has its name, then works a little in every period, so that it is tracked: all of them together take less than one core. */
static void live(const char *name, unsigned seconds, int ready)
{
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, NICE);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (uint64_t begin = now_ms(); now_ms() - begin < seconds * UINT64_C(1000);) {
		for (uint64_t work = now_ms(); now_ms() - work < WORK_MS;)
			continue;
		usleep((PERIOD_MS - WORK_MS) * 1000);
	}
	_exit(0);
}

static int spawn(const char *seconds)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return fail("pipe");
	for (size_t i = 0; i < HOSTILES; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return fail("fork");
		if (pid == 0)
			live(hostiles[i].name, (unsigned)strtoul(seconds, NULL, 10), ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			return fail("a process did not come up");
		printf("%zu %d\n", i, (int)pid);
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	return EXIT_SUCCESS; /* and the kernel ends the processes with their parent */
}

/* ---- reading ---- */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, FILE_BYTES + 1);
	size_t length = file && text ? fread(text, 1, FILE_BYTES, file) : 0;

	if (!file || length == FILE_BYTES || strlen(text) != length) {
		fail("%s: not to be read, too long, or with a NUL byte", path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
	return text;
}

static void read_list(const char *path, int pids[HOSTILES])
{
	FILE *file = fopen(path, "r");
	size_t index, count = 0;
	int pid;

	for (; file && fscanf(file, "%zu %d", &index, &pid) == 2 && index < HOSTILES; count++)
		pids[index] = pid;
	if (!file || count != HOSTILES) {
		fail("%s: not a list of the processes", path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
}

/* Index of the process of that pid, -1 if it is none of ours. */
static int index_of(const int pids[HOSTILES], long long pid)
{
	for (int i = 0; i < HOSTILES; i++)
		if (pids[i] == pid)
			return i;
	return -1;
}

static int all_seen(const bool seen[HOSTILES], const char *path)
{
	for (size_t i = 0; i < HOSTILES; i++)
		if (!seen[i])
			return fail("%s: nothing of the process \"%s\"", path, hostiles[i].plain);
	return EXIT_SUCCESS;
}

/* ---- what a terminal would obey; written without our own decoder ---- */

static bool obeyed(const unsigned char *at)
{
	return (at[0] < 0x20 && at[0] != '\n') || at[0] == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) || /* C0, DEL, C1 */
	       (at[0] == 0xe2 && at[1] == 0x80 &&
	               ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xa8 && at[2] <= 0xae))) || /* U+200B.., U+2028.. */
	       (at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf) ||              /* U+2060..206F */
	       (at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf);                                 /* U+FEFF */
}

static int check_plain(const char *path)
{
	char *text = read_file(path);
	int result = EXIT_SUCCESS;

	for (size_t i = 0; text[i] && result == EXIT_SUCCESS; i++)
		if (obeyed((const unsigned char *)text + i))
			result = fail("%s: a control at byte %zu", path, i);
	json_t *whole = json_string(text); /* refuses what is not UTF-8 */
	if (!whole)
		result = fail("%s: not UTF-8", path);
	json_decref(whole);
	free(text);
	return result;
}

/* ---- JSON ---- */

struct search {
	const char *path;
	int pids[HOSTILES];
	bool seen[HOSTILES];
	int result;
};

static bool number_is(json_t *object, const char *key, json_int_t expected)
{
	json_t *value = json_object_get(object, key);
	return !value || json_integer_value(value) == expected;
}

/* An object of one of our processes: every field we know the value of must have it. Names of our other processes show a parser that went astray. */
static void check_object(struct search *search, json_t *object)
{
	json_t *command = json_object_get(object, "command");
	int index = index_of(search->pids, json_integer_value(json_object_get(object, "pid")));

	if (index < 0 || !command)
		return;
	if (strcmp(json_string_value(command), hostiles[index].json) != 0)
		search->result = fail("%s: another name for \"%s\"", search->path, hostiles[index].plain);
	else if (!number_is(object, "uid", getuid()) || !number_is(object, "nice", NICE) || !number_is(object, "threads_count", 1))
		search->result = fail("%s: wrong values beside the name \"%s\"", search->path, hostiles[index].plain);
	else
		search->seen[index] = true;
}

static void walk(struct search *search, json_t *value)
{
	const char *key;
	size_t i;
	json_t *item;

	if (json_is_object(value)) {
		check_object(search, value);
		json_object_foreach(value, key, item) walk(search, item);
	}
	json_array_foreach(value, i, item) walk(search, item);
}

/* Each line is a document. */
static void search_lines(struct search *search)
{
	char *text = read_file(search->path), *rest = text;
	json_error_t error;

	for (char *line; (line = strsep(&rest, "\n")) && search->result == EXIT_SUCCESS;) {
		json_t *document = line[0] ? json_loads(line, JSON_REJECT_DUPLICATES, &error) : NULL;
		if (line[0] && !document)
			search->result = fail("%s: %s", search->path, error.text);
		walk(search, document);
		json_decref(document);
	}
	free(text);
}

static int check_json(const char *list, const char *path)
{
	struct search search = {.path = path};

	read_list(list, search.pids);
	search_lines(&search);
	return search.result == EXIT_SUCCESS ? all_seen(search.seen, path) : search.result;
}

static int check_documents(const char *path)
{
	struct search search = {.path = path};

	search_lines(&search);
	return search.result;
}

/* ---- CSV, as RFC 4180 reads it ---- */

/* Takes one cell. Returns false where the row ended before it. */
static bool next_cell(char **rest, char cell[512])
{
	size_t length = 0;
	bool quoted = **rest == '"';

	if (**rest == '\n' || **rest == '\0')
		return false;
	if (quoted)
		++*rest;
	for (; **rest && length < 511; ++*rest) {
		if (quoted && **rest == '"' && (*rest)[1] == '"')
			++*rest;
		else if (quoted ? **rest == '"' : **rest == ',' || **rest == '\n')
			break;
		cell[length++] = **rest;
	}
	cell[length] = '\0';
	if (quoted && **rest == '"')
		++*rest;
	if (**rest == ',')
		++*rest;
	return true;
}

/* The name with which a spreadsheet is left alone. */
static const char *defused(const char *plain)
{
	static char text[32];
	snprintf(text, sizeof(text), "%s%s", plain[0] && strchr("=+-@", plain[0]) ? "'" : "", plain);
	return text;
}

struct csv {
	char *rest;
	size_t columns, pid, command; /* of the header */
};

static void read_header(struct csv *csv)
{
	char cell[512];

	for (; next_cell(&csv->rest, cell); csv->columns++) {
		if (strcmp(cell, "pid") == 0)
			csv->pid = csv->columns;
		if (strcmp(cell, "command") == 0)
			csv->command = csv->columns;
	}
}

static int check_row(struct csv *csv, struct search *search)
{
	char cell[512], command[512] = "";
	long long pid = 0;
	size_t column = 0;

	for (; next_cell(&csv->rest, cell); column++) {
		if (column == csv->pid)
			pid = strtoll(cell, NULL, 10);
		if (column == csv->command)
			memcpy(command, cell, sizeof(command));
	}
	if (column != csv->columns && column + 1 != csv->columns) /* an empty last cell ends with its row */
		return fail("%s: a row of other length than the header: %s", search->path, command);
	int index = index_of(search->pids, pid);
	if (index >= 0 && strcmp(command, defused(hostiles[index].plain)) != 0)
		return fail("%s: another name: %s", search->path, command);
	if (index >= 0)
		search->seen[index] = true;
	return EXIT_SUCCESS;
}

static int check_csv(const char *list, const char *path)
{
	char *text = read_file(path);
	struct csv csv = {.rest = text, .pid = SIZE_MAX, .command = SIZE_MAX};
	struct search search = {.path = path};

	read_list(list, search.pids);
	read_header(&csv);
	while (*csv.rest == '\n' && *++csv.rest && search.result == EXIT_SUCCESS)
		search.result = check_row(&csv, &search);
	free(text);
	return search.result == EXIT_SUCCESS ? all_seen(search.seen, path) : search.result;
}

/* ---- tables ---- */

/* Is the number there as a word of its own? */
static bool has_number(const char *line, int number)
{
	char word[16];
	int length = snprintf(word, sizeof(word), "%d", number);

	for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
		if ((at == line || !isdigit((unsigned char)at[-1])) && !isdigit((unsigned char)at[length]))
			return true;
	return false;
}

static int check_table(const char *list, const char *path)
{
	struct search search = {.path = path};
	char *text = read_file(path), *rest = text;

	read_list(list, search.pids);
	for (char *line; (line = strsep(&rest, "\n"));)
		for (size_t i = 0; i < HOSTILES; i++)
			search.seen[i] |= has_number(line, search.pids[i]) && strstr(line, hostiles[i].plain);
	free(text);
	return all_seen(search.seen, path);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "spawn") == 0)
		return spawn(argv[2]);
	if (argc == 3 && strcmp(argv[1], "plain") == 0)
		return check_plain(argv[2]);
	if (argc == 3 && strcmp(argv[1], "documents") == 0)
		return check_documents(argv[2]);
	if (argc == 4 && strcmp(argv[1], "json") == 0)
		return check_json(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "csv") == 0)
		return check_csv(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "table") == 0)
		return check_table(argv[2], argv[3]);
	fprintf(stderr,
	        "usage: hostile_names spawn SECONDS | plain FILE | documents FILE | json LIST FILE | csv LIST FILE | table LIST FILE\n");
	return 2;
}
