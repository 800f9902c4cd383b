#!/bin/bash
# The example of librogue(3), as it stands in the page: compiled as the page says, run against a live ring.
set -u
fail()
{
	echo "FAIL $*"
	[ -s "$work/log" ] && cat "$work/log"
	exit 1
}

work=$(mktemp -d) || exit 1
instance=man-example-$$
export PKG_CONFIG_PATH LD_LIBRARY_PATH
page=$SRC/docs/man/librogue.3

# A live ring, until descriptor 3 is closed.
mkfifo "$work/stop" "$work/ready"
"$BUILD/tests/examples_live" "$instance" 30 <"$work/stop" >"$work/ready" &
live=$!
exec 3>"$work/stop" 4<"$work/ready"
trap 'exec 3>&-; wait; rm -rf "$work"' EXIT
read -r ready <&4
[ "$ready" = ready ] || fail "no live ring"

cmake --install "$BUILD/shm" --prefix "$work/usr" >"$work/log" 2>&1 || fail "installing the library"
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name librogue.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$work/usr" -name librogue.so)")
# Where the library was installed to is not where the build was made for: that one word the page need not know.
pkg-config() { command pkg-config --define-variable=prefix="$work/usr" "$@"; }
flags=(-std=c11 -Wall -Wextra -Werror)
[ -n "${RH_SANITIZE:-}" ] && flags+=("-fsanitize=$RH_SANITIZE")
cc() { command "$CC" "${flags[@]}" "$@"; }

cd "$work" || exit 1
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd -literal/,/^\.Ed/{/^\.[BE]d/!p}}' "$page" | sed 's/\\e/\\/g' >reader.c
grep -q 'int main' reader.c || fail "the page shows no program"
compile=$(sed -n 's/^\.Dl \(cc reader\.c .*\)/\1/p' "$page")
[ -n "$compile" ] || fail "the page does not say how to compile it"
eval "$compile" 2>log || fail "it does not compile: $compile"
echo "ok   compiles: $compile"

./reader "$instance" 20 >out 2>log || fail "it does not run"
[ "$(wc -l <out)" = 20 ] || fail "not as many samples as asked for: $(cat out)"
grep -qvE '^[0-9]+: 30 processes, [0-9]+ lost, 1000 test0 100$' out && fail "a line with other values: $(cat out)"
# With lost samples or without: numbers rise, and what was got and lost accounts for every one of them.
awk -F '[: ]+' '{ if ($1 <= last || $1 != NR + $4) exit 1; last = $1 }' out || fail "samples that are not accounted for: $(cat out)"
echo "ok   shows each sample"

./reader "$instance" 1000000 >out 2>log 3>&- &
reader=$!
until grep -q "rogue-hunter.$instance" "/proc/$reader/maps"; do
	kill -0 "$reader" || fail "it ended before the writer did"
done 2>/dev/null
exec 3>&-
wait "$live"
wait "$reader" && fail "the end of the writer is no failure to it"
grep -qx 'reader: closed: the writer stopped' log || fail "it does not say that the writer stopped"
./reader "$instance" 2>log && fail "a ring that is gone"
grep -q '^reader: no daemon has published' log || fail "it does not say that there is no ring"
echo "ok   ends with the writer"
