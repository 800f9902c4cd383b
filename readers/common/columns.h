/*
 * columns.h - which fields to show: the rows of the field tables by name, and lists of them as people type them.
 */
#ifndef READERS_COMMON_COLUMNS_H
#define READERS_COMMON_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct rh_row; /* rogue/tables.h */

enum columns_scope { COLUMNS_PROCESS = 1, COLUMNS_SYSTEM = 2, COLUMNS_ANY = 3 };

enum { COLUMNS_MAX = 128 }; /* as many as ids can exist: RH_FIELD_IDS */

/* A choice of fields, in the order asked for. The rows live as long as the program. */
struct columns {
	const struct rh_row *rows[COLUMNS_MAX];
	size_t count;
};

/* All rows of one scope (PROCESS or SYSTEM), in the order of the table. */
const struct rh_row *columns_rows(enum columns_scope scope, size_t *ret_count);

/* Row of that name in the scope (ANY looks in both: names are unique over them), NULL if there is none. */
const struct rh_row *columns_find(enum columns_scope scope, const char *name);

/* Is this the row of a process field? */
bool columns_is_process(const struct rh_row *row);

/* The field whose name is likeliest meant: the shortest that contains the text, else the one of least edit distance. Never NULL. */
const char *columns_nearest(enum columns_scope scope, const char *name);

/* Chooses every field of a scope. */
void columns_all(struct columns *columns, enum columns_scope scope);

/*
 * Reads a list "name,name,...".
 * Returns true, or false with a sentence in `error` that names the unknown field and the nearest one there is.
 */
bool columns_parse(struct columns *columns, enum columns_scope scope, const char *list, char error[256]);

/* Writes a line for every field of a scope: name, unit, what it is. The answer to "--fields help". */
void columns_print(FILE *out, enum columns_scope scope);

#endif
