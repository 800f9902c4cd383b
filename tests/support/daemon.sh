# daemon.sh - for scripts that start daemons: a folder and an instance of their own, and an end that leaves nothing behind. Sourced.
#
# Sets TEMP (a folder), NAME (an instance), CONFIG (a file that logs to $LOG), and runs on_exit() if the script defines one.

TEMP=$(mktemp -d)
chmod 755 "$TEMP" # mktemp's 0700 would do; the daemon wants "not writable by others"
NAME=test-$$
LOG=$TEMP/log/daemon.log
CONFIG=$TEMP/config.toml
DATABASE=$TEMP/data/daemon.db
printf '[log]\npath = "%s"\n[storage]\npath = "%s"\n[ring]\nmin_mib = 1\nmax_mib = 4\n' "$LOG" "$DATABASE" >"$CONFIG"
export HOME=$TEMP XDG_CONFIG_HOME=$TEMP/etc XDG_DATA_HOME=$TEMP/data XDG_STATE_HOME=$TEMP/state XDG_RUNTIME_DIR=$TEMP/run
mkdir -p "$XDG_RUNTIME_DIR"
if [ "$(id -u)" = 0 ]; then LOCK=/run/rogue-hunter/$NAME.lock; else LOCK=$XDG_RUNTIME_DIR/rogue-hunter/$NAME.lock; fi

fail()
{
	echo "FAILED: $*" >&2
	[ ! -f "$LOG" ] || { echo "--- log" >&2 && tail -30 "$LOG" >&2; }
	exit 1
}

# wait_until COMMAND... : until it succeeds; fails the test after half a minute
wait_until()
{
	for ((try = 0; try < 600; try++)); do
		"$@" && return
		sleep 0.05
	done
	fail "waited in vain for: $*"
}

# expect CODE COMMAND... : runs it, with both outputs in $TEMP/out and $TEMP/err
expect()
{
	local code=$1 got=0
	shift
	"$@" >"$TEMP/out" 2>"$TEMP/err" || got=$?
	[ "$got" = "$code" ] || fail "exit code $got, not $code: $* ($(cat "$TEMP/out" "$TEMP/err"))"
}

said() # in the last expect
{
	grep -q -e "$1" "$TEMP/out" "$TEMP/err" || fail "said nothing of \"$1\": $(cat "$TEMP/out" "$TEMP/err")"
}

logged() { grep -q -e "$1" "$LOG" 2>/dev/null; }
times_logged() { grep -c -e "$1" "$LOG" 2>/dev/null; }

# pid_of CHILD : of its newest start
pid_of()
{
	sed -n "s/.*\"event\":\"child_start\".*\"child\":\"$1\",\"child_pid\":\([0-9]*\).*/\1/p" "$LOG" | tail -1
}

daemon_pid() { sed -n 's/.*"pid":\([0-9]*\),"event":"daemon_start".*/\1/p' "$LOG" | tail -1; }

runs() { [ -e "/proc/$1" ] && ! grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null; }
is_gone() { ! runs "$1"; }
started_times() { [ "$(times_logged "\"event\":\"child_ready\".*\"child\":\"$1\"")" -ge "$2" ]; }
no_segment() { ! ls /dev/shm/*"rogue-hunter.$NAME"* >/dev/null 2>&1; }

clean_up()
{
	for pid in $(sed -n 's/.*"child_pid":\([0-9]*\).*/\1/p' "$LOG" 2>/dev/null | sort -u) $(daemon_pid 2>/dev/null); do
		# only what is ours still: its command line says so
		[ ! -r "/proc/$pid/cmdline" ] || ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -e "$NAME" || kill -9 "$pid"
	done
	rm -rf "$TEMP" "$LOCK" /dev/shm/*"rogue-hunter.$NAME"*
}
trap clean_up EXIT
