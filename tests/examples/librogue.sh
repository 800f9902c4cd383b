#!/bin/bash
# What a stranger does with the installed library: a C program through pkg-config, the same through CMake's find_package, the example
# in the public header, the headers in C++, and a Python reader; each against a live ring.
set -u
fail()
{
	echo "FAIL $*"
	[ -s "$work/log" ] && cat "$work/log"
	exit 1
}

work=$(mktemp -d) || exit 1
instance=examples-$$
export LD_LIBRARY_PATH
flags=(-std=c11 -Wall -Wextra -Werror)
[ -n "${RH_SANITIZE:-}" ] && flags+=("-fsanitize=$RH_SANITIZE")

# A live ring, until descriptor 3 is closed.
mkfifo "$work/stop" "$work/ready"
"$BUILD/tests/examples_live" "$instance" 30 <"$work/stop" >"$work/ready" &
exec 3>"$work/stop" 4<"$work/ready"
trap 'exec 3>&-; wait; rm -rf "$work"' EXIT
read -r ready <&4
[ "$ready" = ready ] || fail "no live ring"

cmake --install "$BUILD/shm" --prefix "$work/usr" >"$work/log" 2>&1 || fail "installing the library"
PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name librogue.pc)")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(dirname "$(find "$work/usr" -name librogue.so)")
read -ra package < <(pkg-config --define-variable=prefix="$work/usr" --cflags --libs librogue) || fail "pkg-config knows no librogue"

expected="$(printf '%7u %-15.15s %5.1f' 1000 test0 100)"
shows_top() # COMMAND ...
{
	"$@" >"$work/log" 2>&1 || fail "$* does not run"
	if [ "$(head -n 1 "$work/log")" != "$expected" ] || [ "$(wc -l <"$work/log")" != 5 ]; then
		fail "$*: wrong output"
	fi
}

"$CC" "${flags[@]}" "$SRC/tests/examples/top.c" "${package[@]}" -o "$work/top" 2>"$work/log" || fail "top.c through pkg-config"
shows_top "$work/top" "$instance"
echo "ok   C program, pkg-config"

cmake -G Ninja -S "$SRC/tests/examples/cmake" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_C_COMPILER="$CC" \
	-DCMAKE_C_FLAGS="${flags[*]:1}" >"$work/log" 2>&1 || fail "find_package(rogue)"
cmake --build "$work/cmake" >"$work/log" 2>&1 || fail "building through find_package"
shows_top "$work/cmake/top" "$instance"
echo "ok   C program, find_package"

# The example at the top of reader.h, as it stands there but for the instance.
{
	printf '#include <rogue/reader.h>\n#include <stdio.h>\nint main(void)\n{\n'
	sed -n '1,/\*\//s/^ \*     //p' "$work/usr/include/rogue/reader.h" | sed "s/rh_open(NULL/rh_open(\"$instance\"/"
	printf '\treturn 0;\n}\n'
} >"$work/header.c"
grep -q rh_open "$work/header.c" || fail "reader.h shows no example"
"$CC" "${flags[@]}" "$work/header.c" "${package[@]}" -o "$work/header" 2>"$work/log" || fail "the example of reader.h does not compile"
[ "$("$work/header")" = "1000 test0 100" ] || fail "the example of reader.h does not show the top process"
echo "ok   the example of reader.h"

printf '#include <rogue/reader.h>\n#include <rogue/tables.h>\nint main() { return rh_version()[0] == 0; }\n' >"$work/plus.cc"
if command -v c++ >/dev/null; then
	c++ -std=c++20 -Wall -Wextra -Werror -fsyntax-only "$work/plus.cc" "${package[@]}" 2>"$work/log" || fail "the headers are not C++"
	echo "ok   the headers in C++"
fi

foreign=$(nm -D --defined-only "$LD_LIBRARY_PATH/librogue.so" | awk '$2 ~ /[TDBR]/ && $3 !~ /^(rh_[a-z_]+|LIBROGUE_[0-9.]+)@?@?(LIBROGUE_0\.1)?$/')
[ -z "$foreign" ] || fail "the library shows more than its interface: $foreign"
nm -D --defined-only "$LD_LIBRARY_PATH/librogue.so" | grep -q 'rh_open@@LIBROGUE_0.1' || fail "symbols carry no version"
echo "ok   symbols are rh_ and versioned"

command -v python3 >/dev/null || { echo "skipped: no python3 for the reader in another language"; exit 77; }
python3 "$SRC/tests/examples/top.py" "$instance" pid command nice score >"$work/log" 2>&1 || fail "the Python reader"
python3 - "$work/log" <<'PYTHON' || fail "the Python reader shows wrong values"
import json, sys
sample = json.load(open(sys.argv[1]))
assert sample["sample"] >= 1 and sample["total"] == 30 and len(sample["processes"]) == 30, sample
assert sample["system"]["process_count"] == 30, sample["system"]
assert sample["processes"][0] == {"pid": 1000, "command": "test0", "nice": -5, "score": 100.0}, sample["processes"][0]
assert sample["processes"][29]["pid"] == 1029
PYTHON
! python3 "$SRC/tests/examples/top.py" "$instance" no_such_field >"$work/log" 2>&1 || fail "an unknown field was not refused"
echo "ok   Python reader"
