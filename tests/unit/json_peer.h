/*
 * json_peer.h - the other side of the JSON tests: jansson. Apart, because its header and ours give one name to different functions.
 */
#ifndef TESTS_UNIT_JSON_PEER_H
#define TESTS_UNIT_JSON_PEER_H

#include <stdbool.h>

/* Is this one JSON document? */
bool peer_accepts(const char *document);

/* String member of an object; owned by the caller. NULL where the document is refused or has no such member. */
char *peer_text(const char *document, const char *key);

/* First number of an array, NAN where there is none. */
double peer_number(const char *document);

#endif
