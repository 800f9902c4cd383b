#!/bin/bash
# What rh-collector says, in one sentence and an exit code, when it cannot start; and what it survives once it has.
set -u
failures=0
scratch=$(mktemp -d)
name=fault-start-$$
trap 'rm -rf "$scratch" "/dev/shm/rogue-hunter.$name"' EXIT

# expect CODE PATTERN OPTION...: runs the collector, compares the exit code, and its only line on stderr with the pattern
expect() {
	local code=$1 pattern=$2 got
	shift 2
	timeout 20 "$BIN/rh-collector" --name "$name" --samples 1 "$@" >"$scratch/out" 2>"$scratch/err"
	got=$?
	if [ $got -ne "$code" ] || ! grep -q -- "$pattern" "$scratch/err" || [ "$(wc -l <"$scratch/err")" -ne 1 ]; then
		echo "FAILED: $* gave $got, expected $code and one line with '$pattern':"
		cat "$scratch/err"
		failures=$((failures + 1))
	fi
}

expect 1 "^rogue-hunter: .*$scratch/nowhere" --proc-root "$scratch/nowhere"
expect 2 "^rogue-hunter: .*interval" --interval 1000
expect 2 "^rogue-hunter: .*interval" --interval soon
expect 2 "^rogue-hunter: .*sampler" --sampler magic
expect 2 "^rogue-hunter: --samples" --samples many
expect 2 "^rogue-hunter: --name" --name ../escape
expect 2 "^rogue-hunter: --step-fd" --step-fd -1
expect 2 "^rogue-hunter: .*no arguments" stray
expect 2 "frobnicate" --frobnicate
printf 'ring.group=no-such-group-here\n' >"$scratch/config"
expect 2 "^rogue-hunter: ring.group" --config-fd 7 7<"$scratch/config"
printf 'ring.groop=\n' >"$scratch/config"
expect 2 "^rogue-hunter: .*line 1" --config-fd 7 7<"$scratch/config"

"$BIN/rh-collector" --help | grep -q -- --proc-root || { echo "FAILED: --help"; failures=$((failures + 1)); }
"$BIN/rh-collector" --version | grep -q '^rh-collector [0-9]' || { echo "FAILED: --version"; failures=$((failures + 1)); }

# Full shared memory, in a mount namespace of our own.
if ! unshare --mount true 2>/dev/null; then
	echo "not tried with full shared memory: no right to a mount namespace"
	[ $failures -eq 0 ] && exit 77
	exit 1
fi
export name scratch
unshare --mount bash -s <<'NAMESPACE' || failures=$((failures + 1))
set -u
mount -t tmpfs -o size=1m none /dev/shm || exit 1
"$BIN/rh-collector" --name "$name" --samples 1 2>"$scratch/err"
code=$?
if [ $code -ne 4 ] || ! grep -q '^rogue-hunter: ' "$scratch/err" || [ -n "$(ls -A /dev/shm)" ]; then
	echo "FAILED: a full /dev/shm at start gave $code, expected 4, a sentence and nothing left behind:"
	cat "$scratch/err"; ls -A /dev/shm
	exit 1
fi
umount /dev/shm

# wait_for COMMAND...: until it succeeds, for some seconds at most
wait_for() {
	local i
	for i in $(seq 200); do
		"$@" && return
		sleep 0.05
	done
	echo "FAILED: waited in vain for: $*"
	cat "$scratch/log"
	ls -l /dev/shm
	kill -9 "$collector" 2>/dev/null
	exit 1
}

# Taken away while no new one fits: the collector goes on, says so once, and has a ring again when there is room.
mount -t tmpfs -o size=128m none /dev/shm || exit 1
segment=/dev/shm/rogue-hunter.$name
"$BIN/rh-collector" --name "$name" --interval 0.05 2>"$scratch/log" &
collector=$!
wait_for grep -qs "processes every" "$scratch/log" # the first sample is published
kill -STOP $collector
rm "$segment"
mount -t tmpfs -o size=1m none /dev/shm || exit 1
kill -CONT $collector
wait_for grep -q "cannot be published" "$scratch/log"
sleep 0.3 # more samples that cannot be published, of which no more is to be said
wait_for umount /dev/shm 2>/dev/null # busy while the collector tries
wait_for test -e "$segment"
wait_for grep -q "works again" "$scratch/log"
kill -TERM $collector
wait $collector
code=$?
said=$(grep -c "trying again" "$scratch/log")
if [ $code -ne 0 ] || [ "$said" -ne 1 ]; then
	echo "FAILED: ended with $code, expected 0; said it $said times, expected once"
	cat "$scratch/log"
	exit 1
fi
NAMESPACE
[ $failures -eq 0 ]
