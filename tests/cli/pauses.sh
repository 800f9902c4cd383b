#!/bin/bash
# `rogue-hunter pauses` and `explain` over a database of known documents: one of each class, an interim and a merged one, and one that means harm.
# The texts are compared with tests/golden/pauses/*.txt. To write those anew: UPDATE=1 SRC=$PWD BIN=build/bin BUILD=build bash tests/cli/pauses.sh
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter
golden=$SRC/tests/golden/pauses
database=$TEMP/pauses.db
export TZ=CET-1 LC_ALL=C.UTF-8
unset NO_COLOR

same() # FILE : what the last expect printed is what it was
{
	[ -z "${UPDATE:-}" ] || cp "$TEMP/out" "$golden/$1.txt"
	diff -u "$golden/$1.txt" "$TEMP/out" || fail "$1 is not as it was; if that is meant: see the head of this script"
}

fits() # what the last expect printed fits 80 columns and holds nothing that a terminal would obey
{
	[ "$(wc -L <"$TEMP/out")" -le 80 ] || fail "wider than 80 columns: $(cat "$TEMP/out")"
	! grep -q -P '[^\P{C}\n]' "$TEMP/out" || fail "not printable: $(cat -v "$TEMP/out")"
}

# ---- no database, and an empty one ----
expect 3 "$hunter" pauses --db "$database"
said 'there is no database'
expect 3 "$hunter" explain last --db "$database"
"$BUILD/tests/golden_pauses_put" "$database" || fail "no database was made"
expect 0 "$hunter" pauses --db "$database"
grep -q '^no pause so far' "$TEMP/out" && [ ! -s "$TEMP/err" ] || fail "an empty list: $(cat "$TEMP/out" "$TEMP/err")"
expect 0 "$hunter" pauses --json --db "$database"
[ ! -s "$TEMP/out" ] || fail "an empty list in JSON: $(cat "$TEMP/out")"
expect 3 "$hunter" explain last --db "$database"
said 'there was no pause so far'

# ---- the list ----
documents=()
for file in "$golden"/*.json; do
	case $file in */other_boot.json) ;; *) documents+=("$file") ;; esac
done
[ "${#documents[@]}" -ge 12 ] || fail "only ${#documents[@]} documents"
"$BUILD/tests/golden_pauses_put" "$database" "${documents[@]}" || fail "the documents were not stored"
expect 0 "$hunter" pauses --db "$database"
same list && fits
expect 0 "$hunter" pauses --all --db "$database"
[ "$(grep -c '(part of 7c1f-44)' "$TEMP/out")" = 1 ] || fail "the merged one is not there: $(cat "$TEMP/out")"
fits
expect 0 "$hunter" pauses -n 2 --db "$database"
[ "$(wc -l <"$TEMP/out")" = 3 ] || fail "not a title and two pauses: $(cat "$TEMP/out")"
expect 0 "$hunter" pauses --class cpu --db "$database"
[ "$(grep -c ' cpu ' "$TEMP/out")" = 2 ] && [ "$(wc -l <"$TEMP/out")" = 3 ] || fail "not the two of that class: $(cat "$TEMP/out")"
expect 0 "$hunter" pauses --since 2026-11-20T14:00 --until 2026-11-20T15:00 --db "$database"
[ "$(grep -c '^ *7c1f-3[67] ' "$TEMP/out")" = 2 ] && [ "$(wc -l <"$TEMP/out")" = 3 ] || fail "not the two of that hour: $(cat "$TEMP/out")"
expect 0 "$hunter" pauses --since 2020-01-01 --until 2020-01-02 --db "$database"
said '^no pause that fits'
for wrong in '--class coffee' '--since yesterday' '-n 0' 'stray'; do
	expect 2 "$hunter" pauses $wrong --db "$database"
done

# ---- as JSON: the documents ----
expect 0 "$hunter" pauses --all --json --db "$database"
[ "$(wc -l <"$TEMP/out")" = "${#documents[@]}" ] || fail "not a line for each document"
! grep -q -P '[^\P{C}\n]' "$TEMP/out" || fail "a document is not printable"
for file in "${documents[@]}"; do
	id=$(jq -r .id "$file")
	expect 0 "$hunter" explain --json "${id#*-}" --db "$database"
	diff <(jq -S . "$file") <(jq -S . "$TEMP/out") >/dev/null || fail "--json of $id is another document"
	[ "$(wc -l <"$TEMP/out")" = 1 ] || fail "--json of $id is more than a line"
