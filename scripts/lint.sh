#!/bin/sh
# SPDX-License-Identifier: MIT
# What programs find in the sources without running them; prints TAP. `make lint` runs it, and `make ci`.
#
#   scripts/lint.sh [STEP...]      steps: format tidy cppcheck shell
set -u
cd "$(dirname "$0")/.." || exit 1
processors=$(nproc 2>/dev/null || echo 1)
. test/tap_support.sh

clang_format() {
    find include src examples test scripts \( -name '*.[ch]' -o -name '*.cpp' \) -exec clang-format --dry-run -Werror {} +
}

# What is looked at more closely: the library and the tool.
sources() { find src examples/tgrmoe -name '*.c' | sort; }

# Each file with the flags that it is compiled with.
clang_tidy() {
    "${MAKE:-make}" -s compile_commands.json &&
        sources | xargs -P "$processors" -n 4 clang-tidy --quiet --warnings-as-errors='*' -p .
}

cppcheck_sources() {
    sources | cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability,performance --inline-suppr \
        --suppress=missingIncludeSystem -j "$processors" -Iinclude -Isrc -Iexamples/tgrmoe --file-list=-
}

shell() { find .ci/run scripts examples test \( -name '*.sh' -o -path .ci/run \) -exec shellcheck --severity=warning {} +; }

[ $# -gt 0 ] || set -- format tidy cppcheck shell
for step in "$@"; do
    case $step in
        format) check "clang-format" clang_format ;;
        tidy) check "clang-tidy" clang_tidy ;;
        cppcheck) check "cppcheck" cppcheck_sources ;;
        shell) check "shellcheck" shell ;;
        *) echo "$0: there is no step $step" >&2; exit 2 ;;
    esac
done
plan
