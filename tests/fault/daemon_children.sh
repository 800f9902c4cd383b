#!/bin/bash
# The supervisor against children that misbehave: stand-ins that fail, ignore SIGTERM, close their end, or look around.
set -u
. "$SRC/tests/support/daemon.sh"
mkdir "$TEMP/bin"
cp "$BIN/rogue-hunter" "$TEMP/bin/"
export LD_LIBRARY_PATH=$BUILD/lib
hunter=$TEMP/bin/rogue-hunter

# stand_in PROGRAM : its behaviour from stdin, below a frame that says it is ready
stand_in()
{
	{ printf '#!/bin/bash\ntrap "exit 0" TERM INT\nready() { echo >&4; exec 4>&-; }\nrest() { while :; do sleep 0.05; done; }\n' && cat; } >"$TEMP/bin/$1.new"
	chmod 755 "$TEMP/bin/$1.new"
	mv "$TEMP/bin/$1.new" "$TEMP/bin/$1"
}

well_behaved() { echo 'ready; rest' | stand_in "$1"; }
start() { : >"$LOG" && expect "$1" "$hunter" daemon --name "$NAME" --config "$CONFIG"; }
mkdir -p "$TEMP/log" && chmod 750 "$TEMP/log"

# --- an orderly exit at the start is the daemon's end, with its code and sentence, and the tracker is not even tried
well_behaved rh-tracker
for code in 1 2 4; do
	echo "echo 'rogue-hunter: the sentence of $code' >&2; exit $code" | stand_in rh-collector
	start $code
	[ "$(cat "$TEMP/err")" = "rogue-hunter: the sentence of $code" ] || fail "said: $(cat "$TEMP/err")"
	[ -z "$(pid_of tracker)" ] || fail "the tracker was started"
	wait_until is_gone "$(daemon_pid)"
done
echo 'exit 77' | stand_in rh-collector
start 1
said "collector (pid [0-9]*) ended with exit code 77"

# --- so it is with the tracker; the collector is stopped again
well_behaved rh-collector
echo 'echo "no newline at the end" | tr -d "\n" >&2; exit 4' | stand_in rh-tracker
start 4
said "no newline at the end"
is_gone "$(pid_of collector)" || fail "the collector still runs"

# --- a child that is killed at the start is tried again, ever slower
echo '[ -e "'"$TEMP"'/third" ] && ready && rest; [ -e "'"$TEMP"'/second" ] && touch "'"$TEMP"'/third"; touch "'"$TEMP"'/second"; kill -9 $$' | stand_in rh-collector
well_behaved rh-tracker
start 0
logged '"restart_ms":200,"failures":1' && logged '"restart_ms":400,"failures":2' || fail "the wait does not grow"

# --- after the start exit codes 1 and 4 are no reason to give up ...
echo 'exit 4' | stand_in rh-tracker
kill -9 "$(pid_of tracker)"
wait_until logged 'tracker (pid [0-9]*) ended with exit code 4; starting it again'
well_behaved rh-tracker
wait_until started_times tracker 2
# ... code 2 is: the programs do not fit each other
supervisor=$(daemon_pid) collector=$(pid_of collector)
echo 'exit 2' | stand_in rh-tracker
kill -9 "$(pid_of tracker)"
wait_until is_gone "$supervisor"
logged 'does not take the options or the configuration' || fail "no reason given"
is_gone "$collector" || fail "the collector outlived the daemon"

# --- what a child says on stderr is in the log, without control characters
echo 'ready; printf "evil \033[31m words\n" >&2; rest' | stand_in rh-tracker
start 0
wait_until logged '"event":"child_said","message":"evil \\u001b\[31m words","child":"tracker"'
expect 0 "$hunter" daemon --stop --name "$NAME"

# --- what a child inherits: standard streams, its configuration, which it cannot change; no environment of the caller, no stray descriptor
cat <<EOT | stand_in rh-collector
ready
{ /usr/bin/env; echo "arguments \$*"; } >"$TEMP/seen"
ls /proc/\$\$/fd >"$TEMP/descriptors"
cat /proc/\$\$/fd/3 >"$TEMP/plain"
echo x >&3 2>/dev/null && touch "$TEMP/changed"
grep -q '^SigBlk:	0000000000000000$' /proc/self/status && touch "$TEMP/done"
rest
EOT
well_behaved rh-tracker
exec 9</dev/null
EVIL=1 LD_PRELOAD='' IFS=x BASH_ENV=/nonexistent start 0
wait_until test -e "$TEMP/done"
exec 9<&-
grep -q '^EVIL\|^BASH_ENV\|^LD_' "$TEMP/seen" && fail "the caller's environment came through"
grep -q '^PATH=/usr/sbin:/usr/bin:/sbin:/bin$' "$TEMP/seen" || fail "no safe PATH"
grep -q "^arguments --name $NAME --config-fd 3 --ready-fd 4$" "$TEMP/seen" || fail "arguments: $(cat "$TEMP/seen")"
[ "$(grep -vc '^\([0123]\|255\)$' "$TEMP/descriptors")" = 0 ] || fail "descriptors: $(tr '\n' ' ' <"$TEMP/descriptors")"
grep -q "^storage.path=$DATABASE$" "$TEMP/plain" || fail "no resolved configuration"
[ ! -e "$TEMP/changed" ] || fail "a child can change the configuration of the others"

# --- a request that arrives twice at once, as from timeout(1), is one request: children have their time to end in good order
echo 'trap "echo orderly >>\"'"$TEMP"'/end\"; exit 0" TERM; trap "" INT; ready; rest' | stand_in rh-tracker
kill -9 "$(pid_of tracker)"
wait_until started_times tracker 2
supervisor=$(daemon_pid) tracker=$(pid_of tracker)
kill -STOP "$supervisor" "$tracker" # so that the supervisor finds both at once, and the child cannot be faster than a SIGKILL
kill -TERM "$supervisor"
kill -INT "$supervisor"
kill -CONT "$supervisor"
wait_until logged daemon_stop
kill -CONT "$tracker"
wait_until is_gone "$supervisor"
[ -s "$TEMP/end" ] && ! logged child_kill || fail "one request, sent twice, killed the tracker"

# --- one that takes no notice of SIGTERM is killed; a second request does not wait for that
echo 'trap "" TERM; ready; rest' | stand_in rh-tracker
start 0
supervisor=$(daemon_pid) tracker=$(pid_of tracker)
again() { kill -TERM "$supervisor" 2>/dev/null; logged 'tracker is to stop at once: killing it'; }
wait_until again
wait_until is_gone "$supervisor"
is_gone "$tracker" || fail "SIGTERM was ignored, and that was that"
echo 'ready; rest' | stand_in rh-collector
start 0
supervisor=$(daemon_pid) tracker=$(pid_of tracker)
kill -TERM "$supervisor"
wait_until is_gone "$supervisor" # after its 5 s
logged 'tracker does not stop: killing it' || fail "the killing was not logged"
is_gone "$tracker" || fail "SIGTERM was ignored, and that was that"

# --- a program that is not there
rm "$TEMP/bin/rh-collector"
start 1
said "rh-collector is not installed"
echo ok
