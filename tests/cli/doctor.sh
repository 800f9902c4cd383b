#!/bin/bash
# `rogue-hunter doctor`: every signal of signals.def, right as root, as somebody else, in a user namespace, without /sys, with and without a daemon;
# readable in 80 columns.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter
rows=$(grep -c '^RH_SIGNAL(' "$SRC/include/rogue/signals.def")

# examine COMMAND... : its JSON in $TEMP/json, checked for what every report must have
examine()
{
	"$@" >"$TEMP/json" 2>"$TEMP/err" || fail "exit code $?: $* ($(cat "$TEMP/json" "$TEMP/err"))"
	[ ! -s "$TEMP/err" ] || fail "said on stderr: $(cat "$TEMP/err")"
	jq -e --argjson rows "$rows" '.schema == "rogue-hunter.doctor/1" and (.signals | length) == $rows and
		([.signals[].name] | unique | length) == $rows and ([.signals[] | select(.why == "" or .lost == "")] | length) == 0 and
		(.capabilities | length) > 4' "$TEMP/json" >"$TEMP/out" || fail "not a whole report: $(cat "$TEMP/json")"
}

holds() { jq -e "$1" "$TEMP/json" >/dev/null || fail "not so: $1 ($(jq -c "${2:-.signals}" "$TEMP/json"))"; }
signal() { echo "(.signals[] | select(.name == \"$1\"))"; }

# fits COMMAND... : what it prints is no wider than 80 columns, but for the path of a program, and holds nothing that a terminal would obey
fits()
{
	"$@" >"$TEMP/text" || fail "exit code $?: $*"
	! awk 'length > 80' "$TEMP/text" | grep -v "$BIN" || fail "wider than 80 columns"
	! grep -q '[^[:print:]]' "$TEMP/text" || fail "not printable"
	[ "$(grep -c -E '^[a-z_]+ +(yes|no|-) +(yes|no|-) ' "$TEMP/text")" = "$rows" ] || fail "not a line for each signal: $(cat "$TEMP/text")"
}

# ---- whoever runs this, without a daemon ----
examine "$hunter" doctor --json --name "$NAME"
holds '.daemon.writer == "NO_SEGMENT"' .daemon
holds "$(signal psi_cpu) | has(\"used\") | not"
fits "$hunter" doctor --name "$NAME"
grep -q "no daemon has published under rogue-hunter.$NAME" "$TEMP/text" || fail "nothing is said of the daemon: $(cat "$TEMP/text")"
no_segment || fail "it left a segment"

# ---- a part that the configuration switches off is told apart, with the step that helps ----
mkdir -p "$TEMP/etc/rogue-hunter"
printf 'sampling.sampler=procfs\nsampling.scheduler=false\nmeters.gpu=off\n' >"$TEMP/plain"
examine "$hunter" doctor --json --name "$NAME" --config-fd 9 9<"$TEMP/plain"
holds "$(signal scheduler) | .available | not"
holds "$(signal scheduler) | .why == \"sampling.scheduler is false in the configuration\" and (.enable | contains(\"[sampling] scheduler = true\"))"
holds '.probe.sampler == "procfs"' .probe
printf 'sampling.interval=nonsense\n' >"$TEMP/plain"
expect 1 "$hunter" doctor --name "$NAME" --config-fd 9 9<"$TEMP/plain"
said 'rh-collector --probe ended without an answer'
expect 2 "$hunter" doctor --config-fd nine
expect 2 "$hunter" doctor stray

# ---- what a running collector uses, and with which capabilities ----
"$BIN/rh-collector" --name "$NAME" --interval 0.05 >"$TEMP/collector" 2>&1 &
collector=$!
wait_until test -e "/dev/shm/rogue-hunter.$NAME"
examine "$hunter" doctor --json --name "$NAME"
holds '.daemon.writer == "RUNNING" and .daemon.writer_pid == '$collector .daemon
holds "$(signal run_delay) | .available == .used"
holds '[.capabilities[] | select(.held and (.kept | not) and .name != "CAP_IPC_LOCK")] == []' .capabilities
held=$(sed -n 's/^CapEff:\t//p' "/proc/$collector/status")
holds "[.capabilities[] | select(.held) | .number] | length >= 0" .capabilities
[ "$held" != 0000000000000000 ] || holds '[.capabilities[] | select(.held)] == []' .capabilities
fits "$hunter" doctor --name "$NAME"
grep -q "running, pid $collector" "$TEMP/text" || fail "the daemon is not in it: $(cat "$TEMP/text")"
kill "$collector" && wait "$collector"

# ---- with less, where this machine lets us have less ----
[ "$(id -u)" = 0 ] || { echo "ok; the rest takes root" && exit 0; }
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
cd / || exit 1
if "${nobody[@]}" test -x "$hunter"; then
	examine "${nobody[@]}" "$hunter" doctor --json --name "$NAME"
	holds "$(signal bpf_rights) | .available | not"
	holds "$(signal bpf_rights) | .enable | contains(\"setcap cap_bpf,\")"
	holds "$(signal task_walk) | .why | startswith(\"needs \")"
	holds "$(signal process_io) | .available | not"
	holds "$(signal run_delay) | .available"
	holds '[.capabilities[] | select(.available)] == []' .capabilities
	fits "${nobody[@]}" "$hunter" doctor --name "$NAME"
	tr -d '\\\n' <"$TEMP/text" | grep -q "setcap cap_bpf,[a-z_,]*+ep  *$BIN/rh-collector" || fail "no command that enables it: $(cat "$TEMP/text")"
	if "${nobody[@]}" unshare -Ur true 2>/dev/null; then
		examine "${nobody[@]}" unshare -Ur "$hunter" doctor --json --name "$NAME" # root of a namespace is not root
		holds "$(signal bpf_rights) | .available | not"
	fi
fi
if unshare -m true 2>/dev/null; then
	examine unshare -m sh -c 'mount -t tmpfs none /sys && exec "$@"' - "$hunter" doctor --json --name "$NAME"
	holds "$(signal type_information) | .available | not"
	holds "$(signal scheduler) | .available | not"
fi
echo ok
