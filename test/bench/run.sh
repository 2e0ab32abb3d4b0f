#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the benchmarks, with the options given (see bench_support.h). Tables appear as they are measured; every line of
# them is also a JSON object in $BUILD/bench/results.jsonl.
set -e
BUILD=${BUILD:-build}
results=$BUILD/bench/results.jsonl
: >"$results"
for name in step methods layer latency scaling kernels attention dispatch gemm read; do
    "$BUILD/bench/bench_$name" "$@" >>"$results"
done
echo "$(wc -l <"$results") results in $results"
