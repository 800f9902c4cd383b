#!/bin/bash
# Regression 7: a private file given as configuration leaks none of its content, whatever it looks like, on no output of any command.
set -u
. "$SRC/tests/support/daemon.sh"
hunter=$BIN/rogue-hunter
secret=s3cr3tw0rd

# forms of private files: each holds the secret in another place of the grammar
forms=(
	"root:\$6\$$secret:19000:0:99999:7:::\n"
	"$secret\n"
	"$secret = 1\n"
	"[$secret]\nkey = 1\n"
	"[$secret\n"
	"[sampling]\n$secret = 1\n"
	"[sampling]\ninterval = $secret\n"
	"[sampling]\ninterval = \"$secret\"\n"
	"[sampling]\ninterval = \"$secret\n"
	"[sampling]\ninterval = '$secret\n"
	"[sampling]\nsampler = \"$secret\"\n"
	"[sampling]\nsampler = [\"$secret\"]\n"
	"[sampling]\nsampler = {a = \"$secret\"}\n"
	"[sampling]\nsampler = \"\\\\$secret\"\n"
	"[storage]\npath = \"$secret\"\n"
	"[storage]\npath = \"/\\\\u0007$secret\"\n"
	"[[$secret]]\n[[$secret]]\n[$secret]\n"
	"a.$secret = 1\na.$secret = 2\n"
	"'$secret' = 1\n'$secret' = 2\n"
	"# $secret\x01\n"
	"-----BEGIN PRIVATE KEY-----\n$secret\n-----END PRIVATE KEY-----\n"
	"{\"password\": \"$secret\"}\n"
	"password=$secret\n"
	"\xff\xfe$secret\n"
	"x = 0x$secret\n"
	"x = 1979-$secret\n"
)
for form in "${forms[@]}"; do
	printf -- "$form" >"$TEMP/private"
	for call in "config check $TEMP/private" "config show --config $TEMP/private" "config show --json --config $TEMP/private" \
		"daemon --name $NAME --config $TEMP/private" "daemon --foreground --name $NAME --config $TEMP/private"; do
		expect 2 timeout 60 "$hunter" $call
		grep -q -e "$secret" "$TEMP/out" "$TEMP/err" && fail "$call leaked: $(cat "$TEMP/out" "$TEMP/err") of $form"
		grep -q "^rogue-hunter: $TEMP/private:[0-9]*:[0-9]*: " "$TEMP/err" || fail "$call gives no place: $(cat "$TEMP/err")"
	done
done
no_segment && [ ! -e "$LOCK" ] || fail "something was started"

if [ -r /etc/shadow ] && [ -s /etc/shadow ]; then
	expect 2 "$hunter" daemon --name "$NAME" --config /etc/shadow
	said '^rogue-hunter: /etc/shadow:1:'
	[ "$(wc -l <"$TEMP/err")" = 1 ] && [ ! -s "$TEMP/out" ] || fail "said more than the place"
fi
echo ok
