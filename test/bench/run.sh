#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the benchmarks: kernels first, then whole training steps at 1 thread and at all.
set -e
BUILD=${BUILD:-build}
for program in "$BUILD"/bench/bench_*; do
    case $program in *bench_step) continue ;; esac
    "$program"
done
"$BUILD/bench/bench_step" 1
[ "$(nproc)" -eq 1 ] || "$BUILD/bench/bench_step" "$(nproc)"