done

# ---- one pause, in all that is known of it ----
blocks='PAUSE VERDICT TIMELINE CULPRITS VICTIMS EVIDENCE EVIDENCE CAUSES NOT WHAT '
for file in "${documents[@]}"; do
	id=$(jq -r .id "$file")
	expect 0 "$hunter" explain "$id" --db "$database"
	same "$(basename "$file" .json)" && fits
	[ "$(grep -o '^[A-Z]\+' "$TEMP/out" | tr '\n' ' ')" = "$blocks" ] || fail "not every block in its place: $(cat "$TEMP/out")"
	jq -r 'try ([.culprits[] | select(.role != "carrier") | .share_ratio | numbers] | length) catch 0' "$file" >"$TEMP/shares"
	[ "$(cat "$TEMP/shares")" = 0 ] || [ "$id" = 7c1f93ab-48 ] || [ "$(sed -n '/^CULPRITS/,/^VICTIMS/p' "$TEMP/out" |
		sed -nE 's/^ +([0-9]+)% .*/\1/p; s/^ +all .*/100/p' | paste -sd+ | bc)" = 100 ] ||
		fail "shares of $id do not add up to 100: $(cat "$TEMP/out")"
done
expect 0 "$hunter" explain 7c1f-47 --db "$database"
[ "$(head -1 "$TEMP/out")" = '7c1f-47 merged into 7c1f-44' ] && grep -q '^PAUSE 7c1f-44 ' "$TEMP/out" || fail "merged: $(cat "$TEMP/out")"
expect 0 "$hunter" explain 40 --db "$database"
said 'interim: it lasts still'

# ---- the man pages show what is printed ----
example() { sed -n "/^\\$ rogue-hunter $1\$/,/^\.Ed/p" "$SRC/docs/man/rogue-hunter-${1%% *}.1" | sed '1d; $d; s/\\e/\\/g; s/^\\&//'; }
example 'explain 44' | diff - "$golden/memory.txt" || fail "the example of rogue-hunter-explain.1 is out of date"
example 'pauses -n 6' | diff - <(head -7 "$golden/list.txt") || fail "the example of rogue-hunter-pauses.1 is out of date"

# ---- which one ----
explains() # ID ARGUMENT...
{
	local id=$1
	shift
	expect 0 "$hunter" explain --db "$database" "$@"
	grep -q "^PAUSE 7c1f-$id " "$TEMP/out" || fail "$* is not $id: $(head -1 "$TEMP/out")"
}
newest=$("$hunter" pauses -n 2 --db "$database" | sed -n '2s/^ *7c1f-\([0-9]*\) .*/\1/p')
second=$("$hunter" pauses -n 2 --db "$database" | sed -n '3s/^ *7c1f-\([0-9]*\) .*/\1/p')
explains "$newest" last
explains "$newest" -1
explains "$second" -2
explains "$second" -- -2
explains 36 7C1F-36
explains 36 7c1f93ab-36
explains 36 @2026-11-20T14:03
explains 37 @2026-11-20T14:05:31
expect 3 "$hunter" explain 99 --db "$database"
said 'there is no pause 99'
expect 3 "$hunter" explain 7c2f-36 --db "$database"
expect 3 "$hunter" explain -99 --db "$database"
expect 3 "$hunter" explain @2020-01-01T10:00 --db "$database"
said 'within an hour'
for wrong in '' '7c1f-' 'x' '@' '36 37' '-2 36' '--no' '0'; do
	expect 2 "$hunter" explain $wrong --db "$database"
done

# ---- boots whose ids begin alike ----
"$BUILD/tests/golden_pauses_put" "$database" "$golden/other_boot.json" || fail "the other boot was not stored"
expect 0 "$hunter" pauses -n 30 --db "$database"
grep -q '^ *7c1f9-44 ' "$TEMP/out" && grep -q '^ *7c1fe-44 ' "$TEMP/out" || fail "not the shortest unique ids: $(cat "$TEMP/out")"
expect 1 "$hunter" explain 7c1f-44 --db "$database"
said 'give more digits'
expect 0 "$hunter" explain 7c1fe-44 --db "$database"
grep -q '^PAUSE 7c1fe-44 ' "$TEMP/out" || fail "not that boot's: $(head -1 "$TEMP/out")"

