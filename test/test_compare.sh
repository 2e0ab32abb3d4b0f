#!/bin/sh
# SPDX-License-Identifier: MIT
# tgrmoe compare on small made-up data: a plan of runs, interrupted and gone on with, the page and the CSV.
. "$(dirname "$0")/tool_support.sh"
mkdir data
(cd data && idx train 80 && idx t10k 24)
sizes="--data data --batch 8 --probe 10 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=2"
sizes="$sizes --set moe_blocks=1,2 --set experts=4"
# shellcheck disable=SC2086
compare() { "$tool" compare $sizes "$@"; }
# Column NAME of the CSV $1, without the header; no text in it has a comma.
column() {
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }' "$1"
}
# The numbers of all runs but the times, which differ.
numbers() {
    cut -d, -f1-13 "$1/report.csv"
}

check "two methods, two seeds" compare --epochs 2 --methods vmoe,tgr --seeds 2 --out whole
check "a teacher for each seed, and four students" test "$(cat whole/runs/*.json | grep -c '"final":true')" -eq 6
check "a row for each method, seed and epoch" test "$(wc -l <whole/report.csv)" -eq 9
check "a row for each method in Markdown, mean and deviation" test "$(grep -cE '^[|] (vmoe|tgr) [|] [0-9.]+( ± [0-9.]+)? [|] [0-9.]+ ± ' whole/report.md)" -eq 2
check "accuracies are numbers" sh -c "cut -d, -f7 whole/report.csv | tail -n +2 | grep -c '^[0-9.]*\$' | grep -qx 8"
check "models that are no longer needed are gone" test ! -e whole/runs/tgr-s1.tgr
check "teachers are kept" test -e whole/runs/dense-s2.tgr
for field in section row method seed experts epoch epoch_top1 epoch_adjacent_consistency epoch_final_consistency \
             epoch_fluctuating run_top1 run_adjacent run_final run_load_cv run_dropped run_images_per_second \
             run_parameters run_active_parameters final_load; do
    check "the CSV has $field" sh -c "head -n 1 whole/report.csv | tr , '\n' | grep -qx $field"
done
check "the seeds" test "$(column whole/report.csv seed | sort -u | tr '\n' ' ')" = "1 2 "
check "agreements are shares" sh -c "tail -n +2 whole/report.csv | awk -F, '\$16 > 1 || \$16 == \"\" { bad = 1 } END { exit bad }'"
check "the page is closed" grep -q '</html>' whole/report.html
check "nothing comes from elsewhere" sh -c "! grep -E 'src=|href=|@import|url\(|<script' whole/report.html"
check "six figures and two heat maps" test "$(grep -c '</svg></figure>\|</svg>$' whole/report.html)" -ge 8
check "again: nothing is trained" sh -c "! $tool compare $sizes --epochs 2 --methods vmoe,tgr --seeds 2 --out whole |
    grep '^epoch'"
refuse 1 "other settings" "another learning rate in the same folder" compare --epochs 2 --lr 0.5 --methods vmoe,tgr \
    --seeds 2 --out whole

# Interrupted again and again, at whatever it does then, until it ends.
tries=0
while [ $tries -lt 200 ]; do
    # shellcheck disable=SC2086
    "$tool" compare $sizes --epochs 2 --methods vmoe,tgr --seeds 2 --out parts >log 2>&1 &
    process=$!
    sleep 0.0$((tries % 9 + 1))$((tries * 7 % 10))
    kill -KILL "$process" 2>/dev/null || break
    wait "$process" 2>/dev/null
    tries=$((tries + 1))
done
wait "$process" 2>/dev/null
check "it was interrupted a few times ($tries)" test $tries -gt 2
check "and ends" compare --epochs 2 --methods vmoe,tgr --seeds 2 --out parts
numbers whole >whole.numbers
numbers parts >parts.numbers
check "interrupted or not: the same numbers" cmp whole.numbers parts.numbers

