#!/bin/bash
# The daemon on its real programs: one per name, children that are killed come back, every way to end it leaves nothing behind.
set -u
[ -x "$BIN/rh-collector" ] && [ -x "$BIN/rh-tracker" ] || { echo "collector or tracker are not built" && exit 77; }
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter

start() { expect 0 "$hunter" daemon --name "$NAME" --config "$CONFIG" --interval 0.1 && said "the daemon runs, pid"; }
newest() { "$hunter" top --name "$NAME" --json -n 1 2>/dev/null | sed -n 's/.*"sample_id":\([0-9]*\).*/\1/p'; }
samples_flow() { expect 0 "$hunter" watch --name "$NAME" --count 3; }

# --- start: it returns when there is a sample to see; what a collector that was killed in its first moments left is gone, what is not ours stays
"$BIN/rh-collector" --version >/dev/null &
dead=$! && wait "$dead"
: >"/dev/shm/rogue-hunter.$NAME.$dead.new"
: >"/dev/shm/rogue-hunter.$NAME.$$.new" # its process lives
: >"/dev/shm/rogue-hunter.$NAME-other.$dead.new"
start
[ ! -e "/dev/shm/rogue-hunter.$NAME.$dead.new" ] || fail "the unfinished ring of a dead collector was left"
[ -e "/dev/shm/rogue-hunter.$NAME.$$.new" ] && [ -e "/dev/shm/rogue-hunter.$NAME-other.$dead.new" ] || fail "it swept what is not its own"
rm -f "/dev/shm/rogue-hunter.$NAME.$$.new" "/dev/shm/rogue-hunter.$NAME-other.$dead.new"
supervisor=$(daemon_pid) collector=$(pid_of collector) tracker=$(pid_of tracker)
runs "$supervisor" && runs "$collector" && runs "$tracker" || fail "not all of it runs"
expect 0 "$hunter" top --name "$NAME"
samples_flow

# --- one per name
expect 1 "$hunter" daemon --name "$NAME" --config "$CONFIG"
said "runs already, with pid $supervisor"
expect 1 "$hunter" daemon --name "$NAME" --config "$CONFIG" --foreground
said "runs already, with pid $supervisor"
runs "$collector" || fail "a second start harmed the first"

# --- kill -9 of the collector: another one takes over, samples go on, the tracker lives
kill -9 "$collector"
wait_until started_times collector 2
[ "$(pid_of collector)" != "$collector" ] || fail "no new collector"
logged '"child":"collector".*"restart_ms":200' || fail "the restart was not logged"
logged 'collector (pid [0-9]*) was killed by SIGKILL' || fail "the cause was not logged"
samples_flow
runs "$tracker" || fail "the tracker went with the collector"

# --- kill -9 of the tracker
kill -9 "$tracker"
wait_until started_times tracker 2
runs "$(pid_of collector)" || fail "the collector went with the tracker"
samples_flow

# --- an orderly exit that nobody asked for is no end either
collector=$(pid_of collector)
kill -TERM "$collector"
wait_until started_times collector 3
samples_flow

# --- stop: all gone, nothing left, the name free
collector=$(pid_of collector) tracker=$(pid_of tracker)
expect 0 "$hunter" daemon --stop --name "$NAME"
said "has stopped"
is_gone "$supervisor" && is_gone "$collector" && is_gone "$tracker" || fail "something still runs after --stop"
no_segment || fail "a segment is left"
expect 3 "$hunter" daemon --stop --name "$NAME"
expect 3 "$hunter" top --name "$NAME"

# --- SIGTERM and SIGINT end a foreground one with exit code 0
for signal in TERM INT; do
	: >"$LOG"
	"$hunter" daemon --foreground --name "$NAME" --config "$CONFIG" >"$TEMP/console" 2>&1 &
	supervisor=$!
	wait_until logged daemon_ready
	collector=$(pid_of collector) tracker=$(pid_of tracker)
	kill -$signal "$supervisor"
	wait "$supervisor" || fail "SIG$signal: exit code $?"
	is_gone "$collector" && is_gone "$tracker" || fail "SIG$signal left a child"
	no_segment || fail "SIG$signal left a segment"
	grep -q "SIG$signal received" "$TEMP/console" || fail "the console does not say why it ends"
	grep -q $'\033' "$TEMP/console" && fail "colours in a file"
done

# --- kill -9 of the supervisor: the kernel tells the children, they end in good order, the name is free
: >"$LOG"
start
supervisor=$(daemon_pid) collector=$(pid_of collector) tracker=$(pid_of tracker)
kill -9 "$supervisor"
wait_until is_gone "$supervisor"
wait_until is_gone "$collector"
wait_until is_gone "$tracker"
no_segment || fail "kill -9 of the supervisor left a segment"

# --- a daemon that comes sooner than the children of a killed one have ended waits for them
: >"$LOG"
start
supervisor=$(daemon_pid) collector=$(pid_of collector) tracker=$(pid_of tracker)
kill -STOP "$collector" "$tracker"
kill -9 "$supervisor"
wait_until is_gone "$supervisor"
: >"$LOG"
"$hunter" daemon --name "$NAME" --config "$CONFIG" >"$TEMP/console" 2>&1 &
starting=$!
wait_until logged daemon_start
kill -CONT "$collector"
wait_until logged '"event":"child_start".*"child":"tracker"'
kill -CONT "$tracker"
wait "$starting" || fail "the next daemon did not start: $(cat "$TEMP/console")"
is_gone "$collector" && is_gone "$tracker" || fail "the children of the killed daemon still run"
expect 0 "$hunter" daemon --stop --name "$NAME"

# --- --duration
: >"$LOG"
expect 0 "$hunter" daemon --foreground --name "$NAME" --config "$CONFIG" --duration 500ms
no_segment || fail "--duration left a segment"

# --- no room for the ring: exit code 4, one sentence, nothing left running
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	: >"$LOG"
	expect 4 unshare -m bash -c "mount -t tmpfs -o size=256k none /dev/shm && '$hunter' daemon --name '$NAME' --config '$CONFIG'"
	[ "$(wc -l <"$TEMP/err")" = 1 ] && grep -q '^rogue-hunter: ' "$TEMP/err" || fail "not one sentence: $(cat "$TEMP/err")"
	is_gone "$(daemon_pid)" || fail "the daemon runs without a ring"
	[ -z "$(pid_of tracker)" ] || fail "the tracker was started without a collector"
else
	echo "a full /dev/shm was not tried: that needs root and a mount namespace"
fi
echo ok
