/* config_command.c - `rogue-hunter config show|check|path`. */
#include "cli/config_command.h"

#include "base/complain.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/config_load.h"
#include "cli/exit_codes.h"
#include "readers/common/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char help[] = "usage: rogue-hunter config show [--json] [--default] [--config FILE]\n"
                           "       rogue-hunter config check [FILE]\n"
                           "       rogue-hunter config path\n"
                           "\n"
                           "show   the values in force and where they come from, as a TOML file that can be used as it is\n"
                           "check  looks for the first fault of a configuration file (default: the usual one), and changes nothing\n"
                           "path   where the configuration file is looked for\n"
                           "\n"
                           "  --json         names and values as JSON\n"
                           "  --default      the defaults instead of the values in force\n"
                           "  --config FILE  read FILE instead of the usual file\n"
                           "  --help         this text\n"
                           "\n"
                           "Exit codes: 0 ok, 2 a fault in the command line or in the file.\n";

/* A text between quotes; what cannot be seen as an escape, the only form in which our reader takes it. */
static void print_toml_text(const char *text)
{
	size_t length = strlen(text);

	putchar('"');
	for (size_t i = 0; i < length;) {
		uint32_t code_point = 0xfffd;
		size_t bytes = text_decode(text + i, length - i, &code_point);
		if (code_point == '"' || code_point == '\\')
			printf("\\%c", (int)code_point);
		else if (bytes > 0 && !text_is_unsafe(code_point))
			fwrite(text + i, 1, bytes, stdout);
		else
			printf(code_point > 0xffff ? "\\U%08" PRIx32 : "\\u%04" PRIx32, code_point);
		i += bytes ? bytes : 1;
	}
	putchar('"');
}

/* A value as TOML has it; a real keeps a point or exponent, which makes it one. */
static void print_toml_value(const struct config *config, const struct config_row *row)
{
	char value[CONFIG_TEXT_BYTES];

	config_write_value(config, row, value, sizeof(value));
	if (row->type == CONFIG_TEXT || row->type == CONFIG_CHOICE)
		print_toml_text(value);
	else
		printf("%s%s", value, row->type == CONFIG_REAL && !strpbrk(value, ".e") ? ".0" : "");
}

static void print_limits(const struct config_row *row)
{
	switch (row->type) {
	case CONFIG_INT:
	case CONFIG_REAL:
		printf(" [%.10g to %.10g; ", row->min, row->max);
		break;
	case CONFIG_CHOICE:
		printf(" [%s; ", row->choices);
		break;
	case CONFIG_BOOL:
	case CONFIG_TEXT:
		printf(" [");
		break;
	}
	printf("default %s]\n", row->text_default);
}

static void print_origin(const struct config_origin *origin)
{
	char path[PATH_BYTES];

	text_sanitise(origin ? origin->path : "", PATH_BYTES, path, sizeof(path)); /* a newline would end the comment */
	if (!origin)
		printf("# rogue-hunter: the defaults\n");
	else if (origin->is_read)
		printf("# rogue-hunter: the values in force, from %s\n", path);
	else
		printf("# rogue-hunter: the values in force, all of them defaults: there is no %s\n", *path ? path : "file");
}

static void show_toml(const struct config *config, const struct config_origin *origin)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);
	const char *section = "";

	print_origin(origin);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].section, section) != 0)
			printf("\n[%s]\n", rows[i].section);
		section = rows[i].section;
		printf("# %s", rows[i].doc);
		print_limits(&rows[i]);
		printf("%s = ", rows[i].key);
		print_toml_value(config, &rows[i]);
		putchar('\n');
	}
}

static void print_json_value(struct json *json, const struct config *config, const struct config_row *row)
{
	const void *value = config_place(config, row);

	switch (row->type) {
	case CONFIG_BOOL:
		json_bool(json, *(const bool *)value);
		break;
	case CONFIG_INT:
		json_i64(json, *(const int64_t *)value);
		break;
	case CONFIG_REAL:
		json_f64(json, *(const double *)value, 15);
		break;
	case CONFIG_TEXT:
	case CONFIG_CHOICE:
		json_text(json, value, CONFIG_TEXT_BYTES);
		break;
	}
}

static void show_json(const struct config *config, const struct config_origin *origin)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);
	struct json json;

	json_begin(&json, stdout);
	json_object_begin(&json);
	json_key(&json, "source");
	if (origin && origin->is_read)
		json_text(&json, origin->path, sizeof(origin->path));
	else
		json_none(&json);
	json_key(&json, "config");
	json_object_begin(&json);
	for (size_t i = 0; i < count; i++) {
		bool is_first = i == 0 || strcmp(rows[i].section, rows[i - 1].section) != 0;
		bool is_last = i + 1 == count || strcmp(rows[i].section, rows[i + 1].section) != 0;
		if (is_first) {
			json_key(&json, rows[i].section);
			json_object_begin(&json);
		}
		json_key(&json, rows[i].key);
		print_json_value(&json, config, &rows[i]);
		if (is_last)
			json_object_end(&json);
	}
	json_object_end(&json);
	json_object_end(&json);
	putchar('\n');
}

static int run_show(bool as_json, bool only_defaults, const char *path)
{
	struct config config;
	struct config_origin origin;

	if (only_defaults) {
		config_defaults(&config);
	} else {
		int failed = config_load(path, &config, &origin);
		if (failed)
			return failed;
	}
	if (as_json)
		show_json(&config, only_defaults ? NULL : &origin);
	else
		show_toml(&config, only_defaults ? NULL : &origin);
	return EXIT_OK;
}

static int run_check(const char *path)
{
	struct config config;
	struct config_origin origin;
	int failed = config_load(path, &config, &origin);

	if (failed)
		return failed;
	if (origin.is_read)
		printf("%s: ok\n", origin.path);
	else
		printf("%s: no such file; the defaults apply\n", *origin.path ? origin.path : "configuration");
	return EXIT_OK;
}

static int run_path(void)
{
	char path[PATH_BYTES];

	if (*path_config(path) == '\0') {
		complain("there is no usual place for a configuration: neither HOME nor XDG_CONFIG_HOME is set; use --config");
		return EXIT_FAILED;
	}
	puts(path);
	return EXIT_OK;
}

int config_main(int argc, char **argv)
{
	enum { OPTION_DEFAULT = OPTIONS_OWN, OPTION_CONFIG };
	static const struct option known[] = {
	        OPTIONS_EVERYWHERE,
	        {"json", no_argument, NULL, OPTIONS_JSON},
	        {"default", no_argument, NULL, OPTION_DEFAULT},
	        {"config", required_argument, NULL, OPTION_CONFIG},
	        {0},
	};
	struct options options = {.command = "config", .help = help};
	bool only_defaults = false;
	const char *path = NULL;

	for (int c; (c = options_next(&options, argc, argv, "", known)) != OPTIONS_END;) {
		if (c == OPTION_DEFAULT)
			only_defaults = true;
		else if (c == OPTION_CONFIG)
			path = optarg;
		else
			return options.exit_code;
	}
	const char *action = optind < argc ? argv[optind++] : "";
	if (strcmp(action, "check") == 0 && optind < argc)
		path = argv[optind++];
	if (!options_no_arguments(&options, argc, argv))
		return options.exit_code;
	if (strcmp(action, "show") == 0)
		return run_show(options.json, only_defaults, path);
	if (strcmp(action, "check") == 0)
		return run_check(path);
	if (strcmp(action, "path") == 0)
		return run_path();
	options_mistake(&options, "takes one of show, check, path");
	return options.exit_code;
}
