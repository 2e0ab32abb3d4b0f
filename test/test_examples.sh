#!/bin/sh
# SPDX-License-Identifier: MIT
# Every numbered example runs and finds what it expects.
. "$(dirname "$0")/tap_support.sh"

for source in examples/[0-9]*.c examples/[0-9]*.cpp; do
    name=$(basename "${source%.*}")
    program=$(cd "$BUILD/examples" && pwd)/$name
    mkdir "$folder/$name"
    (cd "$folder/$name" && "$program") >"$folder/log" 2>&1
    report $? "example $name" "$folder/log"
done
plan
