#!/bin/bash
# Searches ring.pml exhaustively: the protocol must be free of errors, each wrong variant of it must be found wrong, and for the
# reason for which it is wrong. Needs spin and a C compiler; about half a minute.
set -u
model=$SRC/tests/model/ring.pml
command -v spin >/dev/null || { echo "spin is not installed: ./dev installs it (package spin)" >&2; exit 1; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# check LABEL EXPECTED MACROS...: EXPECTED is "right", or words that the error must hold
check()
{
	local label=$1 expected=$2 folder=$work/$1 optimise=-O0 found states
	shift 2
	[ "$expected" = right ] && optimise=-O1 # a whole search takes longer than its compilation, one that finds an error does not
	mkdir -p "$folder" && cd "$folder" || return 1
	{ spin -a "$@" "$model" && ${CC:-cc} -w $optimise -DSAFETY -DCOLLAPSE -DVECTORSZ=1024 -DMEMLIM=2048 -o pan pan.c; } >build.log 2>&1 ||
		{ echo "FAIL $label: does not build: $(tail -n 1 build.log)"; return 1; }
	./pan -m100000 -w22 >run.log 2>&1
	found=$(sed -n 's/^pan:1: //p' run.log)
	states=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' run.log)
	if [ "$expected" = right ] && { ! grep -q 'errors: 0$' run.log || grep -q -e 'not completed' -e 'depth too small' run.log; }; then
		echo "FAIL $label: ${found:-$(tail -n 1 run.log)}"
		return 1
	fi
	if [ "$expected" != right ] && [[ $found != *"$expected"* ]]; then
		echo "FAIL $label: expected an error with '$expected', found '${found:-none}'"
		return 1
	fi
	echo "ok   $label: ${found:-no error} ($states states)"
}

torn='first==n'
hidden='seen>='
uncounted='got+lost'
stuck='invalid end state'
quiet=(-DNO_CRASH -DSAMPLES=3)
again=(-DOPERATIONS=2 -DSAMPLES=2 -DSAMPLES_AGAIN=2)
waiting=(-DNO_CRASH -DNO_TIMEOUT -DREADERS=2 -DSAMPLES=2 -DOPERATIONS=2)
{
	check killed right &
	check attached_again right "${again[@]}" &
	wait
	check laps right -DNO_CRASH -DSAMPLES=5 -DOPERATIONS=3 &
	check no_wake_lost right "${waiting[@]}" &
	wait
} >"$work/right"
(
	check no_reclaim "$torn" "${quiet[@]}" -DNO_RECLAIM
	check no_fence_odd "$torn" -DNO_CRASH -DNO_FENCE_ODD
	check no_fence_even "$torn" "${quiet[@]}" -DNO_FENCE_EVEN
	check no_fence_published "$hidden" "${quiet[@]}" -DNO_FENCE_PUBLISHED
	check publish_early "$hidden" "${quiet[@]}" -DPUBLISH_EARLY
	check no_validation "$torn" -DNO_CRASH -DNO_VALIDATION
	check no_load_fence_begin "$torn" "${quiet[@]}" -DNO_LOAD_FENCE_BEGIN
	check no_load_fence_end "$torn" -DNO_CRASH -DNO_LOAD_FENCE_END
	check parity_only "$torn" -DNO_CRASH -DPARITY_ONLY
) >"$work/wrong.1" &
(
	check reuse "$torn" -DSAMPLES=5 -DREUSE
	check name_first 'initialised' "${quiet[@]}" -DNAME_FIRST
	check spin "$stuck" -DSPIN -DSAMPLES=3
	check no_timeout "$stuck" -DNO_TIMEOUT -DSAMPLES=2
	check no_fence_futex "$stuck" "${waiting[@]}" -DNO_FENCE_FUTEX
	check sleep_uncompared "$stuck" "${waiting[@]}" -DSLEEP_UNCOMPARED
	check no_relay "$stuck" "${waiting[@]}" -DNO_RELAY
	check count_once "$uncounted" "${quiet[@]}" -DCOUNT_ONCE
) >"$work/wrong.2" &
wait
cat "$work"/right "$work"/wrong.?
! grep -q '^FAIL' "$work"/right "$work"/wrong.?
