#!/bin/bash
# Adding a field is one row: with one added to a copy of fields.def, and no other line changed anywhere, the field is in the segment's schema, in
# JSON, CSV, OpenMetrics and SQL, in the columns of `top` and in the man page.
set -u

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
: "${CC:=cc}"
failed=0

# Builds a program of ours against the copy of the tables: build NAME LIBRARIES FILES...
build() {
	local name=$1 libraries=$2
	shift 2
	# shellcheck disable=SC2086 # a list of flags
	if ! "$CC" -std=gnu11 -O0 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DRH_VERSION="test"' '-DRH_LIBEXEC_FROM_BIN="."' -I"$folder/include" -I"$SRC" "$@" -o "$folder/$name" $libraries; then
		echo "FAILED: $name does not build with a row more"
		exit 1
	fi
}

# expect FILE TEXT: the output holds it
expect() {
	if ! grep -qF -- "$2" "$folder/$1"; then
		echo "FAILED: \"$2\" is not in $1:"
		grep -n 'probe' "$folder/$1" | sed 's/^/    /'
		failed=1
	fi
}

cp -r "$SRC/include" "$folder/include"
# The record is full, but for four bytes: how large it may get is a promise of samples.h that is not looked at here.
sed -i 's/RH_PROCESS_MAX_BYTES = 384,/RH_PROCESS_MAX_BYTES = 400,/' "$folder/include/rogue/samples.h"
# A row of eight bytes must begin at a multiple of eight: a row of four before it where the table ends in between.
sed -i '/^#undef RH_FIELD$/d' "$folder/include/rogue/fields.def"
cat >>"$folder/include/rogue/fields.def" <<'ROWS'
RH_FIELD(121, probe_count, u32, GAUGE, count, SUM, "PROBES", 7, "test", "to the next multiple of eight", "")
RH_FIELD(120, probe_bytes, u64, COUNTER, bytes, SUM, "PROBE", 7, "test", "a row that a test has added", "")
#undef RH_FIELD
ROWS
if ! echo '#include "rogue/samples.h"' | "$CC" -std=gnu11 -fsyntax-only -I"$folder/include" -x c - 2>"$folder/refusal"; then
	sed -i '/probe_count/d' "$folder/include/rogue/fields.def"
fi

build schema "-lsqlite3 -lm" "$SRC"/tests/golden/schema.c "$SRC"/storage/*.c "$SRC"/readers/common/*.c "$SRC"/base/*.c "$SRC"/shm/reader*.c "$SRC"/shm/name.c
build one_row "-lm" "$SRC"/tests/golden/one_row.c "$SRC"/tests/support/ring.c "$SRC"/readers/top/*.c "$SRC"/readers/common/*.c "$SRC"/base/*.c "$SRC"/shm/*.c
build table_pages "-lm" "$SRC"/docs/man/table_pages.c "$SRC"/base/*.c

mkdir "$folder/database"
"$folder/schema" "$folder/database" >"$folder/schema.txt" || failed=1
"$folder/one_row" probe_bytes >"$folder/top.txt" || failed=1
"$folder/table_pages" fields >"$folder/page.txt" || failed=1

expect schema.txt '120 probe_bytes u64 "bytes" COUNTER SUM'
expect schema.txt 'rogue_hunter_process_probe_bytes_total'
expect schema.txt '"probe_bytes":0'
expect schema.txt 'probe_bytes 0'
expect schema.txt ' probe_bytes INTEGER'
expect top.txt 'segment: probe_bytes id 120 offset '
expect top.txt '  PROBE'
expect top.txt '   4.6K'
expect top.txt '"processes":[{"probe_bytes":4711}]'
expect page.txt 'probe_bytes'

[ "$failed" -eq 0 ] && echo "one row reached the segment, SQL, JSON, CSV, OpenMetrics, top and the man page"
exit "$failed"
