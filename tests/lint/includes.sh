#!/bin/bash
# Who may include and link whom. Each folder's list is here once; every #include line and every link list of the folders' CMakeLists.txt is held
# against it. usage: includes.sh [ROOT]   (default: the source tree, from SRC)
set -u

root=${1:-$SRC}
faults=0

# Regular expressions over what stands between the quotes or brackets. System headers that belong to a library are named below, the rest of
# <...> is libc and free.
stored='tracker|events|history|prune|status|pauses|drill'
# Readers that know what a pause is.
pausing='tracker|pauses|drill'
includes_of() {
	case $1 in
	include/*) echo 'rogue/.*' ;;
	base/*) echo 'base/.*' ;;
	shm/*) echo '(shm|base|rogue)/.*|ck_.*' ;;
	storage/*) echo '(storage|base|rogue)/.*|sqlite3\.h' ;;
	pause/*) echo '(pause|base|rogue)/.*' ;;
	collector/bpf/*) echo "(collector|base|rogue)/.*|bpf/.*|[a-z_]+\.skel\.h" ;;
	collector/*) echo "(collector|base|rogue)/.*|shm/writer\.h" ;;
	readers/doctor/*) echo '(readers/doctor|readers/common|base|rogue)/.*|jansson\.h' ;;
	readers/common/*) echo '(readers/common|base|rogue)/.*' ;;
	readers/*/*)
		local reader=${1#readers/}
		reader=${reader%%/*}
		if [[ $reader =~ ^($stored)$ ]]; then
			local more=''
			[[ $reader =~ ^($pausing)$ ]] && more='|pause/[a-z]+\.(h|def)|jansson\.h'
			echo "(readers/$reader|readers/common|base|rogue)/.*|storage/(storage\.h|pauses\.h|baseline\.h|rows\.h|columns\.def)$more"
		else
			echo "(readers/$reader|readers/common|base|rogue)/.*"
		fi
		;;
	cli/*) echo '(cli|readers/common|base|rogue)/.*|readers/[a-z]+/[a-z]+\.h|toml\+\+/.*' ;;
	esac
}

# Headers of libraries: whoever is not given them by name above may not have them.
library_headers='ck_.*|sqlite3.*|toml\+\+/.*|jansson.*|cmocka.*|bpf/.*|libbpf.*|elfutils/.*|dwarf.*|microhttpd.*|termbox.*|zstd.*|systemd/.*'

# Words that may stand in the link lists of a folder.
links_of() {
	case $1 in
	base/) echo 'm|Threads::Threads' ;;
	shm/) echo 'base|ck' ;;
	storage/) echo 'base|PkgConfig::sqlite3|m' ;;
	pause/) echo 'pause_[a-z]+|rogue|base|m' ;;
	collector/) echo "collector_[a-z]+|base|shm_writer|m|PkgConfig::libbpf|\\\$\\{CMAKE_DL_LIBS\\}|Threads::Threads" ;;
	readers/doctor/) echo 'readers_common|reader_doctor|rogue|base|PkgConfig::jansson' ;;
	readers/common/) echo 'rogue|base|m' ;;
	readers/*/)
		local reader=${1#readers/}
		reader=${reader%/}
		if [[ $reader =~ ^($stored)$ ]]; then
			local more=''
			[[ $reader =~ ^($pausing)$ ]] && more='|pause_[a-z]+|PkgConfig::jansson'
			echo "readers_common|reader_$reader|${reader}_[a-z]+|storage|rogue|base|m$more"
		else
			echo "readers_common|reader_$reader|${reader}_[a-z]+|rogue|base|m"
		fi
		;;
	cli/) echo 'cli_[a-z]+|reader_[a-z]+|readers_common|rogue|base|tomlpp|m' ;;
	esac
}

complain() {
	echo "$1"
	faults=$((faults + 1))
}

check_includes() {
	local file=$1 allowed number form name
	allowed=$(includes_of "$file")
	while IFS=: read -r number form name; do
		if [ "$form" = '<' ] && ! [[ $name =~ ^($library_headers)$ ]] && ! [[ $name =~ ^(base|shm|storage|pause|collector|readers|cli|rogue)/ ]]; then
			continue # libc
		fi
		[[ $name =~ ^($allowed)$ ]] || complain "$file:$number: may not include $name"
	done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^">]+)[">].*/\1:\2/;t found;b;:found;=;p' "$root/$file" |
		sed 'N;s/\n/:/')
}

# The words after LINK of rh_library and rh_program, and of target_link_libraries; variables, keywords and flags left out.
linked_words() {
	sed 's/#.*//' "$1" | tr '\n' ' ' | grep -oE '(rh_library|rh_program|target_link_libraries)\([^)]*\)' | sed -E \
		-e 's/^rh_(library|program)\(.*[[:space:]]LINK[[:space:]]//' -e 's/^rh_(library|program)\(.*//' \
		-e 's/^target_link_libraries\([[:space:]]*[^[:space:])]+//' -e 's/\)//' |
		tr ' \t' '\n\n' | grep -vxE '|PRIVATE|PUBLIC|INTERFACE|rh_flags' | sort -u
}

check_links() {
	local folder=$1 allowed word
	allowed=$(links_of "$folder")
	for word in $(linked_words "$root/${folder}CMakeLists.txt"); do
		[[ $word =~ ^($allowed)$ ]] || complain "${folder}CMakeLists.txt: may not link $word"
	done
}

cd "$root" || exit 1
files=0
while read -r file; do
	files=$((files + 1))
	check_includes "$file"
done < <(find include base shm storage pause collector readers cli -name '*.[ch]' -o -name '*.cc' -o -name '*.def' 2>/dev/null | sort)
for folder in base/ shm/ storage/ pause/ collector/ cli/ readers/*/; do
	[ -f "${folder}CMakeLists.txt" ] && check_links "$folder"
done

echo "$files files looked at, $faults forbidden includes and links"
[ "$files" -gt 0 ] && [ "$faults" -eq 0 ]
