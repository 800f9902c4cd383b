#!/bin/bash
# Regressions 1 and 2: live processes whose names hold escape codes, C1 codes, right-to-left overrides, parentheses, newlines, cut UTF-8, quotes and
# formulas go through the collector, the ring, the tracker, the database and every output. No output holds a control byte, every JSON and CSV
# parses, and the values beside each name are those of that process.
set -u
. "$SRC/tests/support/daemon.sh"

tool=$BUILD/tests/hostile_names
hunter=$BIN/rogue-hunter
list=$TEMP/list
mkdir "$TEMP/outputs"

# Everything that takes any cpu is tracked: thresholds far below what the processes use.
cat >"$CONFIG" <<TOML
[bands]
medium = 0.2
elevated = 0.4
high = 0.6
critical = 0.8
[rogues]
count = 64
[log]
path = "$LOG"
level = "debug"
heartbeat_samples = 5
[storage]
path = "$DATABASE"
[ring]
min_mib = 4
max_mib = 64
TOML

# Their input is a pipe that we hold open: they end with it, with us, or after two minutes.
coproc PROCESSES { exec "$tool" spawn 120; }
on_exit()
{
	kill "$PROCESSES_PID" 2>/dev/null
}
while read -r line <&"${PROCESSES[0]}" && [ "$line" != ready ]; do
	echo "$line"
done >"$list"
[ "$(wc -l <"$list")" -ge 20 ] || fail "the processes did not start"

# ---- the checks themselves must refuse, or they show nothing ----
refuses() { "$tool" "$@" 2>/dev/null && fail "not refused: $*: $(cat "$TEMP/bad")"; }
for bad in '\033[31m' '\a' '\r' '\x7f' '\xc2\x9b' '\x9b' '\xe2\x80\xae' '\xe2\x81\xa6' '\xef\xbb\xbf' 'caf\xc3'; do
	printf "name $bad\n" >"$TEMP/bad"
	refuses plain "$TEMP/bad"
done
printf '{"command":"a"b"}\n' >"$TEMP/bad"
refuses documents "$TEMP/bad"
first=$(sed -n 's/^0 //p' "$list")
printf '{"pid":%d,"command":"another"}\n' "$first" >"$TEMP/bad"
refuses json "$list" "$TEMP/bad"
printf 'pid,command\n%d,another\n' "$first" >"$TEMP/bad"
refuses csv "$list" "$TEMP/bad"
refuses table "$list" "$TEMP/bad"

"$hunter" daemon --foreground --name "$NAME" --config "$CONFIG" >"$TEMP/console" 2>&1 &
daemon=$!

# to NAME COMMAND...: its output, which must come with exit code 0; 3 may come in passing, where a busy machine keeps the collector waiting
to()
{
	local name=$1 code
	shift
	for ((try = 0; try < 50; try++)); do
		code=0
		"$@" >"$TEMP/outputs/$name" 2>"$TEMP/errors" || code=$?
		plain "$TEMP/errors"
		[ "$code" = 3 ] || break
		sleep 0.2
	done
	[ "$code" = 0 ] || fail "exit code $code of: $* ($(cat "$TEMP/errors"))"
}

plain() { "$tool" plain "$1" || fail "$1 would be obeyed by a terminal"; }
json() { plain "$1" && { "$tool" json "$list" "$1" || fail "$1 is wrong"; }; }
csv() { plain "$1" && { "$tool" csv "$list" "$1" || fail "$1 is wrong"; }; }
table() { plain "$1" && { "$tool" table "$list" "$1" || fail "$1 is wrong"; }; }

# ---- wait until each process is an event ----
everyone_is_tracked()
{
	"$hunter" events -n 1000 --json --name "$NAME" --db "$DATABASE" >"$TEMP/tracked" 2>/dev/null && "$tool" json "$list" "$TEMP/tracked" 2>/dev/null
}
wait_until everyone_is_tracked

# ---- readers of the ring ----
cd "$TEMP/outputs" || exit 1
to top.txt "$hunter" top --all --name "$NAME"
table top.txt
to top.json "$hunter" top --all --json --name "$NAME"
json top.json
to top-fields.txt "$hunter" top --all --fields command,pid,nice,uid --sort command --name "$NAME"
table top-fields.txt
to watch.txt "$hunter" watch --count 3 --name "$NAME"
plain watch.txt
to watch-fields.txt "$hunter" watch --count 3 --fields command,pid,max_score --name "$NAME"
plain watch-fields.txt
to watch.json "$hunter" watch --count 10 --json --name "$NAME"
json watch.json
to status.txt "$hunter" status --name "$NAME" --db "$DATABASE"
plain status.txt
to status.json "$hunter" status --json --name "$NAME" --db "$DATABASE"
plain status.json
"$tool" documents status.json || fail "the status is no JSON document"

# ---- readers of the database ----
to events.txt "$hunter" events -n 1000 --name "$NAME" --db "$DATABASE"
table events.txt
to events.json "$hunter" events -n 1000 --json --name "$NAME" --db "$DATABASE"
json events.json
for format in table json csv; do
	to "history.$format" "$hunter" history --format "$format" --name "$NAME" --db "$DATABASE"
	"$format" "history.$format"
done
: >shown.txt
: >shown.json
while read -r id; do
	to show.txt "$hunter" events show "$id" --name "$NAME" --db "$DATABASE"
	plain show.txt
	tr '\n' ' ' <show.txt >>shown.txt # pid and name are on lines of their own
	echo >>shown.txt
	to show.json "$hunter" events show "$id" --json --name "$NAME" --db "$DATABASE"
	cat show.json >>shown.json
done < <(grep -oE '"id":[0-9]+' events.json | cut -d: -f2)
table shown.txt
json shown.json

# ---- what the daemon itself has written: console and log ----
kill -TERM "$daemon"
wait "$daemon" || fail "the daemon ended with $?"
cp "$LOG" log.json
plain log.json
grep -q '"event":"rogue_enter"' log.json || fail "the log says nothing of rogue processes"
"$tool" documents log.json || fail "the log is no list of JSON documents"
cp "$TEMP/console" console.txt
table console.txt

echo "$(wc -l <"$list") hostile names through $(ls | wc -l) outputs"
