#!/bin/bash
# Which capabilities a collector of root has once it samples: those of its table and no others, in every thread; and what goes on without them: a ring
# made anew for its group, a log that is rotated, programs in the kernel that are loaded again.
set -u
. "$SRC/tests/support/daemon.sh"
[ "$(id -u)" = 0 ] || { echo "takes root" && exit 77; }
group=$(getent group | awk -F: '$3 > 0 {print $1; exit}')

sleepers=()
on_exit() { kill ${collector:-} "${sleepers[@]}" 2>/dev/null; }
status() { sed -n "s/^$1:\t//p" "/proc/$collector/status"; }
segment=/dev/shm/rogue-hunter.$NAME

# What may be kept: the table, locked memory under a limit.
allowed=$("$BIN/rh-collector" --probe | jq '[.capabilities[] | select(.kept) | .number] | map(pow(2; .)) | add')
[ "$("$BIN/rh-collector" --probe | jq .memlock_bytes)" = null ] || allowed=$((allowed | 1 << 14))

mkdir -p "$TEMP/log"
printf 'ring.group=%s\nring.min_mib=1\nring.max_mib=4\nsampling.interval=0.02\nlog.level=debug\nlog.path=%s\nlog.max_mib=0.01\nlog.keep=2\n' \
	"$group" "$LOG" >"$TEMP/plain"
"$BIN/rh-collector" --name "$NAME" --config-fd 9 9<"$TEMP/plain" >"$TEMP/out" 2>&1 &
collector=$!
wait_until test -e "$segment"

# The guard alone goes on with CAP_SYS_NICE (23): it puts samples that are overdue ahead.
nice=$((1 << 23))
for thread in /proc/"$collector"/task/*; do
	more=0
	[ "$(cat "$thread/comm")" != rh-guard ] || more=$nice
	for set in CapEff CapPrm CapInh CapAmb; do
		has=$((0x$(sed -n "s/^$set:\t//p" "$thread/status")))
		[ $((has & ~(allowed | more))) -eq 0 ] || fail "$thread: $set holds $(printf %x $((has & ~(allowed | more)))), which nothing needs"
	done
	[ "$(sed -n 's/^NoNewPrivs:\t//p' "$thread/status")" = 1 ] || fail "$thread could gain rights"
done
bounds=$((0x$(status CapBnd)))
[ $((0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status) & 1 << 8)) -eq 0 ] || [ $((bounds & ~allowed)) -eq 0 ] || fail "the bounding set was left as it was"

# The ring is made anew, for its group, again and again; each time a line in the log, which is rotated.
for ((i = 0; i < 60; i++)); do
	rm -f "$segment"
	wait_until test -e "$segment"
done
[ "$(stat -c '%U %G %a' "$segment")" = "root $group 640" ] || fail "the new ring is $(stat -c '%U %G %a' "$segment")"
[ -e "$LOG.1" ] || fail "the log was not rotated"
! grep -q 'cannot be published' "$LOG" "$LOG.1" || fail "rings could not be made: $(grep published "$LOG" "$LOG.1" | tail -1)"

# Programs and maps are loaded anew when there are more processes than there was room for.
if [ "$("$BIN/rh-collector" --probe | jq -r .sampler)" = bpf ]; then
	for ((i = 0; i < 900; i++)); do
		sleep 60 &
		sleepers+=($!)
	done
	wait_until grep -qh 'there is room for' "$LOG" "$LOG.1"
	kill "${sleepers[@]}"
	! grep -h 'no larger\|and no more\|not permitted' "$LOG" "$LOG.1" || fail "what is loaded could not be loaded again"
fi
kill "$collector"
wait "$collector" || fail "it ended with $?: $(cat "$TEMP/out")"
no_segment || fail "it left its segment"

# The tracker has none at all, and writes its database in a folder that only root may enter.
mkdir -m 700 "$TEMP/locked"
"$BIN/rh-tracker" --name "$NAME" --db "$TEMP/locked/events.db" >"$TEMP/out" 2>&1 &
tracker=$!
wait_until test -s "$TEMP/locked/events.db"
wait_until grep -q 'tracker_started\|are kept in' "$TEMP/out"
[ "$(sed -n 's/^CapEff:\t//p' "/proc/$tracker/status")" = 0000000000000000 ] || fail "the tracker has capabilities"
kill "$tracker"
wait "$tracker" || fail "the tracker ended with $?: $(cat "$TEMP/out")"

# Nothing to give up: an ordinary user's collector just goes on.
cd / || exit 1
if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BIN/rh-collector"; then
	HOME=$TEMP setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$BIN/rh-collector" --name "$NAME" --samples 3 >"$TEMP/out" 2>&1 ||
		fail "as another user: $(cat "$TEMP/out")"
fi
echo ok
