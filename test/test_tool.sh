#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool from end to end, on small made-up data.
. "$(dirname "$0")/tool_support.sh"
mkdir data
(cd data && idx train 50 && idx t10k 24)
sizes="--data data --batch 8 --probe 10 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=2"
sizes="$sizes --set moe_blocks=1,2 --set experts=4"
# shellcheck disable=SC2086
train() { "$tool" train $sizes "$@"; }

check "a dense teacher trains" train --method dense --epochs 3 --lr 0.01 --save teacher.tgr
check "eval" "$tool" eval --data data --model teacher.tgr --logits logits.f32
check "logits are float32 [24, 4]" test "$(wc -c <logits.f32)" -eq 384
refuse 1 "no MoE layer" "a dense model has no routing" "$tool" eval --data data --model teacher.tgr --routing r.i32

# A student over 3 epochs of 6 steps: paused in the middle of the second, then resumed, at 1 and at 2 threads.
guide="--method tgr --teacher teacher.tgr --seed 5"
# shellcheck disable=SC2086
{
check "a student trains" train $guide --epochs 3 --threads 1 --save whole.tgr --json whole.json
check "the same at 2 threads" train $guide --epochs 3 --threads 2 --save two.tgr
check "1 and 2 threads: the same bytes" cmp whole.tgr two.tgr
refuse 1 "planned\|total_steps" "an end past the plan" train $guide --resume whole.tgr --steps 30
train $guide --steps 8 --set total_steps=18 --threads 2 --save half.tgr --json half.json >/dev/null 2>&1
cp half.tgr kept.tgr
check "resume at 1 thread" train $guide --steps 18 --threads 1 --resume half.tgr --save rest.tgr --json half.json
check "paused and resumed: the same bytes" cmp whole.tgr rest.tgr
check "resume at 2 threads without saying where to end" train $guide --threads 2 --resume half.tgr --save half.tgr
check "saved over the file that it came from: the same bytes" cmp whole.tgr half.tgr
train $guide --steps 7 --threads 1 --save constant.tgr >/dev/null 2>&1
check "resume a run with --steps alone" train $guide --steps 13 --resume constant.tgr --save later.tgr
check "its uninterrupted twin" train $guide --steps 13 --save straight.tgr
check "with --steps alone: the same bytes" cmp straight.tgr later.tgr
check "save-every, in order" train $guide --steps 13 --save-every 4 --no-shuffle --save every.tgr
check "guidance window" train $guide --steps 13 --set guidance_end=0.5 --save window.tgr
check "frozen teacher router, no cache" train $guide --epochs 1 --set teacher_router=frozen --set teacher_cache_mb=0
check "without the teacher cache" train $guide --epochs 3 --set teacher_cache_mb=0 --save uncached.tgr
check "cache or not: the same logits" sh -c "$tool eval --data data --model whole.tgr --logits a.f32 &&
    $tool eval --data data --model uncached.tgr --logits b.f32 && cmp a.f32 b.f32"
check "stochastic gradient descent" train --method vmoe --optimizer sgd --epochs 1 --save sgd.tgr
# Two steps on the same eight images, and two on sixteen.
train --method dense --steps 2 --no-shuffle --limit 8 --save same.tgr >/dev/null 2>&1
train --method dense --steps 2 --no-shuffle --limit 16 --save next.tgr >/dev/null 2>&1
check "the second batch has other images" sh -c "$tool eval --data data --model same.tgr --logits a.f32 &&
    $tool eval --data data --model next.tgr --logits b.f32 && ! cmp a.f32 b.f32"
check "a batch larger than the set" train --method vmoe --batch 128 --epochs 2 --limit 20
}

check "routing is int32 [2 layers, 24 * 5 tokens]" sh -c "$tool eval --data data --model whole.tgr --routing r.i32 &&
    test \$(wc -c <r.i32) -eq 960"
# With one expert for each token and no limit, the first choices of a layer are its load.
"$tool" eval --data data --model whole.tgr | sed -n 's/^load of MoE layer .: //p' >load.printed
od -An -v -t d4 -w480 r.i32 | awk '{ split("", n); for (i = 1; i <= NF; i++) n[$i]++
    printf "%.4f %.4f %.4f %.4f\n", n[0] / NF, n[1] / NF, n[2] / NF, n[3] / NF }' >load.counted
