#!/bin/bash
# Regression 23: a shell that starts one short command after another is what the machine's cpu goes to, though hardly any of the commands lives long enough
# to be in a sample. The cpu that the shell is shown with, summed over all samples, is what the kernel says that it and its children
# had, within 5 % and 20 ms; every command is counted; and its score is that of such a use. One command for each sample may be missing: it
# lived while the sample was taken, and has records of its own.
# Skipped where the ends of processes cannot be watched.
set -u
. "$SRC/tests/support/daemon.sh"

hunter=$BIN/rogue-hunter
seconds=4

# Nearly everything that uses any cpu is listed by `watch`.
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
[storage]
path = "$DATABASE"
[ring]
history = 2
min_mib = 4
max_mib = 256
TOML

watcher='' shell=''
on_exit()
{
	[ -z "$watcher$shell" ] || kill $watcher $shell 2>/dev/null
	kill "$daemon" 2>/dev/null
}

"$hunter" daemon --foreground --name "$NAME" --config "$CONFIG" >"$TEMP/console" 2>&1 &
daemon=$!
wait_until "$hunter" top --json --name "$NAME" >"$TEMP/first.json" 2>"$TEMP/errors"
sleep 0.5
"$hunter" top -n 1 --json --name "$NAME" >"$TEMP/first.json" 2>"$TEMP/errors"
if ! grep -q '"brief_processes_count":[0-9]' "$TEMP/first.json"; then
	echo "skipped: the ends of processes are not watched here: $(head -c 300 "$TEMP/first.json" "$TEMP/errors" | tr '\n' ' ')"
	kill "$daemon"
	exit 77
fi

"$hunter" watch --json --name "$NAME" >"$TEMP/samples" 2>"$TEMP/errors" &
watcher=$!
wait_until test -s "$TEMP/samples"

# It is there for a few samples before and after the commands, so that no part of its work is in a sample without it.
mkfifo "$TEMP/never"
cat >"$TEMP/loop.sh" <<'LOOP'
exec 9<>"$2"
read -r -t 0.7 <&9
count=0 end=$((SECONDS + $1))
while [ "$SECONDS" -lt "$end" ]; do
	ls -l /var/run >/dev/null
	count=$((count + 1))
done
echo "commands $count"
times
read -r -t 0.7 <&9
LOOP
bash "$TEMP/loop.sh" "$seconds" "$TEMP/never" >"$TEMP/times" &
shell=$!
wait "$shell"
sleep 0.5
kill "$watcher" "$daemon"
wait "$watcher" "$daemon" 2>/dev/null

# ---- what was shown: seconds of cpu, commands, highest score and cpu ----
shown=$(sed -n "s/.*\"elapsed_ns\":\([0-9]*\),.*\({[^{}]*\"pid\":$shell,[^{}]*}\).*/\1 \2/p" "$TEMP/samples" | awk '
	function value(name, text) { return match(text, "\"" name "\":[-+.e0-9]+") ? substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 3) + 0 : 0 }
	{
		samples++
		cpu += value("cpu_pct", $0) / 100 * $1 / 1e9
		commands += value("brief_count", $0)
		score = value("score", $0) > score ? value("score", $0) : score
		highest = value("cpu_pct", $0) > highest ? value("cpu_pct", $0) : highest
	}
	END { printf "%.3f %d %.1f %.1f %d", cpu, commands, score, highest, samples }')
read -r cpu commands score highest samples <<<"$shown"
# ---- what it was: `times` prints user and system time of the shell, then of its children ----
real=$(awk '/^[0-9]+m/ { for (i = 1; i <= 2; i++) { split($i, part, "m"); sum += part[1] * 60 + part[2] } } END { printf "%.3f", sum }' "$TEMP/times")
count=$(sed -n 's/^commands //p' "$TEMP/times")
lost=$(grep -c '"lost":[1-9]' "$TEMP/samples")

echo "shown in $samples samples: $cpu s of cpu, $commands commands, score up to $score, up to $highest % of a core; the kernel's: $real s of cpu, $count commands; $lost gaps"
[ -n "$count" ] && [ "$count" -gt 20 ] || fail "the loop hardly ran: $(cat "$TEMP/times")"
[ "$lost" = 0 ] || fail "the watcher lost samples"
# On a machine with a crowd of others records may be cut after the hottest fields, of which the number of commands is none.
grep -q '"short_records"' "$TEMP/samples" && commands=$count
awk -v shown="$cpu" -v real="$real" -v met="$samples" -v count="$count" 'BEGIN {
	least = 0.95 * real * (1 - (met < count ? met / count : 1)) - 0.02
	exit !(shown >= least && shown <= 1.05 * real + 0.02)
}' || fail "$cpu s of cpu are shown, the kernel says $real"
[ "$commands" -ge $((count - samples - 2)) ] && [ "$commands" -le $((count + 2)) ] || fail "$commands commands are shown of $count"
awk -v score="$score" -v highest="$highest" 'BEGIN { exit !(score >= 0.4 * highest - 0.5 || score >= 44) }' ||
	fail "a score of $score for $highest % of a core"
exit 0
