#!/bin/sh
# SPDX-License-Identifier: MIT
# tgrmoe finetune as a user has it: from a file that timm wrote and a folder of photographs to a student that classifies.
goldens=$(cd test/golden && pwd)
script=$(cd examples && pwd)/finetune.sh
. "$(dirname "$0")/tool_support.sh"

# Three classes: four crops of each of twelve images, so that a tiny model can learn by heart which is whose.
label=0
for class in ant bee cow; do
    mkdir -p photos/$class
    for i in 0 1 2 3; do
        from=$goldens/images/evaluated_$((4 * label + i)).png
        for copy in a b c; do cp "$from" photos/$class/$i$copy.png; done
    done
    cp "$goldens/images/jpeg_$([ $label = 0 ] && echo 420 || echo 444).jpg" photos/$class/jpeg.jpg
    label=$((label + 1))
done
timm=$goldens/timm_deit3.safetensors
quick="--data photos --held-out 0.3 --batch 6 --threads 1 --probe 9 --augment none --lr 0.003"

refuse 1 "no shape tells the number of heads" "a file that does not tell the heads" "$tool" finetune "$timm" --data photos
"$tool" import "$timm" dense.tgr --set heads=3 --set image_size=32 >/dev/null
"$tool" export dense.tgr dense.safetensors >/dev/null

# A dense model becomes a student: upcycled, guided by itself, prepared as its file says.
# shellcheck disable=SC2086
check "a dense file is fine-tuned" "$tool" finetune dense.safetensors $quick --epochs 6 --set experts=4 --json run.json \
    --save student.tgr
cp log said
check "says what it does" grep -q "fine-tuned with method tgr, blocks 2, 4 experts, 1 for a token, guided by dense" said
check "says how good it was" grep -q "^before training  top-1 [0-9.]* %$" said
check "says what routing is kept" grep -q "^routing kept: [0-9.]* % of tokens go where they went after the first epoch: block 2" said
check "says how good it is" grep -q "^top-1 [0-9.]* % after step " said
check "learns" sh -c "grep '\"epoch\"' run.json | sed 's/.*\"loss_task\":\\([0-9.]*\\).*/\\1/' |
    awk 'NR == 1 { first = \$1 } { last = \$1 } END { exit !(last < 0.8 * first) }'"
check "guidance is on" sh -c "sed -n 1p run.json | grep -q '\"loss_distill\":[0-9.]*[1-9]'"
check "the student is what was said" sh -c "$tool info student.tgr >info; for line in method=tgr experts=4 moe_blocks=2 \
    classes=3 renormalize=1 upcycle=1 position_cls=0 lr=0.003 clip_norm=1; do grep -qx \"  \$line\" info || exit 1; done"
# shellcheck disable=SC2086
"$tool" finetune dense.tgr $quick --epochs 6 --set experts=4 --save other.tgr >/dev/null 2>&1
"$tool" export student.tgr student.safetensors >/dev/null
"$tool" export other.tgr other.safetensors >/dev/null
check "from a checkpoint: the same student" cmp student.safetensors other.safetensors

# What its shapes do not tell can be said at once, and holds for the student and its teacher.
# shellcheck disable=SC2086
check "heads on the command line" "$tool" finetune "$timm" $quick --epochs 6 --set experts=4 --set heads=3 \
    --set image_size=32 --save said.tgr
"$tool" export said.tgr said.safetensors >/dev/null
check "the same student as of a file that says so" cmp student.safetensors said.safetensors

# Classes have names wherever the student is.
"$tool" import student.safetensors back.tgr >/dev/null
"$tool" classify student.tgr photos/*/0a.png >expected
check "classes have names" sh -c "grep -c ': ant (\\|: bee (\\|: cow (' expected | grep -qx 3"
for model in student.safetensors back.tgr; do
    "$tool" classify $model photos/*/0a.png >answers
    check "$model classifies as the student does" cmp expected answers
done

# A student goes on with other photographs, and keeps its routing.
mkdir more
cp -r photos/ant more/dog
cp -r photos/cow more/elk
refuse 2 "was guided; name its dense --teacher" "a student without its teacher" "$tool" finetune student.tgr --data more
# shellcheck disable=SC2086
check "a student is fine-tuned" "$tool" finetune student.tgr $quick --data more --teacher dense.safetensors --epochs 2 \
    --save on.tgr