# A run that stopped in the middle, with what it left there.
mkdir -p half/runs
# shellcheck disable=SC2086
"$tool" train $sizes --method vmoe --seed 1 --set total_steps=20 --steps 10 --save half/runs/vmoe-s1.tgr \
    --json half/runs/vmoe-s1.json >log 2>&1
sed -i '$d' half/runs/vmoe-s1.json
check "a run that stopped is resumed" sh -c "$tool compare $sizes --epochs 2 --methods vmoe --seeds 1 --out half >half.log"
check "from its second epoch" test "$(grep '^epoch' half.log | cut -c1-8)" = "epoch 2 "
check "to the same numbers" sh -c "grep '^.methods.,.vmoe.,vmoe,1,' whole.numbers >one &&
    cut -d, -f1-13 half/report.csv | tail -n +2 | cmp - one"
# shellcheck disable=SC2086
"$tool" compare $sizes --epochs 4000 --methods vmoe --seeds 1 --out long >log 2>&1 &
process=$!
tries=0
while [ ! -e long/runs/vmoe-s1.tgr ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$process"
wait "$process" 2>/dev/null
check "it is saved long before its end" sh -c "test -e long/runs/vmoe-s1.tgr && ! grep -q final.:true long/runs/vmoe-s1.json"

# Everything at once, on one seed.
check "sweep and ablations" compare --epochs 2 --methods dense,vmoe,tgr --seeds 1 --sweep experts=2,4 --sweep-methods vmoe --seed 7 \
    --ablation guidance-window,teacher-layer,oracle,distill-only,finetune --out all
check "the sweep has its numbers of experts" test "$(grep '^"sweep"' all/report.csv | cut -d, -f5 | sort -u | tr '\n' ' ')" = "2 4 "
check "of the methods asked for" sh -c "! grep '^.sweep' all/report.csv | grep tgr"
check "the usual number is not trained twice" test ! -e all/runs/vmoe-experts=4-s7.json
for name in guidance-window teacher-layer oracle distill-only finetune; do
    check "ablation $name has rows" test "$(grep -c "^\"$name\"" all/report.csv)" -ge 2
done
check "guidance that never was has no distillation" sh -c "grep -q '\"loss_distill\":0,' all/runs/tgr-guidance_end=0-s7.json"
check "fine-tuning knows what it started from" grep -q init_consistency all/runs/tgr-labels2-3-finetuned-s7.json
check "fine-tuning sees the other labels" grep -q -e '--labels 2-3' all/runs/tgr-labels2-3-finetuned-s7.command
check "and its guidance continues where it was" grep -q -e '--init all/runs/tgr-labels0-1-s7.tgr' \
    all/runs/tgr-labels2-3-finetuned-s7.command
check "the oracle is an evaluation" test "$(wc -l <all/runs/tgr-oracle-s7.json)" -eq 1
check "fine-tuning on other data" compare --epochs 1 --methods vmoe --seeds 1 --ablation finetune --finetune-data data --out other
check "guided and upcycled names" sh -c "$tool compare --help | grep -q upcycled"

refuse 2 "no method 'fly'" "an unknown method" compare --epochs 1 --methods vmoe,fly --out no
refuse 2 "neither +guided" "an unknown addition" compare --epochs 1 --methods vmoe+fly --out no
refuse 2 "no 'fly'" "an unknown ablation" compare --epochs 1 --ablation fly --out no
refuse 2 "experts=N" "a sweep of something else" compare --epochs 1 --sweep depth=3 --out no
refuse 2 "must be at least 1" "a sweep without numbers" compare --epochs 1 --sweep experts=4,x --out no
refuse 2 "out is missing" "no folder" compare --epochs 1
refuse 2 "epochs is missing" "no epochs" compare --out no
refuse 1 "fly" "an unknown option" compare --epochs 1 --set fly=1 --out no
check "a refused comparison writes nothing" test ! -e no
refuse 1 "log" "a file in place of the folder" compare --epochs 1 --methods dense --seeds 1 --out log
echo "1..$number"
