#!/bin/sh
# SPDX-License-Identifier: MIT
# Every numbered example runs and finds what it expects.
number=0
for source in examples/[0-9]*.c examples/[0-9]*.cpp; do
    number=$((number + 1))
    name=$(basename "${source%.*}")
    folder=$(mktemp -d)
    program=$(cd "$BUILD/examples" && pwd)/$name
    if output=$(cd "$folder" && "$program" 2>&1); then
        echo "ok $number - example $name"
    else
        echo "not ok $number - example $name"
        echo "$output" | sed 's/^/# /'
    fi
    rm -rf "$folder"
done
echo "1..$number"
