#!/bin/bash
# Man pages and programs say the same: options, exit codes, commands, calls of the library; no page makes the formatter complain.
# usage: man_pages.sh [FOLDER]   (default: the pages of docs/man and those that the build has made)
set -u
export LC_ALL=C
shopt -s nullglob

folder=${1:-}
if [ -z "$folder" ]; then
	folder=$(mktemp -d) || exit 1
	trap 'rm -rf "$folder"' EXIT
	cp "$SRC"/docs/man/*.[1-8] "$BUILD"/docs/man/*.[1-8] "$folder"
fi
cd "$folder" || exit 1
pages=(*.[1-8])
mapfile -t commands < <(sed -n 's/^RH_COMMAND(\([a-z]*\),.*/\1/p' "$SRC/cli/commands.def")
if [ "${#pages[@]}" -eq 0 ] || [ "${#commands[@]}" -eq 0 ]; then
	echo "no pages in $folder, or no commands in commands.def"
	exit 1
fi

# What the help of a page's program says. The front command's own is without the lines that repeat the usage of each command.
help_of() { # PAGE
	case $1 in
	rogue-hunter.1) "$BIN/rogue-hunter" --help | grep -v '^  rogue-hunter ' ;;
	rogue-hunter-events.1) "$BIN/rogue-hunter" events --help && "$BIN/rogue-hunter" events show --help ;;
	rogue-hunter-*.1) command=${1#rogue-hunter-} && "$BIN/rogue-hunter" "${command%.1}" --help ;;
	*.8) "$BIN/${1%.8}" --help ;;
	esac
}

# ---- options: "--name", and with the argument that a list says it has: "--name NAME" ----

help_options() {
	grep -oE '(^|[][ |(`,])--?[a-z][a-z-]*' | grep -oE -- '--?[a-z][a-z-]*$' | sort -u
}
help_items() {
	sed -nE 's/^  (--?[a-z][a-z-]*( [A-Z]+)?) .*/\1/p' | sort -u
}
page_options() {
	grep '^\.' "$1" | grep -oE '(^\.|[[:space:]])Fl -?[a-z][a-z-]*' | sed -E 's/^.*Fl /-/' | sort -u
}
page_items() {
	sed -nE 's/^\.It Fl (-?[a-z][a-z-]*)( Ar ([A-Z]+))?$/-\1 \3/p' "$1" | sed 's/ $//' | sort -u
}

# only_in FIRST SECOND TEXT: a breach of $page for each line of the first list that the second lacks
only_in() {
	comm -23 <(printf '%s\n' "$1") <(printf '%s\n' "$2") | grep . | sed "s/^/$page: /; s/\$/: $3/"
}

rule_options() {
	local help options items
	for page in *.1 *.8; do
		help=$(help_of "$page")
		if [ -z "$help" ]; then
			echo "$page: no help of its program to compare it with"
			continue
		fi
		options=$(help_options <<<"$help")
		items=$(page_items "$page")
		only_in "$options" "$(page_options "$page")" 'in the help, but not in the page'
		only_in "$(page_options "$page")" "$options" 'in the page, but not in the help'
		only_in "$options" "$(sed 's/ .*//' <<<"$items" | sort -u)" 'in the help, but not explained in the page'
		only_in "$(help_items <<<"$help")" "$items" 'an option with another argument, or none, in the page'
	done
}

# Exit codes that the help names ("Exit codes: 0 ok, 1 failure or ...") are those of the page, which may know more of them.
rule_exit_codes() {
	for page in *.1; do
		only_in "$(help_of "$page" | sed -n 's/^Exit codes*: //p' | grep -oE '(^|, )[0-9] ' | tr -d ', ' | sort -u)" \
			"$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh [^E]/s/^\.It \([0-9]\)$/\1/p' "$page" | sort -u)" 'an exit code that the page does not explain'
	done
}

# ---- what there is ----

rule_commands() {
	local command summary
	for command in "${commands[@]}"; do
		[ -f "rogue-hunter-$command.1" ] || echo "rogue-hunter-$command.1: the command has no page"
		summary=$("$BIN/rogue-hunter" --help | sed -nE "s/^  $command  +//p")
		grep -A1 -xF ".It Xr rogue-hunter-$command 1" rogue-hunter.1 | grep -qxF "$summary" ||
			echo "rogue-hunter.1: does not list $command as \"$summary\""
	done
	for page in rogue-hunter-*.1; do
		command=${page#rogue-hunter-}
		printf '%s\n' "${commands[@]}" | grep -qxF "${command%.1}" || echo "$page: there is no such command"
	done
}

rule_references() {
	local name section
	for page in "${pages[@]}"; do
		while read -r name section; do
			[ -f "$name.$section" ] || echo "$page: refers to $name($section), which does not exist"
		done < <(grep -oE 'Xr (rogue-hunter|rh-|librogue)[a-z.-]* [1-8]' "$page" | sed 's/^Xr //')
	done
}

rule_library() {
	local declared statuses
	page=librogue.3
	declared=$(sed -nE '/^[a-z]/s/.*[ *](rh_[a-z_]+)\(.*/\1/p' "$SRC/include/rogue/reader.h" "$SRC/include/rogue/samples.h" | grep -vx rh_set | sort -u)
	statuses=$(sed -nE 's/^RH_STATUS\( *[0-9]+, ([A-Z_]+),.*/RH_\1/p' "$SRC/include/rogue/status.def" | sort -u)
	[ "$(wc -w <<<"$declared")" -gt 20 ] && [ "$(wc -w <<<"$statuses")" -gt 10 ] || echo "$page: the headers were not understood"
	only_in "$declared" "$(sed -nE 's/^\.Fn (rh_[a-z_]+) ("|void).*/\1/p' $page | sort -u)" 'a call that the page does not declare'
	only_in "$declared" "$(sed -nE 's/^(\.Fn|\.It Fn) (rh_[a-z_]+)( [,.]| ring.*)?$/\2/p' $page | sort -u)" 'a call that the page does not explain'
	only_in "$(sed -nE 's/^\.Fn (rh_[a-z_]+).*/\1/p' $page | sort -u)" "$declared" 'there is no such call'
	only_in "$statuses" "$(sed -n '/^\.Sh RETURN VALUES/,/^\.Ss/p' $page | grep -oE 'RH_[A-Z_]+' | sort -u)" 'a status that the page does not explain'
	only_in "$(grep -oE 'RH_[A-Z_]{2,}' $page | grep -vE '^RH_[FS]_' | sort -u)" "$statuses" 'there is no such status'
}

# ---- form ----

rule_form() {
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "${pages[@]}" | sed 's/^mandoc: //'
	elif command -v groff >/dev/null; then
		for page in "${pages[@]}"; do
			groff -mdoc -ww -z -T ascii "$page" 2>&1
		done
	else
		echo "neither mandoc nor groff is here to check the pages: install mandoc"
	fi
}

breaches=$(
	rule_options
	rule_exit_codes
	rule_commands
	rule_references
	rule_library
	rule_form
)
count=$(printf '%s' "$breaches" | grep -c .)
[ "$count" -eq 0 ] || printf '%s\n' "$breaches"
echo "${#pages[@]} pages, ${#commands[@]} commands: $count breaches"
[ "$count" -eq 0 ]
