#!/bin/bash
# No two libraries of the project define the same name: of two functions called the same the linker would take either, in silence.
# usage: symbols.sh [FOLDER]   (default: the build tree, from BUILD)
set -u

folder=${1:-$BUILD}
mapfile -t libraries < <(find "$folder"/{base,shm,storage,collector,readers,cli} -name '*.a' 2>/dev/null | sort)
if [ "${#libraries[@]}" -eq 0 ]; then
	echo "no libraries in $folder"
	exit 1
fi

# "NAME LIBRARY" of every external definition, once for each library; names of the compiler's own are shared on purpose.
twice=$(for library in "${libraries[@]}"; do
	nm --extern-only --defined-only "$library" 2>/dev/null | awk -v library="$(basename "$library")" '
		NF == 3 && $2 ~ /^[TDBR]$/ && $3 !~ /^(__|_Z|asan|ubsan)/ { print $3, library }' | sort -u
done | sort | awk '{ libraries[$1] = libraries[$1] " " $2; count[$1]++ } END { for (name in count) if (count[name] > 1) print name ":" libraries[name] }' | sort)
count=$(printf '%s' "$twice" | grep -c .)
[ "$count" -eq 0 ] || printf '%s\n' "$twice"
echo "${#libraries[@]} libraries: $count names that are defined twice"
[ "$count" -eq 0 ]