# ---- colour on a terminal alone, where it is wanted, and it says nothing of its own ----
if script --version >/dev/null 2>&1; then
	on_terminal() { TERM=xterm script -qec "stty cols ${COLUMNS_WANTED:-80} && $hunter $*" /dev/null | tr -d '\r'; }
	on_terminal explain 44 --db "$database" >"$TEMP/colour"
	grep -q $'\033\[31m#' "$TEMP/colour" || fail "no colour on a terminal: $(cat -v "$TEMP/colour")"
	expect 0 "$hunter" explain 44 --db "$database"
	sed 's/\x1b\[[0-9;]*m//g' "$TEMP/colour" | diff - "$TEMP/out" || fail "the text on a terminal is another"
	NO_COLOR=1 on_terminal explain 44 --db "$database" | diff - "$TEMP/out" || fail "NO_COLOR is not obeyed"
	COLUMNS_WANTED=140 on_terminal pauses --db "$database" | sed 's/\x1b\[[0-9;]*m//g' >"$TEMP/wide"
	grep -q '2026-11-20 14:03:07 .* 40 x cc1 under make\[812\] 94%$' "$TEMP/wide" || fail "nothing more on a wide terminal: $(cat "$TEMP/wide")"
fi

# ---- a copied ring, judged anew: the collector itself was stopped in it ----
"$BIN/rh-collector" --name "$NAME" --interval 0.05 >"$TEMP/collector" 2>&1 &
collector=$!
trap 'kill -9 $collector 2>/dev/null; clean_up' EXIT
wait_until test -e "/dev/shm/rogue-hunter.$NAME"
newest_sample() { "$hunter" watch --count 1 --json --name "$NAME" | jq .sample; }
published() { [ "$(newest_sample)" -ge "$1" ]; }
wait_until published 40
kill -STOP "$collector" && sleep 1.5 && kill -CONT "$collector"
wait_until published 80
cp "/dev/shm/rogue-hunter.$NAME" "$TEMP/ring" && kill "$collector" && wait "$collector"
expect 0 "$hunter" replay "$TEMP/ring"
cp "$TEMP/out" "$TEMP/first"
[ "$(wc -l <"$TEMP/first")" -ge 1 ] && ! grep -v -P '^(rogue-hunter|This machine|\d+ tasks?) .*paused for .* (at|since) .*\. \[[0-9a-f]{4}-\d+ [a-z_ ]+\]$' "$TEMP/first" ||
	fail "not a sentence for each pause: $(cat "$TEMP/first")"
expect 0 "$hunter" replay "$TEMP/ring"
diff "$TEMP/first" "$TEMP/out" || fail "judged again it is another"
expect 0 "$hunter" replay --json "$TEMP/ring"
[ "$(jq -r .schema "$TEMP/out" | sort | uniq -c | tr -s ' ')" = " $(wc -l <"$TEMP/first") rogue-hunter.pause/1" ] || fail "not a document for each pause"
split -l 1 --additional-suffix=.replayed "$TEMP/out" "$TEMP/"
"$BUILD/tests/golden_pauses_put" "$TEMP/replayed.db" "$TEMP"/*.replayed || fail "documents of our own were not stored"
expect 0 "$hunter" explain last --db "$TEMP/replayed.db"
fits
[ "$(grep -o '^[A-Z]\+' "$TEMP/out" | tr '\n' ' ')" = "$blocks" ] || fail "not every block of our own document: $(cat "$TEMP/out")"
printf 'pause.cpu_wait=60\npause.io_wait=60\npause.memory_wait=60\npause.stuck_wait=60\n' >"$TEMP/plain"
expect 0 "$hunter" replay --config-fd 9 "$TEMP/ring" 9<"$TEMP/plain"
printf 'pause.cpu_wait=nonsense\n' >"$TEMP/plain"
expect 2 "$hunter" replay --config-fd 9 "$TEMP/ring" 9<"$TEMP/plain"
expect 3 "$hunter" replay "$TEMP/none"
expect 3 "$hunter" replay "$database"
head -c 100000 "$TEMP/ring" >"$TEMP/cut"
expect 3 "$hunter" replay "$TEMP/cut"
expect 2 "$hunter" replay
expect 2 "$hunter" replay "$TEMP/ring" "$TEMP/ring"
no_segment || fail "it left a segment"
echo ok
