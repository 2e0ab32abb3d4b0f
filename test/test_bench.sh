#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks run, at small sizes, and every line that they write is a JSON object with the fields that are promised.
. "$(dirname "$0")/tap_support.sh"

# Lines on stdin: objects with the fields given, which are numbers or texts. No step after the first allocates.
cat >"$folder/lines.c" <<'LINES'
#include <cjson/cJSON.h>
#include <stdio.h>
int main(int argc, char **argv) {
    static char line[65536];
    int lines = 0, wrong = 0;
    for (; fgets(line, sizeof line, stdin); lines++) {
        cJSON *object = cJSON_Parse(line);
        int good = cJSON_IsObject(object);
        for (int i = 1; i < argc; i++) {
            const cJSON *field = cJSON_GetObjectItem(object, argv[i]);
            good = good && (cJSON_IsNumber(field) || cJSON_IsString(field));
        }
        const cJSON *allocations = cJSON_GetObjectItem(object, "allocs_per_step");
        good = good && (!allocations || allocations->valuedouble == 0);
        if (!good) printf("# %s", line);
        wrong += !good;
        cJSON_Delete(object);
    }
    return lines == 0 || wrong > 0;
}
LINES
sanitizer=${SANITIZE:+-fsanitize=$SANITIZE}
# shellcheck disable=SC2086
${CC:-cc} $sanitizer "$folder/lines.c" -lcjson -o "$folder/lines"
report $? "a reader of lines compiles"

# bench NAME "FIELDS" OPTIONS...: the program runs, and its lines have those fields.
bench() {
    name=$1 fields=$2
    shift 2
    "$BUILD/bench/bench_$name" --seconds 0 "$@" >"$folder/$name" 2>"$folder/table"
    report $? "bench_$name runs"
    # shellcheck disable=SC2086
    "$folder/lines" name config threads ms $fields <"$folder/$name"
    report $? "bench_$name's lines are JSON with name, config, threads, ms $fields"
    [ "$(grep -c . "$folder/table")" -gt "$(wc -l <"$folder/$name")" ]
    report $? "bench_$name has a table with a row for each line"
}
timing="gflops fma_peak_gflops mfu"
small="--set depth=2 --set moe_blocks=2"
bench step "kernels $timing img_per_s bytes_peak allocs_per_step speedup" --only F $small
bench methods "kernels $timing ratio allocs_per_step" --only F $small
bench layer "$timing ratio" --only zipf --set mlp_ratio=0.1
bench latency "kernels $timing allocs_per_step" --only T --set image_size=32 $small
bench scaling "kernels $timing ratio growth" --only threads --set image_size=32
bench kernels "kernels elements_per_ns gb_per_s gflops fma_peak_gflops share_of_bound" --only gelu
bench dispatch "elements_per_ns gb_per_s share_of_bound"
bench gemm "kernels blis_gflops gflops fma_peak_gflops mfu job_gflops" --only tn
bench attention "kernels $timing"
FASHION_MNIST=$folder/none "$BUILD/bench/bench_read" >"$folder/read" 2>&1 && grep -q 'there is no' "$folder/read"
report $? "bench_read says so when there are no data"

printf 'train\nmemory\ninfer\n' | "$BUILD/bench/bench_step" --serve --only F $small >"$folder/served"
report $? "bench_step serves steps"
head -n 1 "$folder/served" | "$folder/lines" name threads batch forward_flops
report $? "and says what it serves"
awk 'NR > 1 && !($1 + 0 > 0) { wrong = 1 } END { exit !(NR == 4 && !wrong) }' "$folder/served"
report $? "and answers every line with a number above 0"
if command -v python3 >/dev/null 2>&1; then
    python3 -I -S test/bench/peer.py --ours "$BUILD/bench/bench_step" >"$folder/peer" && grep -q 'no PyTorch' "$folder/peer"
    report $? "the comparison says so where there is no PyTorch"
fi
plan
