#!/bin/bash
# `rogue-hunter drill`: each kind that can be done here is injected and measured, and leaves nothing behind, however the drill ends; what cannot be
# done is refused with a sentence.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter
drill=

mapfile -t kinds < <(sed -n 's/^DRILL_KIND(\([a-z]*\),.*/\1/p' "$SRC/readers/drill/drill.def")
[ "${#kinds[@]}" -ge 11 ] || fail "drill.def was not understood"

# ---- what a drill may not leave behind ----
work=$(mktemp -d "${TMPDIR:-/var/tmp}/drill-test-XXXXXX")
on_end() { [ -z "$drill" ] || kill -9 "$drill" 2>/dev/null; rm -rf "$work"; clean_up; }
trap on_end EXIT
# Groups and folders in memory carry the number of their keeper: those of one that still runs are another drill's.
abandoned()
{
	for path in $(find /sys/fs/cgroup -maxdepth 3 -type d -name 'rogue-hunter-drill-*' 2>/dev/null) /dev/shm/rogue-hunter-drill-*; do
		number=${path##*/rogue-hunter-drill-}
		[ ! -d "$path" ] || [ -e "/proc/${number%%-*}" ] || echo "$path"
	done
}
before=$(abandoned)
nothing_is_left() { [ -z "$(ls -A "$work")" ] && [ "$(abandoned)" = "$before" ]; }

# ---- the list ----
expect 0 "$hunter" drill
for kind in "${kinds[@]}"; do said "^$kind "; done
expect 0 "$hunter" drill --json
[ "$(jq -r .drill "$TEMP/out" | tr '\n' ' ')" = "${kinds[*]} " ] || fail "not all kinds are listed: $(cat "$TEMP/out")"
jq -e '.possible == (.reason == null)' "$TEMP/out" >/dev/null || fail "possible and yet refused, or neither"

# ---- mistakes, and what is refused ----
expect 2 "$hunter" drill nonsense
said 'there is no drill'
expect 2 "$hunter" drill cpu rt
expect 2 "$hunter" drill cpu --seconds 31
expect 2 "$hunter" drill cpu --seconds 0
expect 2 "$hunter" drill cpu --rounds 0
expect 2 "$hunter" drill io --dir relative
expect 2 "$hunter" drill cpu --own --dry-run
expect 1 "$hunter" drill io --dry-run --dir /dev/shm
said 'is memory, no disk'
expect 1 "$hunter" drill io --dry-run --dir "$TEMP/missing"
said 'no file can be put into'
expect 3 "$hunter" drill cpu --name "$NAME" --db "$DATABASE"
said 'does not run'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	expect 1 setpriv --bounding-set=-sys_nice "$hunter" drill rt --dry-run
	said 'CAP_SYS_NICE'
	expect 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$hunter" drill throttle --dry-run
	said 'control group'
fi

# ---- each kind: what was measured is told, and nothing is left ----
possible=$("$hunter" drill --dir "$work" --json | jq -r 'select(.possible).drill')
[ -n "$possible" ] || fail 'nothing can be done here'
for kind in $possible; do
	expect 0 "$hunter" drill "$kind" --dry-run --seconds 1 --seed 4 --dir "$work" --json
	jq -e --arg kind "$kind" '.schema == "rogue-hunter.drill/1" and .drill == $kind and .seed == 4 and .failure == null and .variant != ""
		and .injected_s == 1 and (.asked | not) and .longest_s >= 0 and (.happened | not) == (.count == 0)' "$TEMP/out" >/dev/null ||
		fail "not what a round is: $(cat "$TEMP/out")"
	wait_until nothing_is_left
	jq -r '"\(.drill): \(.variant): \(.longest_s) s"' "$TEMP/out"
	# Where the injection holds by itself, whatever the machine does besides.
	case $kind in rt | throttle | stop) jq -e '.happened' "$TEMP/out" >/dev/null || fail "nobody stood still: $(cat "$TEMP/out")" ;; esac
done

# ---- the same seed draws the same, another does not ----
mapfile -t drawn < <(for seed in 11 11 12 13 14; do "$hunter" drill throttle --dry-run --seconds 1 --seed "$seed" --json | jq -r .variant; done)
if [ "${#drawn[@]}" = 5 ] && [ -n "${drawn[0]}" ]; then
	[ "${drawn[0]}" = "${drawn[1]}" ] || fail "one seed drew two: ${drawn[*]}"
	[ "$(printf '%s\n' "${drawn[@]}" | sort -u | wc -l)" -ge 3 ] || fail "every seed draws alike: ${drawn[*]}"
fi

# ---- killed in the midst of it ----
# The keeper leads a session, in which all that take part are.
keeper_of() { cat "/proc/$1/task/$1/children" | cut -d ' ' -f 1; }
has_keeper() { [ -n "$(keeper_of "$1")" ]; }
members_of()
{
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v session="$1" '{ sub(/.*\) /, ""); if ($4 == session && $1 != "Z") count++ } END { print count + 0 }'
}
is_played() { [ "$(members_of "$1")" -ge 4 ]; }
session_is_gone() { [ "$(members_of "$1")" = 0 ]; }
for kind in $possible; do
	case $kind in cpu | mem | throttle | io | stop | lock) ;; *) continue ;; esac
	for whom in drill keeper; do
		"$hunter" drill "$kind" --dry-run --seconds 20 --seed 5 --dir "$work" >"$TEMP/out" 2>"$TEMP/err" &
		drill=$!
		wait_until has_keeper "$drill"
		keeper=$(keeper_of "$drill")
		wait_until is_played "$keeper"
		sleep 0.3 # somewhere in the injection, or just before
		if [ "$whom" = drill ]; then kill -9 "$drill"; else kill -9 "$keeper"; fi
		wait "$drill" 2>/dev/null
		drill=
		wait_until session_is_gone "$keeper"
		wait_until nothing_is_left
	done
done

# ---- with a daemon of its own, which is gone afterwards, however the drill ends ----
mkdir "$TEMP/own"
own_is_gone() { [ -z "$(ls -A "$TEMP/own")" ] && ! ls /dev/shm/*rogue-hunter.drill-"$1"* >/dev/null 2>&1; }
code=0
TMPDIR=$TEMP/own "$hunter" drill nice --own --seconds 1 --seed 0 --dir "$work" --json >"$TEMP/out" 2>"$TEMP/err" &
drill=$!
wait "$drill" || code=$?
[ "$code" -le 1 ] || fail "exit code $code ($(cat "$TEMP/out" "$TEMP/err"))"
jq -e '.asked and .samples > 0 and .samples_due > 0 and (.detected | type) == "boolean" and .failure == null' "$TEMP/out" >/dev/null ||
	fail "not asked: $(cat "$TEMP/out" "$TEMP/err")"
wait_until own_is_gone "$drill"
TMPDIR=$TEMP/own "$hunter" drill stop --own --seconds 20 --seed 0 --dir "$work" >"$TEMP/out" 2>"$TEMP/err" &
drill=$!
own_publishes() { [ -e "/dev/shm/rogue-hunter.drill-$drill" ]; }
wait_until own_publishes
sleep 3
kill -9 "$drill"
wait "$drill" 2>/dev/null
wait_until own_is_gone "$drill"
wait_until nothing_is_left
drill=

echo "$(wc -w <<<"$possible") kinds of ${#kinds[@]}"
