#!/bin/bash
# house.sh catches what it is there for: a breach of each rule in a small tree is named, and a clean tree passes.
set -u

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
tried=0

fresh_tree() {
	rm -rf "$folder/tree"
	mkdir -p "$folder/tree"/{base,readers/top,tests}
	cat >"$folder/tree/base/clean.c" <<'CODE'
/* clean.c - keeps every rule, and speaks of them: assert(), typedef struct, strcpy(). */
#include "base/clean.h"

int clean_twice(int number)
{
	RH_ASSERT(number > 0); /* not assert( */
	return number * 2 + clean_text("strcpy(a, b); system(c)");
}
CODE
	printf '/*\n * clean.h - a header.\n */\n#ifndef BASE_CLEAN_H\n#define BASE_CLEAN_H\n\nint clean_twice(int number);\n\n#endif\n' >"$folder/tree/base/clean.h"
	printf '#!/bin/bash\n# A script.\necho\n' >"$folder/tree/tests/clean.sh"
	cp "$SRC/.clang-format" "$folder/tree/"
}

check() {
	bash "$SRC/tests/lint/house.sh" "$folder/tree" >"$folder/output" 2>"$folder/notes"
}

# catches FILE RULE: with standard input as the file, the check fails and says RULE of it
catches() {
	tried=$((tried + 1))
	fresh_tree
	cat >"$folder/tree/$1"
	if check; then
		echo "FAILED: not caught: $2"
		failed=1
	elif ! grep -F "$1" "$folder/output" | grep -qF -- "$2"; then
		echo "FAILED: caught, but not as \"$2\" of $1:"
		cat "$folder/output"
		failed=1
	fi
}

purpose='/* bad.c - breaks a rule. */'
lines() {
	local i
	for ((i = 0; i < $1; i++)); do
		echo "$2"
	done
}

fresh_tree
if ! check; then
	echo "FAILED: a clean tree:"
	cat "$folder/output"
	failed=1
fi

catches base/bad.c 'lines of code, more than 600' < <({ echo "$purpose"; lines 601 'int x;'; })
catches readers/top/main.c 'more than 250 for the main file of a reader' < <({ echo "$purpose"; lines 251 'int x;'; })
catches base/bad.c 'function of 61 lines, more than 60: void bad(void)' < <({ printf '%s\n\nvoid bad(void)\n{\n' "$purpose"; lines 61 '	work();'; echo '}'; })
catches base/bad.c 'does not open with a comment' < <(echo 'int x;')
catches tests/bad.sh 'does not open with a comment' < <(printf '#!/bin/bash\necho\n')
catches base/bad.h 'header without a guard' < <(printf '%s\n#include "base/x.h"\n' "$purpose")
catches base/bad.c 'assert() is compiled out' < <(printf '%s\n\nvoid bad(int x)\n{\n\tassert(x);\n}\n' "$purpose")
catches base/bad.c 'RH_ASSERT is in base/assert.h' < <(printf '%s\n#include <assert.h>\n' "$purpose")
catches base/bad.c 'a struct is called struct' < <(printf '%s\n\ntypedef struct bad bad_t;\n' "$purpose")
catches base/bad.c 'an unbounded or unchecked function' < <(printf '%s\n\nvoid bad(char *x)\n{\n\tstrcpy(x, "");\n}\n' "$purpose")
catches base/bad.c 'no shell is ever started' < <(printf '%s\n\nvoid bad(char *x)\n{\n\tsystem(x);\n}\n' "$purpose")
catches base/bad.c 'an unfinished place' < <(printf '%s\n\nint x = TODO;\n' "$purpose")
catches base/bad.c 'a path of this machine' < <(printf '%s\n\nchar x[] = "%s/tree/x";\n' "$purpose" "$folder")
catches base/bad.c 'white space at the end of the line' < <(printf '%s\n\nint x; \n' "$purpose")
catches base/bad.c 'no newline at the end' < <(printf '%s\n\nint x;' "$purpose")
catches tests/bad.sh 'bash -n' < <(printf '#!/bin/bash\n# A script that does not parse.\nif then\n')
if bash "$SRC/tests/lint/house.sh" "$folder/tree" 2>&1 | grep -q 'layout not checked'; then
	echo "note: clang-format 14 is not here, its rule is not tried"
else
	catches base/bad.c 'not as clang-format has it' < <(printf '%s\n\nint bad( int x ){ return x; }\n' "$purpose")
fi

echo "$tried breaches tried"
[ "$tried" -ge 16 ] && [ "$failed" -eq 0 ]
