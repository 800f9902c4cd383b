#!/bin/bash
# includes.sh catches what it is there for: a small tree with one forbidden line each, and none in a tree that keeps the rules.
set -u

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
tried=0

fresh_tree() {
	rm -rf "$folder/tree"
	mkdir -p "$folder/tree"/{include/rogue,base,shm,storage,collector,readers/common,readers/top,readers/tracker,cli}
	echo '#include <stdio.h>' >"$folder/tree/base/text.c"
	echo '#include "rogue/reader.h"' >"$folder/tree/readers/top/top.c"
	echo '#include "storage/storage.h"' >"$folder/tree/readers/tracker/main.c"
	echo 'rh_library(base SOURCES text.c LINK m)' >"$folder/tree/base/CMakeLists.txt"
	printf 'rh_library(reader_top SOURCES top.c\n\tLINK readers_common rogue base) # nothing else\n' >"$folder/tree/readers/top/CMakeLists.txt"
}

# catches FILE LINE WORD: with the line added to the file, the check fails and names both
catches() {
	tried=$((tried + 1))
	fresh_tree
	echo "$2" >>"$folder/tree/$1"
	if bash "$SRC/tests/lint/includes.sh" "$folder/tree" >"$folder/output"; then
		echo "FAILED: not caught: $1: $2"
		failed=1
	elif ! grep -F "$1:" "$folder/output" | grep -qF -- "$3"; then
		echo "FAILED: caught, but $1 and $3 are not named:"
		cat "$folder/output"
		failed=1
	fi
}

fresh_tree
if ! bash "$SRC/tests/lint/includes.sh" "$folder/tree" >"$folder/output"; then
	echo "FAILED: a tree that keeps the rules:"
	cat "$folder/output"
	failed=1
fi

catches include/rogue/x.h '#include "base/text.h"' base/text.h
catches base/text.c '#include "rogue/reader.h"' rogue/reader.h
catches base/text.c '#include <sqlite3.h>' sqlite3.h
catches base/text.c '# include <ck_pr.h>' ck_pr.h
catches shm/reader.c '#include "collector/tick.h"' collector/tick.h
catches storage/open.c '#include "shm/layout.h"' shm/layout.h
catches storage/open.c '#include <ck_sequence.h>' ck_sequence.h
catches collector/tick.c '#include "storage/storage.h"' storage/storage.h
catches collector/tick.c '#include "shm/layout.h"' shm/layout.h
catches collector/tick.c '#include "readers/common/table.h"' readers/common/table.h
catches readers/common/table.c '#include "storage/storage.h"' storage/storage.h
catches readers/common/table.c '#include "shm/writer.h"' shm/writer.h
catches readers/top/top.c '#include "storage/storage.h"' storage/storage.h
catches readers/top/top.c '#include "readers/tracker/track.h"' readers/tracker/track.h
catches readers/top/top.c '#include "collector/score.h"' collector/score.h
catches readers/top/top.c '#include <shm/writer.h>' shm/writer.h
catches readers/tracker/main.c '#include "storage/internal.h"' storage/internal.h
catches readers/tracker/main.c '#include <sqlite3.h>' sqlite3.h
catches cli/main.c '#include "storage/storage.h"' storage/storage.h
catches cli/main.c '#include <jansson.h>' jansson.h
catches readers/top/CMakeLists.txt 'target_link_libraries(reader_top PRIVATE shm_writer)' shm_writer
catches readers/top/CMakeLists.txt 'rh_library(reader_more SOURCES x.c LINK storage)' storage
catches base/CMakeLists.txt 'rh_library(more SOURCES x.c LINK rogue)' rogue

echo "$tried forbidden lines tried"
exit "$failed"
