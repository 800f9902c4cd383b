#!/bin/bash
# man_pages.sh catches what it is there for: each breach, made in a copy of the pages, is named.
set -u

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0
tried=0

check() {
	bash "$SRC/tests/lint/man_pages.sh" "$folder/pages" >"$folder/output" 2>&1
}

fresh_pages() {
	rm -rf "$folder/pages"
	mkdir "$folder/pages"
	cp "$SRC"/docs/man/*.[1-8] "$BUILD"/docs/man/*.[1-8] "$folder/pages"
}

# catches PAGE BREACH SED: with the page edited so, the check fails and says that of the page
catches() {
	tried=$((tried + 1))
	fresh_pages
	sed -i "$3" "$folder/pages/$1"
	if cmp -s "$folder/pages/$1" "$SRC/docs/man/$1"; then
		echo "FAILED: $3 changes nothing in $1"
		failed=1
	elif check; then
		echo "FAILED: not caught: $1: $2"
		failed=1
	elif ! grep -F "$1:" "$folder/output" | grep -qF -- "$2"; then
		echo "FAILED: caught, but not as \"$2\" of $1:"
		cat "$folder/output"
		failed=1
	fi
}

fresh_pages
if ! check; then
	echo "FAILED: the pages as they are:"
	cat "$folder/output"
	failed=1
fi

catches rogue-hunter-top.1 '--sort: in the help, but not in the page' '/Fl -sort/d'
catches rogue-hunter-top.1 '-n: in the help, but not explained' 's/^\.It Fl n .*/.It N/'
catches rogue-hunter-events.1 '--open: in the help, but not explained' '/^\.It Fl -open/,/^Only/d'
catches rogue-hunter-prune.1 '--forget: in the page, but not in the help' 's/^\.It Fl -force/&\nDo not ask.\n.It Fl -forget/'
catches rogue-hunter-daemon.1 '--interval S: an option with another argument' 's/^\.It Fl -interval Ar S/.It Fl -interval Ar HOURS/'
catches rogue-hunter-status.1 '--json: an option with another argument' 's/^\.It Fl -json/& Ar FILE/'
catches rh-collector.8 '--step-fd: in the help' '/Fl -step-fd/d'
catches rogue-hunter-prune.1 '4: an exit code' '/^\.It 4$/,/full$/d'
catches rogue-hunter.1 'does not list history as' 's/^what was recorded, by time, command and band/what was recorded/'
catches rogue-hunter.1 'rogue-hunter-nothing(1), which does not exist' 's/^\.Xr rogue-hunter-watch 1/.Xr rogue-hunter-nothing 1/'
catches librogue.3 'rh_margin: a call that the page does not declare' '/^\.Fn rh_margin "/d'
catches librogue.3 'rh_oldest: a call that the page does not explain' '/^\.Fn rh_oldest$/d'
catches librogue.3 'rh_peek: there is no such call' 's/^\.Fn rh_newest "/.Fn rh_peek "/'
catches librogue.3 'RH_BUSY: a status that the page does not explain' '/^\.It Dv RH_BUSY/d'
catches librogue.3 'RH_LATE: there is no such status' 's/^\.Dv RH_LAPPED$/.Dv RH_LATE/'
if command -v mandoc >/dev/null; then
	catches rogue-hunter.1 'unknown macro' 's/^\.Sh FILES/.Zz\n&/'
	catches rogue-hunter-watch.1 'new sentence, new line' 's/^its \(.*process\.\)$/its \1 It goes on./; s/^and its most rogue process\.$/& It goes on./'
fi

# A command without a page, and a page without a command.
tried=$((tried + 1))
fresh_pages
mv "$folder/pages/rogue-hunter-watch.1" "$folder/pages/rogue-hunter-look.1"
check && failed=1
for breach in 'rogue-hunter-watch.1: the command has no page' 'rogue-hunter-look.1: there is no such command' 'rogue-hunter-look.1: no help'; do
	grep -qF "$breach" "$folder/output" || { echo "FAILED: not caught: $breach"; failed=1; }
done

echo "$tried breaches tried"
[ "$tried" -ge 16 ] && [ "$failed" -eq 0 ]
