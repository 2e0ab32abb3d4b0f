#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function and table of the library is used: an inner one by another file, or, where it is in a header for the tests,
# by its own. LIBOUT: where the library is.
. "$(dirname "$0")/tap_support.sh"
library=${LIBOUT:-lib}/libtgrmoe.a

# Tests walk through all rows of the table of kernels; the library takes one.
exceptions='tgr_kernels_row'

nm "$library" 2>/dev/null | awk 'NF == 3 && $2 ~ /^[TDRB]$/ && $3 ~ /^tgr_/ { print $3 }' | sort -u >"$folder/defined"
nm "$library" 2>/dev/null | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u >"$folder/used"
cat include/tgrmoe/*.h | tr '\n' ' ' | grep -o 'TGR_API [^;{]*(' | sed 's/ *($//; s/(.*//' | grep -o 'tgr_[a-z0-9_]*$' |
    sort -u >"$folder/public"
find src -name '*.[ch]' -exec cat {} + | grep -o 'tgr_[a-z0-9_]*' | sort | uniq -c >"$folder/mentions"
find test -name '*.[ch]' -exec cat {} + | grep -o 'tgr_[a-z0-9_]*' | sort -u >"$folder/tests"

# A name that no other file refers to: tests must, and its own file besides the definition and the declaration.
sort -u "$folder/used" "$folder/public" | comm -23 "$folder/defined" - | while read -r name; do
    if echo "$exceptions" | grep -qw "$name"; then continue; fi
    mentions=$(awk -v name="$name" '$2 == name { print $1 }' "$folder/mentions")
    if ! grep -qx "$name" "$folder/tests"; then
        echo "$name: no other file uses it"
    elif [ "$mentions" -lt 3 ]; then
        echo "$name: only tests use it"
    fi
done >"$folder/unused"
[ -s "$folder/defined" ] && [ -s "$folder/used" ] && [ ! -s "$folder/unused" ]
report $? "every inner function is used" "$folder/unused"
plan
