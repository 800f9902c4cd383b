#!/bin/bash
# Regression 20 (a seqlock without barriers on arm64: torn page, valid checksum): the ring, compiled for arm64, has its fences, and
# refuses to be compiled for it with the Concurrency Kit headers of amd64, whose fences are empty.
set -u
objdump=$(command -v llvm-objdump || compgen -c llvm-objdump- | sort -V | tail -n 1)
clang=$(command -v clang)
if [ -z "$clang" ] || [ -z "$objdump" ] || ! "$clang" --print-targets | grep -q ' aarch64 '; then
	echo "skipped: needs clang with the aarch64 target, and llvm-objdump"
	exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/libc/gnu" "$work/libc/bits" "$work/ck" "$work/ck-amd64"

# Where no C library for arm64 is installed its headers are those of this machine, with the two files replaced that ask for the
# architecture. Objects made so are looked at, never run.
if [ -d /usr/aarch64-linux-gnu/include ]; then
	libc=(-isystem /usr/aarch64-linux-gnu/include)
else
	: >"$work/libc/gnu/stubs.h"
	printf '#define __WORDSIZE 64\n#define __WORDSIZE_TIME64_COMPAT32 0\n#define __SYSCALL_WORDSIZE 64\n' >"$work/libc/bits/wordsize.h"
	libc=(-isystem "$work/libc" -idirafter "/usr/include/$(uname -m)-linux-gnu")
fi
# ck_md.h as libck-dev of arm64 has it, with relaxed memory order, and as that of amd64 has it, with total store order.
for order in RMO TSO; do
	folder=$work/ck
	[ "$order" = TSO ] && folder=$work/ck-amd64
	printf '#define %s\n' 'CK_MD_CACHELINE (64)' 'CK_MD_PAGESIZE (4096)' 'CK_MD_VMA_BITS 48ULL' 'CK_VERSION "0"' "CK_MD_$order" >"$folder/ck_md.h"
done

compile() # SOURCE OBJECT [OPTION ...]
{
	local source=$1 object=$2
	shift 2
	"$clang" --target=aarch64-linux-gnu -std=gnu11 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DRH_VERSION='"test"' "$@" \
		"${libc[@]}" -I"$SRC" -I"$SRC/include" -c "$source" -o "$object" 2>"$work/messages"
}

fences() # OBJECT FUNCTION ...: the barriers in these functions together, of any that exist
{
	local object=$1 function sum=0
	shift
	for function; do
		sum=$((sum + $("$objdump" -d --no-show-raw-insn --disassemble-symbols="$function" "$object" 2>/dev/null | grep -c '\bdmb\b')))
	done
	echo "$sum"
}

failures=0
expect() # LEAST FOUND WHAT
{
	if [ "$2" -ge "$1" ]; then
		echo "ok   $3: $2 fences"
	else
		echo "FAIL $3: $2 fences, expected at least $1"
		failures=$((failures + 1))
	fi
}

for source in writer reader reader_wait; do
	compile "$SRC/shm/$source.c" "$work/$source.o" -isystem "$work/ck" || {
		echo "FAIL shm/$source.c does not compile for arm64:"
		cat "$work/messages"
		exit 1
	}
done
expect 1 "$(fences "$work/writer.o" ring_reserve)" "ring_reserve: victims odd | new frame"
expect 3 "$(fences "$work/writer.o" ring_publish)" "ring_publish: frame | even | published | futex"
expect 1 "$(fences "$work/reader.o" rh_newest)" "rh_newest: published | slot"
expect 2 "$(fences "$work/reader.o" look rh_at)" "rh_at: even | header | even again"
expect 1 "$(fences "$work/reader.o" rh_valid)" "rh_valid: payload | even again"
expect 1 "$(fences "$work/reader_wait.o" rh_wait)" "rh_wait: futex word | published"

# The counting itself: with the headers of amd64 there would be none to count.
printf '#include <ck_pr.h>\nvoid control(void);\nvoid control(void)\n{\n\tck_pr_fence_load();\n\tck_pr_fence_store();\n}\n' >"$work/control.c"
compile "$work/control.c" "$work/control.o" -isystem "$work/ck" && expect 2 "$(fences "$work/control.o" control)" "control: relaxed headers"
if compile "$work/control.c" "$work/tso.o" -isystem "$work/ck-amd64" && [ "$(fences "$work/tso.o" control)" -eq 0 ]; then
	echo "ok   control: headers of a machine with total store order lose fences"
else
	echo "FAIL control: headers of a machine with total store order keep their fences: is this test blind?"
	failures=$((failures + 1))
fi

# The refusal.
if compile "$SRC/shm/reader.c" "$work/refused.o" -isystem "$work/ck-amd64"; then
	echo "FAIL ck headers of another architecture are accepted for arm64"
	failures=$((failures + 1))
elif grep -q 'error:.*another architecture' "$work/messages"; then
	echo "ok   ck headers of another architecture are refused"
else
	echo "FAIL the refusal does not say why:"
	cat "$work/messages"
	failures=$((failures + 1))
fi
[ "$failures" -eq 0 ]
