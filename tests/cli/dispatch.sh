#!/bin/bash
# The front command: help and version everywhere, near misses, exit codes.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter
commands=$(sed -n 's/^RH_COMMAND(\([a-z]*\),.*/\1/p' "$SRC/cli/commands.def")
[ "$(wc -w <<<"$commands")" -ge 5 ] || fail "commands.def was not read"

for option in --help -h help; do
	expect 0 "$hunter" $option
	for command in $commands; do
		said "^  $command "
	done
	[ ! -s "$TEMP/err" ] || fail "help on stderr"
done
for option in --version -V version; do
	expect 0 "$hunter" $option
	grep -q '^rogue-hunter [0-9]*\.[0-9]*\.[0-9]*$' "$TEMP/out" || fail "version: $(cat "$TEMP/out")"
done
for command in $commands; do
	for call in "$command --help" "$command -h" "help $command"; do
		expect 0 "$hunter" $call
		grep -q "^usage: rogue-hunter $command" "$TEMP/out" || fail "$call: $(head -1 "$TEMP/out")"
		[ ! -s "$TEMP/err" ] || fail "$call: $(cat "$TEMP/err")"
		[ "$(awk 'length > 160' "$TEMP/out" | wc -l)" = 0 ] || fail "$call: lines that are too long"
	done
	for option in --version -V; do
		expect 0 "$hunter" "$command" $option
		grep -q '^rogue-hunter [0-9]*\.[0-9]*\.[0-9]*$' "$TEMP/out" || fail "$command $option: $(cat "$TEMP/out")"
	done
	expect 2 "$hunter" "$command" --no-such-option
	[ "$(wc -l <"$TEMP/err")" = 1 ] && grep -q '^rogue-hunter: ' "$TEMP/err" || fail "$command: $(cat "$TEMP/err")"
	[ ! -s "$TEMP/out" ] || fail "$command --no-such-option: $(cat "$TEMP/out")"
done

for call in 'events show --version' 'events show 3 -V' 'top --json --version' 'config show --version'; do
	expect 0 "$hunter" $call
	said '^rogue-hunter [0-9]'
done
for call in 'events show --help' 'help events show'; do
	expect 0 "$hunter" $call
	said '^usage: rogue-hunter events show ID'
done

expect 2 "$hunter"
grep -q '^usage:' "$TEMP/err" || fail "no usage: $(cat "$TEMP/err")"
expect 2 "$hunter" statsu
said 'unknown command "statsu"; did you mean `rogue-hunter status`?'
expect 2 "$hunter" help confg
said 'did you mean `rogue-hunter config`?'
expect 2 "$hunter" xyzzy
said '`rogue-hunter --help` lists them'
expect 2 "$hunter" $'\033]0;evil\007'
grep -q $'\033' "$TEMP/err" && fail "a control character came out"
expect 2 "$hunter" ""
expect 2 "$hunter" --foreground
said 'unknown option --foreground; options follow a command'
expect 2 "$hunter" --json status
said 'options follow the command: `rogue-hunter status --json`'
expect 2 "$hunter" config show --name x
said 'unknown option --name'
expect 1 bash -c "'$hunter' config show >/dev/full"
said "cannot write the output"

# a database that is configured is the one its readers ask; a configuration with a fault is said, not passed over
mkdir -p "$XDG_CONFIG_HOME/rogue-hunter"
if [ "$(id -u)" != 0 ]; then
	printf '[storage]\npath = "/nonexistent/configured.db"\n' >"$XDG_CONFIG_HOME/rogue-hunter/config.toml"
	"$hunter" status --name "$NAME" --json >"$TEMP/out" 2>"$TEMP/err"
	said "/nonexistent/configured.db"
	for typed in '--db /typed.db' '--db=/typed.db' '--d /typed.db'; do
		"$hunter" status --name "$NAME" --json $typed >"$TEMP/out" 2>"$TEMP/err"
		said '"/typed.db"'
	done
	"$hunter" events show -- 1 >"$TEMP/out" 2>"$TEMP/err"
	said "/nonexistent/configured.db"
	echo '[storage' >"$XDG_CONFIG_HOME/rogue-hunter/config.toml"
	expect 0 "$hunter" status --help
	expect 0 "$hunter" status --json --version
	expect 2 "$hunter" status --name "$NAME"
	said "config.toml:1:"
fi
echo ok
