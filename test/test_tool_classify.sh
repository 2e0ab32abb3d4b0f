#!/bin/sh
# SPDX-License-Identifier: MIT
# tgrmoe classify says of each photograph what eval says, whatever file the model is in and however many threads there are.
images=$(cd test/golden/images && pwd)
. "$(dirname "$0")/tool_support.sh"
for set in train val; do
    mkdir -p data/$set/bird data/$set/cat data/$set/dog
    for class in bird:2 cat:3 dog:4; do
        for i in 0 1 2; do
            cp "$images/evaluated_$((i * 4 + ${class#*:} - 2)).png" "data/$set/${class%:*}/$i.png"
        done
    done
    cp "$images/jpeg_420.jpg" data/$set/dog
done
sizes="--set image_size=32 --set patch_size=16 --set embed_dim=16 --set heads=2 --set depth=2 --set moe_blocks=2"
# shellcheck disable=SC2086
check "a model of photographs" "$tool" train --data data --method vmoe --batch 4 --epochs 12 --lr 0.01 $sizes --save student.tgr
check "its logits" "$tool" eval --data data --model student.tgr --logits logits.f32
"$tool" export student.tgr student.safetensors >/dev/null

# The best of three logits on each line, as eval has them; the first word of each answer.
od -An -v -tf4 -w12 logits.f32 | awk '{ best = 1; for (i = 2; i <= 3; i++) if ($i > $best) best = i
                                        print best == 1 ? "bird" : best == 2 ? "cat" : "dog" }' >expected
classify() { "$tool" classify "$@" data/val/*/*; }
check "photographs are classified" sh -c "$tool classify student.tgr data/val/*/* >one"
cut -d' ' -f2 one >first
check "as eval says" cmp expected first
check "with probabilities that sum to one" sh -c "sed 's/[^(]*(//; s/%[^(]*(/+/g; s/%.*//' one |
    awk -F+ '{ if (\$1 + \$2 + \$3 < 99.97 || \$1 + \$2 + \$3 > 100.03) exit 1 }'"
for threads in 1 2 7; do
    classify student.tgr --threads $threads >several
    check "the same at $threads threads" cmp one several
done
classify student.safetensors >several
check "the same from safetensors" cmp one several
check "by a whole path" sh -c "$tool classify student.tgr $folder/data/val/dog/0.png | grep -q dog/0.png:"

refuse 2 "at least one image" "no image" "$tool" classify student.tgr
refuse 1 "nowhere" "no model" "$tool" classify nowhere.tgr data/val/dog/0.png
refuse 1 "broken_cut.png" "a damaged image" "$tool" classify student.tgr "$images/broken_cut.png" data/val/dog/0.png
cp log said
check "the others are classified" grep -q "data/val/dog/0.png: " said
(mkdir digits && cd digits && idx train 16 && idx t10k 8)
"$tool" train --data digits --method dense --steps 2 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=1 \
    --save grey.tgr >/dev/null 2>&1
check "a model of grey images takes photographs" sh -c "$tool classify grey.tgr data/val/dog/0.png | grep -q ': [0-9] ('"
plan
