#!/bin/sh
# SPDX-License-Identifier: MIT
# Augmented training with the tool, on small made-up data.
. "$(dirname "$0")/tool_support.sh"
mkdir data
(cd data && idx train 50 && idx t10k 24)
sizes="--data data --batch 8 --probe 10 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=2"
sizes="$sizes --set moe_blocks=1,2 --set experts=4"
# shellcheck disable=SC2086
train() { "$tool" train $sizes "$@"; }
differ() { ! cmp -s "$1" "$2"; }

train --method dense --steps 4 --save teacher.tgr >/dev/null 2>&1
train --method vmoe --steps 4 --save plain.tgr >/dev/null 2>&1
check "augment none" train --method vmoe --steps 4 --augment none --save none.tgr
check "none changes nothing" cmp plain.tgr none.tgr
for flags in "--augment crop-flip" "--randaugment m9-mstd0.5-inc1" "--color-jitter 0.4" "--erase 0.9" "--mixup 0.8" \
             "--cutmix 1"; do
    # shellcheck disable=SC2086
    check "$flags" train --method vmoe --steps 4 $flags --save one.tgr
    check "$flags changes what is learnt" differ plain.tgr one.tgr
done

# A guided student over 2 epochs of 6 steps, paused inside of the second.
guide="--method tgr --teacher teacher.tgr --seed 5 --augment deit --batch 8"
# shellcheck disable=SC2086
{
check "the recipe of DeiT" train $guide --epochs 2 --threads 1 --save whole.tgr
check "the same at 2 threads" train $guide --epochs 2 --threads 2 --save two.tgr
check "1 and 2 threads: the same bytes" cmp whole.tgr two.tgr
train $guide --steps 7 --set total_steps=12 --save half.tgr >/dev/null 2>&1
check "resume without saying how" train --method tgr --teacher teacher.tgr --resume half.tgr --save rest.tgr
check "paused and resumed: the same bytes" cmp whole.tgr rest.tgr
check "resume and say it again" train $guide --resume half.tgr --save rest.tgr
refuse 1 "augmentation" "resume with another recipe" train $guide --mixup 0.7 --resume half.tgr
refuse 1 "augmentation" "resume a plain run with a recipe" train --method vmoe --augment deit --resume plain.tgr --steps 9
}
check "labels are smoothed" sh -c "$tool info whole.tgr | grep -q 'label_smoothing=0.1'"
check "unless it is set" train --method vmoe --augment deit --set label_smoothing=0 --steps 1 --save sharp.tgr
check "then they are not" sh -c "! $tool info sharp.tgr | grep -q 'label_smoothing=0.1'"

refuse 2 "crop-flip" "no such recipe" train --method vmoe --steps 1 --augment deit3
refuse 2 "^tgrmoe: --randaugment: .foo. is not understood" "no such policy" train --method vmoe --steps 1 --randaugment m9-foo
refuse 2 "it must be 0 to 1$" "a probability above one" train --method vmoe --steps 1 --erase 1.5
refuse 2 "it must be 0 to 1000$" "a negative alpha" train --method vmoe --steps 1 --mixup -1
refuse 2 "cutmix" "no number" train --method vmoe --steps 1 --cutmix a
plan
