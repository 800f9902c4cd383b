/*
 * table_pages.c - writes the man pages that are lists of tables: rogue-hunter-fields(7) and rogue-hunter.toml(5).
 *
 * usage: table_pages fields|config     (to standard output, in mdoc)
 */
#include "base/config.h"
#include "rogue/tables.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"identity", "state", "gauge", "counter", "rate", "share", "score"};
static const char *const type_names[] = {"u8", "u16", "u32", "u64", "i8", "i16", "i32", "f32", "text"};

/* Text as mdoc wants it: no line may begin with a control character, a backslash is written out, a sentence begins a line. */
static void put_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (text[0] == '.' && text[1] == ' ' && isupper((unsigned char)text[2])) {
			fputs(".\n", stdout);
			text++;
		} else if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
	putchar('\n');
}

static void page_begin(const char *title, const char *section, const char *name, const char *purpose)
{
	printf(".Dd November 20, 2026\n.Dt %s %s\n.Os rogue-hunter %s\n.Sh NAME\n.Nm %s\n.Nd %s\n", title, section, RH_VERSION, name,
	        purpose);
}

static void put_rows(const struct rh_row *rows, size_t count)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < count; i++) {
		const struct rh_row *row = &rows[i];
		const char *unit = rh_unit_text(row->unit);

		printf(".It Sy %s\n", row->name);
		put_text(row->brief);
		if (*row->doc) {
			puts(".br");
			put_text(row->doc);
		}
		printf(".br\n(%s, %s%s%s; from ", kind_names[row->kind], type_names[row->type], *unit ? ", " : "", unit);
		for (const char *c = row->source; *c; c++)
			fputs(*c == '-' ? "\\-" : (const char[]){*c, '\0'}, stdout);
		puts(")");
	}
	puts(".El");
}

static void put_signals(void)
{
	puts(".Sh SIGNALS\nWhat there is to be seen; the system field\n.Sy signals\nnames those that were live in a sample.\n"
	     ".Bl -tag -width Ds");
	for (size_t i = 0; i < RH_SIGNAL_ROWS; i++) {
		const struct rh_signal_row *row = &rh_signal_rows[i];

		printf(".It Sy %s\n", row->name);
		put_text(row->text);
		puts(".br\nLost without it:");
		put_text(row->lost);
		if (!*row->enable)
			continue;
		puts(".br\nEnabled by:");
		put_text(row->enable);
	}
	puts(".El");
}

static void fields_page(void)
{
	page_begin("ROGUE-HUNTER-FIELDS", "7", "rogue-hunter-fields", "what rogue-hunter knows of each process and of the machine");
	puts(".Sh DESCRIPTION\n"
	     "The names below are those of JSON keys, CSV columns, SQL columns and of the schema inside the shared-memory segment.\n"
	     "A value that is not known is absent: a missing JSON key, an empty CSV cell, an SQL NULL, a\n.Sq \\-\nin a table.\n"
	     "Counters grow for ever; rates are over the last sampling interval.\n"
	     ".Sh PROCESS FIELDS");
	put_rows(rh_process_rows, RH_PROCESS_ROWS);
	puts(".Sh SYSTEM FIELDS\nOne value for each sample.");
	put_rows(rh_system_rows, RH_SYSTEM_ROWS);
	put_signals();
	puts(".Sh SEE ALSO\n.Xr rogue-hunter 1 ,\n.Xr rogue-hunter-doctor 1 ,\n.Xr librogue 3");
}

static void config_page(void)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);
	const char *section = "";

	page_begin("ROGUE-HUNTER.TOML", "5", "rogue-hunter.toml", "configuration of rogue-hunter");
	puts(".Sh DESCRIPTION\n"
	     "A TOML file.\nEvery key has a default; an unknown key, a wrong type or a value out of range is an error that names file, "
	     "line,\n"
	     "column and rule, and nothing is started.\n"
	     "Lines are at most 4096 bytes long, and texts stand on one line.\n"
	     "Keys are ASCII; texts and comments are UTF-8. A text between double quotes may hold escapes, as\n"
	     ".Ql \\eu00e4 ,\n"
	     "which control and invisible characters need.\n"
	     ".Pp\n.Dl rogue-hunter config show\nprints every key with its value, ready to be edited;\n.Dl rogue-hunter config "
	     "check\nchecks a file.\n"
	     ".Sh KEYS");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(section, rows[i].section) != 0) {
			if (*section)
				puts(".El");
			section = rows[i].section;
			printf(".Ss [%s]\n.Bl -tag -width Ds\n", section);
		}
		printf(".It Sy %s\n", rows[i].key);
		put_text(rows[i].doc);
		printf(".br\nDefault: %s", rows[i].text_default);
		if (rows[i].type == CONFIG_INT || rows[i].type == CONFIG_REAL)
			printf("; from %.10g to %.10g", rows[i].min, rows[i].max);
		if (rows[i].type == CONFIG_CHOICE)
			printf("; one of %s", rows[i].choices);
		putchar('\n');
	}
	puts(".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/rogue-hunter/config.toml\nof the system service (root)\n"
	     ".It Pa $XDG_CONFIG_HOME/rogue-hunter/config.toml\nof a user; without XDG_CONFIG_HOME below\n.Pa ~/.config\n.El\n"
	     ".Sh SEE ALSO\n.Xr rogue-hunter 1 ,\n.Xr rogue-hunter-config 1");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "fields") == 0) {
		fields_page();
	} else if (argc == 2 && strcmp(argv[1], "config") == 0) {
		config_page();
	} else {
		fputs("usage: table_pages fields|config\n", stderr);
		return 2;
	}
	return ferror(stdout) || fflush(stdout) != 0;
}
