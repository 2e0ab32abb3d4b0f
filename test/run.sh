#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every test program and script, each printing TAP, and closes with "N passed, N failed".
# BUILD: the build folder. LIBOUT: where the libraries are. WRAPPER: put before each test program (valgrind).
BUILD=${BUILD:-build}
export BUILD LIBOUT="${LIBOUT:-lib}"
# A build of our own may not lead the dynamic linker to an installed library.
export LD_LIBRARY_PATH="$LIBOUT${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# run NAME COMMAND...: counts "ok" and "not ok" lines; a command that fails without a "not ok" line counts as one failure.
# What a machine cannot test is skipped, which cmocka writes as "not ok 3 # SKIP name".
run() {
    name=$1
    shift
    CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$log" 2>&1
    status=$?
    good=$(grep -c '^ok ' "$log")
    skipped=$(grep -c '^not ok [0-9]* # SKIP ' "$log")
    bad=$(($(grep -c '^not ok ' "$log") - skipped))
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((good + skipped)) -eq 0 ]; }; then
        bad=1
    fi
    if [ "$bad" -ne 0 ]; then
        printf 'FAIL %s (exit %s)\n' "$name" "$status"
        tail -n 60 "$log"
    else
        [ "$skipped" -eq 0 ] && skipped='' || skipped=", $skipped skipped"
        printf 'ok   %-28s %4s passed%s\n' "$name" "$good" "$skipped"
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

for program in "$BUILD"/test/test_*; do
    case $program in *.*) continue ;; esac
    # shellcheck disable=SC2086
    run "$(basename "$program")" $WRAPPER "$program"
done
for script in test/test_*.sh; do
    [ -n "$WRAPPER" ] || run "$(basename "$script")" sh "$script"
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