cp log said
check "with the sizes that it has" grep -q "method tgr, blocks 2, 4 experts, 1 for a token, guided by dense" said
check "says what it kept from before" grep -q "^routing kept: [0-9.]* % of tokens go where they went before training" said
check "most of it" sh -c "sed -n 's/^routing kept: \\([0-9]*\\).*/\\1/p' said | awk '\$1 < 60 || \$1 > 100 { exit 1 }'"
check "the head alone is fresh" sh -c "grep -q 'student.tgr: the head is fresh, for 2 classes instead of 3' said &&
    ! grep -q '^init: .* fresh' said"
# shellcheck disable=SC2086
check "or without guidance" "$tool" finetune student.safetensors $quick --data more --method vmoe --epochs 1 --save free.tgr
cp log said
check "which says so" sh -c "grep 'method vmoe' said | grep -v guided"
# shellcheck disable=SC2086
check "a dense model stays dense when told so" "$tool" finetune dense.tgr $quick --method dense --epochs 1 --save plain.tgr
check "and has no experts" sh -c "$tool info plain.tgr | grep -q '0 MoE layers'"

# Larger images: positions are resampled, the teacher's too, also when a run goes on.
# shellcheck disable=SC2086
check "other images, in part" "$tool" finetune dense.safetensors $quick --steps 5 --set total_steps=9 --set image_size=48 \
    --set experts=2 --save part.tgr
check "and the rest" "$tool" train --resume part.tgr --data photos --held-out 0.3 --threads 1 --teacher dense.safetensors \
    --save part.tgr
cp log said
# shellcheck disable=SC2086
"$tool" finetune dense.safetensors $quick --steps 9 --set total_steps=9 --set image_size=48 --set experts=2 \
    --save whole.tgr >/dev/null 2>&1
check "end with the same bytes" cmp part.tgr whole.tgr
check "and say what routing was kept" grep -q "^routing kept: " said

# With another seed, so that what is not taken over is another one. A student as it was is as good as it was.
for method in vmoe switch stable default soft hash base loss-free dense-train evomoe expert-choice; do
    # shellcheck disable=SC2086
    "$tool" finetune dense.tgr $quick --method $method --steps 4 --set total_steps=4 --set experts=4 --save a.tgr \
        >one.log 2>&1 && "$tool" finetune a.tgr $quick --steps 1 --seed 2 --lr 0 --save b.tgr >two.log 2>&1
    check "$method, and on from there" sh -c "grep -q \"^before training  \$(sed -n 's/^\\(top-1 .* %\\) after.*/\\1/p' one.log)\" two.log ||
        { cat one.log two.log; false; }"
    check "$method: with the routing that it had" sh -c "sed -n 's/^routing kept: \\([0-9]*\\).*/\\1/p' two.log |
        grep -qx '9[0-9]\\|100' || { cat one.log two.log; false; }"
done

# The example is the same in one script.
check "finetune.sh" env TOOL="$tool" OUT=made sh "$script" dense.safetensors photos --steps 2 --batch 6
cp log said
check "it classifies" grep -q "photos/bee/.*: [a-z]* ([0-9.]* %), " said
check "it leaves a student" test -s made/student.safetensors
check "photographs are cropped and flipped unless told otherwise" grep -q "batch 6, lr 0.0001, augmentation crop-flip" said
refuse 2 "safetensors FOLDER" "finetune.sh without files" sh "$script"
refuse 2 "none.safetensors is not a file" "finetune.sh with a model that is not there" sh "$script" none.safetensors photos

refuse 2 "the model to begin from is missing" "no model" "$tool" finetune --data photos
refuse 2 "data is missing" "no data" "$tool" finetune dense.tgr
refuse 2 "'more' is not a flag" "two models" "$tool" finetune dense.tgr more --data photos
refuse 1 "No such file" "a model that is not there" "$tool" finetune none.tgr --data photos
check "finetune --help" "$tool" finetune --help
echo "1..$number"
