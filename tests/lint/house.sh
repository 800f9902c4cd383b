#!/bin/bash
# The house rules that a script can check. One line for each breach: file, line where there is one, rule.
# usage: house.sh [ROOT]   (default: the source tree, from SRC)
set -u

root=$(cd "${1:-$SRC}" && pwd) || exit 1
cd "$root" || exit 1

folders=()
for folder in include base shm storage pause collector readers cli bench tests docs; do
	[ -d "$folder" ] && folders+=("$folder")
done
mapfile -t code < <(find "${folders[@]}" -name '*.[ch]' -o -name '*.cc' | sort)
mapfile -t product < <(printf '%s\n' "${code[@]}" | grep -vE '^(tests|bench|docs)/')
mapfile -t tables < <(find "${folders[@]}" -name '*.def' | sort)
mapfile -t scripts < <({ find "${folders[@]}" -name '*.sh' && ls dev .ci/run; } 2>/dev/null | sort)
mapfile -t texts < <({ find "${folders[@]}" cmake -name '*.md' -o -name '*.cmake' -o -name CMakeLists.txt && ls ./*.md CMakeLists.txt; } 2>/dev/null | sort -u)
if [ "${#code[@]}" -eq 0 ]; then
	echo "no code found in $root"
	exit 1
fi

# Lines of code: neither blank nor comment.
rule_file_length() {
	awk -v limit=600 -v main_limit=250 '
		function finish() {
			if (count > limit)
				print name ": " count " lines of code, more than " limit
			else if (name ~ /^readers\/[a-z]+\/main\.c$/ && count > main_limit)
				print name ": " count " lines of code, more than " main_limit " for the main file of a reader"
		}
		FNR == 1 { if (name) finish(); name = FILENAME; count = 0; in_comment = 0 }
		{
			line = $0
			if (in_comment && !sub(/^.*\*\//, "", line)) next
			in_comment = 0
			while (match(line, /\/\*([^*]|\*[^\/])*\*\//))
				line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
			if (sub(/\/\*.*/, "", line)) in_comment = 1
			if (line ~ /[^ \t]/) count++
		}
		END { finish() }' "$@"
}

# Functions begin and end with a brace in the first column. main and switches that are mere tables may be longer.
rule_function_length() {
	awk -v limit=60 '
		FNR == 1 { begin = 0 }
		/^[A-Za-z_].*\)$/ || /^[A-Za-z_].*\($/ || /^[A-Za-z_].*,$/ { head = $0 }
		/^\{$/ { begin = FNR; table_lines = 0 }
		begin && /^[ \t]*(case |return |#|break;|[{}])/ { table_lines++ }
		/^\}$/ && begin {
			lines = FNR - begin - 1
			if (lines > limit && head !~ /[ *]main\(/ && table_lines * 4 < lines * 3)
				print FILENAME ":" begin ": function of " lines " lines, more than " limit ": " head
			begin = 0
		}' "$@"
}

# Every file says in its first lines what it is for.
rule_purpose() {
	local file
	for file in "${code[@]}" "${tables[@]}"; do
		[ "$(head -c 2 "$file")" = '/*' ] || echo "$file:1: does not open with a comment that says its purpose"
	done
	for file in "${scripts[@]}"; do
		# a sourced script has no first line for the kernel
		sed -n '/^#!/!{p;q}' "$file" | grep -q '^# ' || echo "$file:2: does not open with a comment that says its purpose"
	done
}

rule_guard() {
	local file
	for file in "${code[@]}"; do
		case $file in *.h) ;; *) continue ;; esac
		grep -qE '^#ifndef [A-Z0-9_]+_H$' "$file" && grep -qE '^#define [A-Z0-9_]+_H$' "$file" || echo "$file: header without a guard"
	done
}

# grep_rule PATTERN TEXT FILES...: a breach for each line that matches outside of comments and string literals
grep_rule() {
	local pattern=$1 text=$2
	shift 2
	awk -v pattern="$pattern" -v text="$text" '
		FNR == 1 { in_comment = 0 }
		{
			line = $0
			if (in_comment && !sub(/^.*\*\//, "", line)) next
			in_comment = 0
			gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
			while (match(line, /\/\*([^*]|\*[^\/])*\*\//))
				line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
			if (sub(/\/\*.*/, "", line)) in_comment = 1
			if (line ~ pattern) print FILENAME ":" FNR ": " text
		}' "$@"
}

rule_words() {
	grep_rule '(^|[^A-Za-z0-9_])assert[ \t]*[(]' 'assert() is compiled out of releases: RH_ASSERT' "${code[@]}"
	grep_rule '#[ \t]*include[ \t]*<assert.h>' 'assert.h: RH_ASSERT is in base/assert.h' "${code[@]}"
	# kernel.h has the kernel's names for the kernel's types
	local ours=("${code[@]/#collector\/bpf\/kernel.h/base/assert.h}")
	grep_rule 'typedef[ \t]+struct' 'a struct is called struct' "${ours[@]}"
	grep_rule '(^|[^A-Za-z0-9_])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|tmpnam|mktemp)[ \t]*[(]' \
		'an unbounded or unchecked function' "${product[@]}"
	grep_rule '(^|[^A-Za-z0-9_])(system|popen)[ \t]*[(]' 'no shell is ever started' "${product[@]}"
	grep_rule '(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)' 'an unfinished place' "${code[@]}"
}

# Nothing may know where it was built, or by whom.
rule_places() {
	local place
	for place in "$root" "$HOME"; do
		case $place in / | /root | '') continue ;; esac
		grep -nF -- "$place" "${code[@]}" "${tables[@]}" "${scripts[@]}" "${texts[@]}" 2>/dev/null | sed -E 's/^([^:]*:[0-9]+):.*/\1: a path of this machine/'
	done
}

rule_whitespace() {
	grep -nE '[[:space:]]+$' "${code[@]}" "${tables[@]}" "${scripts[@]}" "${texts[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: white space at the end of the line/'
	local file
	for file in "${code[@]}" "${tables[@]}" "${scripts[@]}" "${texts[@]}"; do
		[ -z "$(tail -c 1 "$file")" ] || echo "$file: no newline at the end"
	done
}

rule_scripts() {
	local file
	for file in "${scripts[@]}"; do
		bash -n "$file" 2>&1 | sed 's/^/bash -n: /'
	done
}

# The layout is clang-format's, of the version whose output the tree has; others differ in details.
rule_layout() {
	local program
	for program in clang-format-14 clang-format; do
		if "$program" --version 2>/dev/null | grep -q 'version 14\.'; then
			"$program" --dry-run -Werror "${code[@]}" 2>&1 | grep 'error:' | sed -E 's/: error:.*/: not as clang-format has it (mend: clang-format -i FILE)/' | sort -u
			return
		fi
	done
	echo "clang-format 14 is not here: layout not checked" >&2
}

breaches=$(
	rule_file_length "${code[@]}"
	rule_function_length "${code[@]}"
	rule_purpose
	rule_guard
	rule_words
	rule_places
	rule_whitespace
	rule_scripts
	[ -f .clang-format ] && rule_layout
)
count=$(printf '%s' "$breaches" | grep -c .)
[ "$count" -eq 0 ] || printf '%s\n' "$breaches"
echo "${#code[@]} source files, ${#tables[@]} tables, ${#scripts[@]} scripts: $count breaches of the house rules"
[ "$count" -eq 0 ]
