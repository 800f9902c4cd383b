#!/bin/bash
# `rogue-hunter config`: what it shows is a configuration; what it refuses, it refuses at the right place.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter

# what show prints can be used as it is, and means the same
cat >"$TEMP/own.toml" <<'EOT'
[sampling]
interval = 0.25
[storage]
path = "/a \"b\" \\ c/\u00e4\u00ad\U0001f600\U000e0001.db" # ä
[log]
path = "/home/jürgen"
[bands]
medium = 41
EOT
expect 0 "$hunter" config show --config "$TEMP/own.toml"
cp "$TEMP/out" "$TEMP/shown.toml"
said "from $TEMP/own.toml"
said '^interval = 0.25$'
said '^path = "/a \\"b\\" \\\\ c/ä\\u00ad😀\\U000e0001.db"$'
said '^path = "/home/jürgen"$'
said '^medium = 41.0$'
said '^keep = 5$'
expect 0 "$hunter" config check "$TEMP/shown.toml"
expect 0 "$hunter" config show --config "$TEMP/shown.toml"
diff <(tail -n +2 "$TEMP/shown.toml") <(tail -n +2 "$TEMP/out") || fail "show of what show printed differs"
expect 0 "$hunter" config show --json --config "$TEMP/own.toml"
cp "$TEMP/out" "$TEMP/own.json"
expect 0 "$hunter" config show --json --config "$TEMP/shown.toml"
diff <(sed 's/"source":"[^"]*"//' "$TEMP/own.json") <(sed 's/"source":"[^"]*"//' "$TEMP/out") || fail "values changed on the way"
said '"interval":0.25'

# every row of the table is there, with its words
expect 0 "$hunter" config show --default
said "the defaults"
[ "$(grep -c ' = ' "$TEMP/out")" = "$(grep -c '^RH_CONFIG_\(BOOL\|INT\|REAL\|TEXT\|CHOICE\) *(' "$SRC/base/config.def")" ] || fail "not every key is shown"
said '^# seconds between samples \[0.02 to 60; default 0.2\]$'
expect 0 "$hunter" config show --default --json
said '"source":null'

# faults: file:line:column: rule, exit code 2, nothing on stdout
printf '[sampling]\n  interval = "fast"\n' >"$TEMP/bad.toml"
expect 2 "$hunter" config check "$TEMP/bad.toml"
[ "$(cat "$TEMP/err")" = "rogue-hunter: $TEMP/bad.toml:2:14: sampling.interval must be a number from 0.02 to 60" ] || fail "said: $(cat "$TEMP/err")"
[ ! -s "$TEMP/out" ] || fail "stdout: $(cat "$TEMP/out")"
expect 2 "$hunter" config show --config "$TEMP/bad.toml"
for file in "$TEMP/none.toml" "$TEMP" /dev/null; do
	expect 2 "$hunter" config check "$file"
	said "$file"
done
mkfifo "$TEMP/fifo"
expect 2 timeout 20 "$hunter" config check "$TEMP/fifo"
head -c 1100000 /dev/zero | tr '\0' '#' >"$TEMP/large.toml"
expect 2 "$hunter" config check "$TEMP/large.toml"
said "larger than 1 MiB"
ln -s "$TEMP/own.toml" "$TEMP/link.toml" # dotfiles often are links
expect 0 "$hunter" config check "$TEMP/link.toml"
printf '' >"$TEMP/empty.toml"
expect 0 "$hunter" config check "$TEMP/empty.toml"

# mistakes in the command line
expect 2 "$hunter" config
expect 2 "$hunter" config shwo
expect 2 "$hunter" config check "$TEMP/own.toml" more
expect 2 "$hunter" config path more

# the usual place, of a user: found, and its absence is no fault
if [ "$(id -u)" != 0 ]; then
	expect 0 "$hunter" config path
	[ "$(cat "$TEMP/out")" = "$XDG_CONFIG_HOME/rogue-hunter/config.toml" ] || fail "path: $(cat "$TEMP/out")"
	expect 0 "$hunter" config check
	said "the defaults apply"
	mkdir -p "$XDG_CONFIG_HOME/rogue-hunter"
	cp "$TEMP/own.toml" "$XDG_CONFIG_HOME/rogue-hunter/config.toml"
	expect 0 "$hunter" config show
	said '^interval = 0.25$'
else
	expect 0 "$hunter" config path
	[ "$(cat "$TEMP/out")" = /etc/rogue-hunter/config.toml ] || fail "path: $(cat "$TEMP/out")"
fi
echo ok
