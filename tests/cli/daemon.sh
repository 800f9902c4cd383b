#!/bin/bash
# `rogue-hunter daemon`: a bad command line or configuration starts nothing.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter

# refuse CODE WORDS ARGUMENT... : that exit code, one sentence with those words, no lock, no log, no ring, no database
refuse()
{
	local code=$1 words=$2
	shift 2
	expect "$code" timeout 60 "$hunter" daemon --name "$NAME" "$@"
	said "$words"
	[ "$(wc -l <"$TEMP/err")" = 1 ] && grep -q '^rogue-hunter: ' "$TEMP/err" || fail "not one sentence: $(cat "$TEMP/err")"
	[ ! -e "$LOG" ] && [ ! -e "$LOCK" ] && [ ! -e "$DATABASE" ] && no_segment || fail "something was started: daemon $*"
}

for way in --foreground ""; do
	refuse 2 'sampling.interval must be a number from 0.02 to 60' $way --config "$CONFIG" --interval 0
	refuse 2 'sampling.interval must be a number from 0.02 to 60' $way --config "$CONFIG" --interval 2m
	refuse 2 'interval takes a time' $way --config "$CONFIG" --interval soon
	refuse 2 'sampling.sampler must be one of "auto", "bpf", "procfs"' $way --config "$CONFIG" --sampler fast
	refuse 2 'duration takes a time' $way --config "$CONFIG" --duration -1
	refuse 2 'duration takes a time' $way --config "$CONFIG" --duration 0
	refuse 2 'duration takes a time' $way --config "$CONFIG" --duration 1e300
	refuse 2 'No such file' $way --config "$TEMP/none.toml"
	refuse 2 'unexpected argument "now"' $way --config "$CONFIG" now
	printf '[sampling]\nintervall = 1\n' >"$TEMP/bad.toml"
	refuse 2 'bad.toml:2:1: unknown key; did you mean sampling.interval?' $way --config "$TEMP/bad.toml"
	printf '[bands]\nmedium = 95\n' >"$TEMP/bad.toml"
	refuse 2 'bad.toml:2:10: bands.medium: bands must rise' $way --config "$TEMP/bad.toml"
	head -c 4096 /dev/urandom >"$TEMP/bad.toml"
	refuse 2 'bad.toml:' $way --config "$TEMP/bad.toml"
done
refuse 2 'exclude each other' --foreground --stop
refuse 3 "no daemon $NAME runs" --stop
expect 2 "$hunter" daemon --name '../../tmp/x'
said 'does not begin with a dot'
expect 2 "$hunter" daemon --name
said 'needs a value'
echo ok
