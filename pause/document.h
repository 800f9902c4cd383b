/*
 * document.h - a pause as JSON, schema rogue-hunter.pause/1. This is what is stored, printed by --json, and read by whoever shows a pause.
 */
#ifndef PAUSE_DOCUMENT_H
#define PAUSE_DOCUMENT_H

#include "base/json.h"
#include "pause/pause.h"

/* Writes the object, with all arrays. `json` stands where a value may stand. */
void pause_document(const struct pause *pause, struct json *json);

/* The same as text of one line in memory (owned by the caller; free()), NULL without memory. */
char *pause_document_text(const struct pause *pause);

#endif
