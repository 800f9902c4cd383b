#!/bin/bash
# What is derived from the field tables is as schema.txt says. A change on purpose: run the command that this prints.
set -u

golden=$SRC/tests/golden/schema.txt
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$BUILD/tests/golden_schema" "$folder" >"$folder/schema.txt" || exit 1
if ! diff -u "$golden" "$folder/schema.txt"; then
	echo "The tables say something else than tests/golden/schema.txt. Ids and names are for ever; offsets follow the order of rows."
	echo "If the change is meant, mend it with:"
	echo "  folder=\$(mktemp -d) && $BUILD/tests/golden_schema \$folder > $golden"
	exit 1
fi
