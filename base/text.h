/*
 * text.h - making foreign text harmless, and reading numbers.
 *
 * Command names, cgroup names and log lines are chosen by others. Every program passes them through text_sanitise() (terminal, log) or
 * the JSON and CSV writers before they leave: no C0, DEL, C1, bidirectional or zero-width control reaches a terminal, and the result is always UTF-8.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Copies up to length bytes of text (stops at NUL) into out as printable UTF-8: each control, each byte that is not part of valid
 * UTF-8, and each invisible formatting character becomes one '?'. Cuts only between characters. Returns the length of out, which is
 * always ended by NUL if size > 0.
 */
size_t text_sanitise(const char *text, size_t length, char *out, size_t size);

/*
 * One character of UTF-8. Returns its length in bytes (1-4) and the code point, or 0 if the bytes are not valid UTF-8
 * (overlong, surrogate, beyond U+10FFFF, cut off).
 */
size_t text_decode(const char *text, size_t length, uint32_t *ret_code_point);

/* Is the code point a control, a bidirectional or invisible formatting character, or a line or paragraph separator? */
bool text_is_unsafe(uint32_t code_point);

/* Replaces each character beyond ASCII by one '?', in place. Its columns may change, so this comes before any measuring. */
void text_reduce_to_ascii(char *text);

/* Columns that a sanitised string takes on a terminal (wide characters 2, combining 0). */
size_t text_columns(const char *text);

/* Cuts a sanitised string in place so that it takes at most `columns`. */
void text_cut(char *text, size_t columns);

/* Reads a whole string as a number: no sign for unsigned, no white space, no rest. Returns false outside min..max. */
bool text_to_u64(const char *text, uint64_t max, uint64_t *ret_value);
bool text_to_double(const char *text, double min, double max, double *ret_value);

/*
 * Reads a duration ("200ms", "1.5s", "10m", "2h", "7d"; a bare number is seconds). Returns false if it is none.
 */
bool text_to_duration(const char *text, double *ret_seconds);

/* Writes bytes as at most 7 columns: "512", "9.2K", "37M", "1.4G". Returns out. */
char *text_bytes(double bytes, char out[16]);

#ifdef __cplusplus
}
#endif
#endif