check "the routing file and the printed load agree" cmp load.printed load.counted
check "eval with a limit and the oracle" "$tool" eval --data data --model whole.tgr --limit 7 --oracle teacher.tgr
for field in method seed epoch step loss loss_task loss_distill loss_teacher loss_aux top1 adjacent_consistency load \
             load_cv entropy dropped dead_experts img_per_s sec; do
    check "each epoch has $field" test "$(grep -c "\"$field\":" whole.json)" -ge 3
done
for field in final top1 final_consistency params active_params peak_rss_mb; do
    check "the last line has $field" sh -c "tail -n 1 whole.json | grep -q '\"$field\":'"
done
check "a line for each epoch and one more" test "$(wc -l <whole.json)" -eq 4
check "the first epoch has no neighbour" sh -c "head -n 1 whole.json | grep -q '\"adjacent_consistency\":null'"
check "a resumed record has no epoch twice" test "$(grep -c '"epoch":' half.json)" -eq 3
sed 's/,"img_per_s.*//; s/"params.*//' whole.json >whole.lines
sed 's/,"img_per_s.*//; s/"params.*//' half.json >half.lines
check "a resumed record says the same" cmp whole.lines half.lines
check "info" sh -c "$tool info whole.tgr | grep -q 'step 18'"
check "info shows options" sh -c "$tool info whole.tgr | grep -q 'embed_dim=16'"
check "options" sh -c "$tool options | grep -q capacity_factor"
check "options in Markdown" sh -c "$tool options --markdown | grep -q '^| .guidance_start. |'"
for command in train eval info options report; do check "$command --help" "$tool" $command --help; done
check "help of train lists the keys" sh -c "$tool train --help | grep -q teacher_layers"
check "report" sh -c "$tool report whole.json half.json --svg plot.svg | grep -q '^whole  *tgr '"
check "the plot is closed and has lines" sh -c "grep -q '</svg>' plot.svg && test \$(grep -c '<path' plot.svg) -ge 4"
check "init takes what fits" sh -c "$tool train --data data --batch 8 $sizes --method vmoe --set classes=6 --init whole.tgr \
    --steps 1 2>&1 | grep -q 'the head is fresh, for 6 classes instead of 4'"

# A student whose experts are its dense teacher's FFNs: at a rate of 0 its logits stay those of the teacher.
upcycle="--teacher teacher.tgr --init teacher.tgr --set upcycle=1"
# shellcheck disable=SC2086
{
check "upcycling with guidance" train --method tgr $upcycle --steps 1 --lr 0 --save upcycled.tgr
check "upcycling renormalises gates" sh -c "$tool info upcycled.tgr | grep -q 'renormalize=1'"
"$tool" eval --data data --model upcycled.tgr --logits u.f32 >/dev/null 2>&1
for file in logits u; do od -An -v -t f4 -w4 $file.f32 >$file.text; done
check "an upcycled student says what its parent says" sh -c "paste logits.text u.text | awk '
    { gap = \$1 - \$2; if (!(gap < 1e-4 && gap > -1e-4)) bad = 1 } END { exit bad || NR != 96 }'"
check "with the optimizer's moments" train --method tgr $upcycle --init-optimizer --steps 4 --save moments.tgr
train --method tgr $upcycle --init-optimizer --steps 2 --save paused.tgr >/dev/null 2>&1
check "resume an upcycled run" train --method tgr --teacher teacher.tgr --steps 4 --resume paused.tgr --save paused.tgr
check "resumed after upcycling: the same bytes" cmp moments.tgr paused.tgr
refuse 2 "upcycle=1 needs --init" "upcycling from nothing" train --method vmoe --steps 1 --set upcycle=1
refuse 2 "needs --init" "moments from nowhere" train --method vmoe --steps 1 --init-optimizer
refuse 2 "needs --set upcycle=1" "moments alone" train --method vmoe --steps 1 --init teacher.tgr --init-optimizer
refuse 1 "1 x 1 x 24; it cannot be copied from" "upcycling from other sizes" train --method vmoe --steps 1 --init teacher.tgr \
    --set upcycle=1 --set embed_dim=24
refuse 1 "2 blocks with experts" "upcycling from a sparse model" train --method vmoe --steps 1 --init whole.tgr --set upcycle=1
refuse 1 "optimizer=adamw" "moments of another optimizer" train --method vmoe --steps 1 --init teacher.tgr \
    --set upcycle=1 --init-optimizer --optimizer sgd
}

