#!/bin/bash
# Each kind of wrong row is caught: by the check (lint/tables.c built with the row added) or by the compiler (samples.h with the row added),
# and the message names the row.
set -u

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
: "${CC:=cc}"
caught=0
failed=0

fail() {
	echo "FAILED: $1"
	sed 's/^/    /' "$folder/output"
	failed=$((failed + 1))
}

# table row expected-message: the check, built with the row, says it and ends with 1
check() {
	printf '%s\n' "$2" >"$folder/row.def"
	if ! "$CC" -std=gnu11 -O0 -I"$SRC" -I"$SRC/include" "-DLINT_$1=\"$folder/row.def\"" "$SRC/tests/lint/tables.c" -o "$folder/check" >"$folder/output" 2>&1; then
		fail "does not compile: $2"
		return
	fi
	if "$folder/check" >"$folder/output"; then
		fail "not caught: $2"
	elif ! grep -qF -- "$3" "$folder/output"; then
		fail "caught, but not as \"$3\": $2"
	else
		caught=$((caught + 1))
	fi
}

# row expected-message: the compiler refuses samples.h with the row at the end of fields.def
refuse() {
	rm -rf "$folder/include"
	cp -r "$SRC/include" "$folder/include"
	sed -i '/^#undef RH_FIELD$/d' "$folder/include/rogue/fields.def"
	printf '%s\n#undef RH_FIELD\n' "$1" >>"$folder/include/rogue/fields.def"
	if echo '#include "rogue/tables.h"' | "$CC" -std=gnu11 -fsyntax-only -I"$folder/include" -x c - >"$folder/output" 2>&1; then
		fail "compiles: $1"
	elif ! grep -qF -- "$2" "$folder/output"; then
		fail "refused, but not as \"$2\": $1"
	else
		caught=$((caught + 1))
	fi
}

# ---- the check without a wrong row is content, or nothing below means anything ----
: >"$folder/row.def"
"$CC" -std=gnu11 -O0 -I"$SRC" -I"$SRC/include" "$SRC/tests/lint/tables.c" -o "$folder/check" && "$folder/check" >"$folder/output" || fail "the tables as they are"

# ---- fields.def ----
check FIELDS 'RH_FIELD(8, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: id 8 is that of score'
check FIELDS 'RH_FIELD(128, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: id 128 is not below 128'
check FIELDS 'RH_FIELD(120, rss_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: rss_bytes: name is there twice'
check FIELDS 'RH_FIELD(120, max_score, f32, SCORE, score, MAX, "WRONG", 7, "s", "b", "")' 'name is there twice'
check FIELDS 'RH_FIELD(120, wrong, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong: name does not end in _bytes'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, ns, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: name does not end in _ns'
check FIELDS 'RH_FIELD(120, wrong_bytes_per_s, f32, RATE, per_s, SUM, "WRONG", 7, "s", "b", "")' 'wrong_bytes_per_s: name does not end in _per_s'
check FIELDS 'RH_FIELD(120, wrong, u64, GAUGE, none, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong: only IDENT and STATE may be without a unit'
check FIELDS 'RH_FIELD(120, wrong_ns, u8, STATE, none, NONE, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_ns: name ends in _ns'
check FIELDS 'RH_FIELD(120, wrong_furlongs, u64, GAUGE, furlongs, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_furlongs: unknown unit furlongs'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, SUM, "FAR TOO WIDE", 7, "s", "b", "")' 'fields.def: wrong_bytes: title "FAR TOO WIDE" is wider'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, SUM, "", 7, "s", "b", "")' 'fields.def: wrong_bytes: title is empty'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "", "")' 'fields.def: wrong_bytes: brief is empty'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "", "b", "")' 'fields.def: wrong_bytes: source is empty'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "no stop")' 'fields.def: wrong_bytes: doc is a sentence'
check FIELDS 'RH_FIELD(120, wrong_bytes, f32, COUNTER, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: a COUNTER cannot be of type f32'
check FIELDS 'RH_FIELD(120, wrong_share, f32, RATE, share, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_share: a RATE cannot have the unit share'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, LEVEL, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: unknown kind LEVEL'
check FIELDS 'RH_FIELD(120, wrong_bytes, u64, GAUGE, bytes, MEAN, "WRONG", 7, "s", "b", "")' 'fields.def: wrong_bytes: unknown aggregate MEAN'
check FIELDS 'RH_FIELD(120, Wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'fields.def: Wrong_bytes: name is not lower case'

# ---- the other tables ----
check SYSTEM 'RH_SYSTEM_FIELD(11, wrong_count, u32, GAUGE, count, "WRONG", "s", "b", "")' 'system.def: wrong_count: id 11 is that of stress'
check SYSTEM 'RH_SYSTEM_FIELD(120, wrong, u32, GAUGE, count, "WRONG", "s", "b", "")' 'system.def: wrong: name does not end in _count'
check CODES "RH_STATE(3, wrong, 'W')" 'codes.def: states: wrong: value 3 is that of idle'
check CODES "RH_STATE(99, wrong, 'D')" 'codes.def: states: wrong: name, letter or text is that of stuck'
check CODES 'RH_PROCESS_FLAG(16, wrong, "text")' 'codes.def: flags: wrong: 16 does not fit its field'
check SIGNALS 'RH_SIGNAL(3, wrong, "text", "lost", "")' 'signals.def: wrong: bit or name is that of task_iterator'
check SIGNALS 'RH_SIGNAL(64, wrong, "text", "lost", "")' 'signals.def: wrong: bit 64 does not fit its field'
check SIGNALS 'RH_SIGNAL(60, wrong, "text", "", "")' 'signals.def: wrong: lost is empty'
check SIGNALS 'RH_SIGNAL(60, wrong, "text", "lost", "in the file: [sampling] wrong = true")' 'signals.def: wrong: there is no key sampling.wrong'
check STATUS 'RH_STATUS(6, WRONG, 1, "text")' 'status.def: WRONG: value or name is that of NO_SEGMENT'
check STATUS 'RH_STATUS(99, WRONG, 5, "text")' 'status.def: WRONG: exit code 5'
check CONFIG 'RH_CONFIG_REAL(sampling, interval, 1, 0, 2, "doc")' 'config.def: sampling.interval: key is there twice'
check CONFIG 'RH_CONFIG_REAL(wrong, key, 3, 0, 2, "doc")' 'config.def: wrong.key: its default is out of its range'
check CONFIG 'RH_CONFIG_REAL(wrong, key, 2, 2, 2, "doc")' 'config.def: wrong.key: its range is empty'
check CONFIG 'RH_CONFIG_CHOICE(wrong, key, "c", "a|b", "doc")' 'config.def: wrong.key: its default "c" is no choice'

# ---- what the compiler itself refuses ----
refuse 'RH_FIELD(120, score, f32, SCORE, score, MAX, "WRONG", 7, "s", "b", "")' 'score'
refuse 'RH_FIELD(128, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'wrong_bytes: id out of range'
refuse 'RH_FIELD(120, wrong_count, u8, GAUGE, count, SUM, "WRONG", 7, "s", "b", "")
RH_FIELD(121, wrong_bytes, u64, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'wrong_bytes: misaligned'
refuse 'RH_FIELD(120, wrong_bytes, u128, GAUGE, bytes, SUM, "WRONG", 7, "s", "b", "")' 'wrong_bytes'

echo "$caught wrong rows caught, $failed not"
[ "$failed" -eq 0 ]
