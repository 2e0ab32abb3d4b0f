#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs every test program and script, each printing TAP, and closes with "N passed, N failed".
# BUILD: the build folder. LIBOUT: where the libraries are. WRAPPER: put before each test program (valgrind).
# TEST: patterns of the tests to run; without it all. LINTED: not empty runs scripts/lint.sh, too.
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
    started=$(date +%s)
    CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - started))
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
        printf 'ok   %-28s %4s passed %4s s%s\n' "$name" "$good" "$seconds" "$skipped"
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

# chosen NAME [NAME]: one of the names fits one of the patterns in TEST.
chosen() {
    [ -n "$TEST" ] || return 0
    for name in "$@"; do
        # A pattern is not to be taken for names of files.
        set -f
        for pattern in $TEST; do
            # shellcheck disable=SC2254
            case $name in $pattern) set +f && return 0 ;; esac
        done
        set +f
    done
    return 1
}

# By the sources: the build folder may still hold a program whose source is gone.
for source in test/test_*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2086
    if chosen "$name"; then run "$name" $WRAPPER "$BUILD/test/$name"; fi
done
for script in test/test_*.sh; do
    name=$(basename "$script")
    if [ -z "$WRAPPER" ] && chosen "$name" "${name%.sh}"; then run "$name" sh "$script"; fi
done
[ -z "$LINTED" ] || run lint sh scripts/lint.sh
if [ $((passed + failed)) -eq 0 ]; then
    echo "no test is called $TEST" >&2
    exit 2
fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