refuse 2 "there is no command 'fly'$" "unknown command" "$tool" fly
refuse 2 "there is no command 'trian'; did you mean train?" "misspelt command" "$tool" trian
refuse 2 "train: there is no flag --epohcs=2; did you mean --epochs?" "misspelt flag" "$tool" train --epohcs=2
refuse 2 "eval: there is no flag --epochs$" "flag of another command" "$tool" eval --epochs 2
refuse 2 "options: --markdown takes no value" "value for a switch" "$tool" options --markdown=1
refuse 1 "tgr_config_set: there is no option 'expert'; did you mean 'experts'?" "misspelt key" \
    train --method vmoe --epochs 1 --set expert=4
refuse 1 "tgr_config_set: method is 'vmeo'; it must be one of dense|.*; did you mean 'vmoe'?" "misspelt method" \
    train --method vmeo --epochs 1
refuse 2 "tgrmoe train" "no command" "$tool"
refuse 2 "no flag --fly" "unknown flag" train --fly
refuse 2 "needs a value" "flag without its value" train --method
refuse 2 "whole number" "epochs that are no number" train --method vmoe --epochs two
refuse 2 "exclude" "epochs and steps" train --method vmoe --epochs 1 --steps 1
refuse 2 "missing" "neither epochs nor steps" train --method vmoe
refuse 2 "method is missing" "no method" train --epochs 1
refuse 2 "needs --teacher" "a student without teacher" train --method tgr --epochs 1
check "a teacher guides any softmax router" train --method switch --teacher teacher.tgr --epochs 1
refuse 2 "hash cannot be guided" "a teacher, but no softmax router" train --method hash --teacher teacher.tgr --epochs 1
refuse 1 "'dense' does not use it; these do: vmoe" "an option that is not used" train --method dense --set z_weight=4 --epochs 1
refuse 1 "no option 'fly'" "unknown key" train --method vmoe --epochs 1 --set fly=1
refuse 1 "experts is" "value out of range" train --method vmoe --epochs 1 --set experts=0
refuse 1 "method is 'fly'" "unknown method" train --method fly --epochs 1
refuse 1 "image_size is 9" "another image size" train --method vmoe --epochs 1 --set image_size=9
refuse 1 "no such folder" "missing data" "$tool" train --data nowhere --method vmoe --epochs 1
refuse 1 "nowhere.tgr" "missing teacher" train --method tgr --teacher nowhere.tgr --epochs 1
refuse 1 "nowhere/f.tgr" "a folder that is not there" train --method vmoe --steps 1 --save nowhere/f.tgr
refuse 1 "nowhere" "a record that cannot be written" train --method vmoe --steps 1 --json nowhere/f.json
refuse 1 "whole.json" "a foreign file as a model" "$tool" eval --data data --model whole.json
head -c 1000 whole.tgr >cut.tgr
refuse 1 "cut.tgr" "a truncated file" "$tool" info cut.tgr
refuse 1 "line 1" "a report of something else" "$tool" report data/train-labels-idx1-ubyte
refuse 1 "no tensor" "init from a model of other sizes" "$tool" train --data data --method dense --set embed_dim=24 \
    --set heads=3 --set depth=1 --set patch_size=2 --set classes=5 --init teacher.tgr --epochs 1
# shellcheck disable=SC2086
{
refuse 1 "seed is 6" "another seed" train --method tgr --teacher teacher.tgr --seed 6 --resume kept.tgr --save no.tgr
refuse 1 "batch is 4" "another batch" train $guide --batch 4 --resume kept.tgr
refuse 1 "method is vmoe" "another method" train --method vmoe --resume kept.tgr
refuse 1 "lr is" "another learning rate" train $guide --lr 0.5 --resume kept.tgr
refuse 1 "training images is 40" "another limit" train $guide --limit 40 --resume kept.tgr
refuse 1 "no-shuffle" "another order" train $guide --no-shuffle --resume kept.tgr
refuse 1 "is not the teacher" "another teacher" train --method tgr --teacher whole.tgr --resume kept.tgr
refuse 1 "probe" "another probe" train $guide --probe 11 --resume kept.tgr
refuse 1 "std is 0.5" "another normalisation" train $guide --std 0.5 --resume kept.tgr
}
check "nothing was written for a refused run" test ! -e no.tgr
refuse 1 "no tensor\|stopped after step" "a rate that explodes" train --method dense --steps 60 --optimizer sgd --lr 1000 \
    --set schedule=constant --save-every 1 --save last.tgr
check "the last good file is whole" "$tool" info last.tgr
echo "1..$number"
