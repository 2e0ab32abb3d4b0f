#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool with safetensors files: import, export, info, and everywhere else where a model's file is named.
goldens=$(cd test/golden && pwd)
. "$(dirname "$0")/tool_support.sh"
mkdir data
(cd data && idx train 50 && idx t10k 24)
sizes="--data data --batch 8 --probe 10 --threads 1 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=2"
sizes="$sizes --set moe_blocks=1,2 --set experts=4"
# shellcheck disable=SC2086
train() { "$tool" train $sizes "$@"; }
# logits MODEL FILE
logits() { "$tool" eval --data data --model "$1" --logits "$2"; }

check "a dense teacher trains" train --method dense --epochs 1 --lr 0.01 --mean 0.3 --std 0.4 --save teacher.tgr
check "export" "$tool" export teacher.tgr teacher.safetensors
check "import" "$tool" import teacher.safetensors again.tgr
"$tool" export again.tgr again.safetensors >/dev/null
check "export again: the same bytes" cmp teacher.safetensors again.safetensors
logits teacher.tgr teacher.f32 >/dev/null
for model in teacher.safetensors again.tgr; do
    logits $model out.f32 >/dev/null
    check "eval of $model: the same logits, so the same preprocessing" cmp teacher.f32 out.f32
done

# As a teacher, and to start from, a safetensors file is as good as the checkpoint.
for from in tgr safetensors; do
    train --method tgr --teacher teacher.$from --epochs 1 --save guided.$from >/dev/null 2>&1
    train --method vmoe --init teacher.$from --set upcycle=1 --epochs 1 --save upcycled.$from >/dev/null 2>&1
    train --method vmoe --init teacher.$from --epochs 1 --save started.$from >/dev/null 2>&1
done
for run in guided upcycled started; do check "$run: the same bytes" cmp $run.tgr $run.safetensors; done
train --method vmoe --init teacher.safetensors --set upcycle=1 --set classes=6 --epochs 1 --save other.tgr >said 2>&1
check "upcycled for other classes" test -s other.tgr
check "says that the head is fresh" grep -q "the head is fresh, for 6 classes instead of 4" said

mv guided.tgr student.tgr
check "a student is exported" "$tool" export student.tgr student.safetensors
check "and imported" "$tool" import student.safetensors back.tgr
logits student.tgr a.f32 >/dev/null
logits back.tgr b.f32 >/dev/null
check "the same logits bit for bit" cmp a.f32 b.f32
train --method tgr --teacher teacher.tgr --init student.safetensors --epochs 1 --save on.tgr >said 2>&1
check "continues with the same teacher" test -s on.tgr
check "says that it has no teacher routers" grep -q "teacher routers are fresh" said
check "in bfloat16" "$tool" export student.tgr half.safetensors --bf16
check "which is smaller" test "$(wc -c <half.safetensors)" -lt "$(wc -c <student.safetensors)"
check "and runs" logits half.safetensors b.f32
check "the oracle is read from safetensors too" "$tool" eval --data data --model student.tgr --oracle teacher.safetensors

check "preprocessing on the command line" "$tool" export student.tgr told.safetensors --mean 0.5 --std 0.25 --crop 0.8 \
    --interpolation bilinear
check "travels" sh -c "$tool import told.safetensors told.tgr && $tool info told.tgr |
    grep -q 'mean=0.5,0.5,0.5 std=0.25,0.25,0.25 crop_pct=0.8 interpolation=bilinear'"
check "one channel, one mean" sh -c "$tool info told.safetensors | grep -qx '  mean: 0.5'"
"$tool" info student.safetensors >said
check "info shows tensors" grep -q 'blocks.0.moe.experts.fc1.weight *F32 *.4, 64, 16.  16384 bytes' said
check "info shows options" grep -qx '  embed_dim=16' said
check "info shows counts" grep -q 'active, 2 MoE layers' said

# Files as timm writes them.
vit=$goldens/timm_vit.safetensors
"$tool" import "$vit" vit.tgr --set heads=3 --set image_size=48 --set classes=7 >said 2>&1
check "timm's file with other heads, images and classes" grep -q "image_size=48, .* heads=3, classes=7" said
check "says what was resampled" grep -q "positions are resampled, for images of 48 pixels instead of 32" said
check "says what is fresh" grep -q "the head is fresh, for 7 classes instead of 5" said
"$tool" import "$vit" vit.tgr --set heads=3 --set image_size=32 --set classes=0 >/dev/null 2>&1
check "no head" sh -c "$tool info vit.tgr | grep -qx '  classes=0'"
check "the head of a model without one stays away" sh -c "$tool export vit.tgr headless.safetensors &&
    ! $tool info headless.safetensors | grep -q '^  head[._]'"
"$tool" import "$goldens/timm_deit3.safetensors" deit3.tgr --set heads=3 --set image_size=32 >/dev/null
"$tool" export deit3.tgr deit3.safetensors >/dev/null
tail -c 70000 "$goldens/timm_deit3.safetensors" >deit3.end
check "timm's file, imported and exported: the same numbers" sh -c "tail -c 70000 deit3.safetensors | cmp - deit3.end"
check "info on timm's file" sh -c "$tool info '$vit' | grep -q 'not a model that tgrmoe import can read'"

# How images were prepared is assumed where it is not given; this is reported, and never written out as if known.
sizes_of_vit="--set heads=3 --set image_size=32"
# shellcheck disable=SC2086
"$tool" import "$vit" assumed.tgr $sizes_of_vit >said 2>&1
check "import says what it assumes" grep -q "timm_vit.safetensors: .* assuming mean 0.485,0.456,0.406 std .* crop_pct 0.9" said
check "info says it too" sh -c "$tool info assumed.tgr | grep -q 'mean=0.485,0.456,0.406 (assumed) .*bicubic (assumed)'"
"$tool" export assumed.tgr assumed.safetensors >said 2>&1
check "export leaves it out" sh -c "grep -q 'left out of assumed.safetensors' said &&
    ! $tool info assumed.safetensors | grep -Eq '^  (mean|std|crop_pct|interpolation): '"
"$tool" import assumed.safetensors again.tgr --mean 0.5 --crop 0.8 >said 2>&1
check "a part is known" sh -c "grep -q 'assuming std 0.229,0.224,0.225 interpolation bicubic (' said &&
    $tool info again.tgr | grep -q 'mean=0.5,0.5,0.5 std=.*(assumed) crop_pct=0.8 interpolation=bicubic (assumed)'"
"$tool" export again.tgr again.safetensors >said 2>&1
check "only that part is written" sh -c "$tool info again.safetensors >info; grep -q '^  mean: 0.5' info &&
    grep -q '^  crop_pct: 0.8' info && ! grep -Eq '^  (std|interpolation): ' info"
mkdir -p photos/a photos/b
for class in a b; do for i in 1 2 3; do cp "$goldens/images/evaluated_$i.png" photos/$class/; done; done
"$tool" eval --model again.tgr --data photos >said 2>&1
check "eval says what it assumes" grep -q "again.tgr: .* assuming std " said
"$tool" classify again.tgr photos/a/1.png >said 2>&1
check "classify says what it assumes" grep -q "again.tgr: .* assuming std " said
"$tool" finetune again.tgr --data photos --method dense --steps 1 --batch 2 --save tuned.tgr >said 2>&1
check "finetune says what it assumes" grep -q "again.tgr: .* assuming std " said
check "what a run did to its images is known" sh -c "$tool info tuned.tgr | grep 'mean=0.5,0.5,0.5' | grep -vq assumed"
for name in vit_small_patch16_224.augreg_in1k deit3_small_patch16_224; do
    # shellcheck disable=SC2086
    "$tool" import "$vit" named.tgr $sizes_of_vit --timm $name >said.$name 2>&1
done
check "known by its name" sh -c "$tool info named.tgr | grep -q 'mean=0.5,0.5,0.5 std=0.5,0.5,0.5 crop_pct=0.9 interpolation=bicubic orientation=exif$'"
check "a name with several ways" grep -q "give one of deit3_small_patch16_224.fb_in1k, " said.deit3_small_patch16_224
check "nothing to say then" sh -c "! grep -q assuming said.vit_small_patch16_224.augreg_in1k"
# shellcheck disable=SC2086
refuse 2 "not a pretrained model of timm" "a name that is none" "$tool" import "$vit" x.tgr $sizes_of_vit --timm vit_tiny
# shellcheck disable=SC2086
check "eval takes what shapes do not tell" "$tool" eval --model "$vit" --data photos $sizes_of_vit --mean 0.5 --std 0.5
refuse 2 "already has its options" "eval: a checkpoint knows" "$tool" eval --model named.tgr --data photos --set heads=1

# Which class has which number: the file's word, else the user's.
for class in class1 class2 class10; do
    mkdir -p classes/$class
    for i in 1 2 3; do cp "$goldens/images/evaluated_$i.png" classes/$class/; done
done
prepared="--mean 0.5 --std 0.5 --crop 1 --interpolation bicubic"
# shellcheck disable=SC2086
"$tool" import "$vit" unnamed.tgr $sizes_of_vit $prepared --set classes=3 >/dev/null 2>&1
refuse 2 "unnamed.tgr does not name its classes, .* --class-order natural" "eval asks for the order" \
    "$tool" eval --model unnamed.tgr --data classes
refuse 2 "does not name its classes" "and so does training that keeps a head" \
    "$tool" finetune unnamed.tgr --data classes --method dense --steps 1 --batch 2 --save x.tgr
for order in natural bytes; do
    "$tool" eval --model unnamed.tgr --data classes --class-order $order --logits logits.$order >said.$order 2>&1
done
check "eval says which order it took" grep -q "^classes: in the order of --class-order natural" said.natural
check "images come in the order of their labels" sh -c "! cmp -s logits.natural logits.bytes"
printf 'class1\nclass2\nclass10\n' >list
# shellcheck disable=SC2086
"$tool" import "$vit" listed.tgr $sizes_of_vit $prepared --set classes=3 --class-order list >/dev/null 2>&1
"$tool" eval --model listed.tgr --data classes --logits logits.listed >said.listed 2>&1
check "names of a list go into the file" sh -c "grep -q '^classes: as named in listed.tgr' said.listed &&
    cmp logits.listed logits.natural"
"$tool" export listed.tgr listed.safetensors >/dev/null 2>&1
"$tool" eval --model listed.safetensors --data classes --logits logits.exported >said 2>&1
check "and travel" cmp logits.exported logits.natural
refuse 2 "listed.tgr names its classes itself" "they cannot be renumbered" \
    "$tool" eval --model listed.tgr --data classes --class-order bytes
check "training that keeps the head keeps the order" "$tool" train --init listed.tgr --data classes --method dense \
    --set image_size=32 --set patch_size=8 --set embed_dim=24 --set depth=2 --set heads=3 --steps 1 --batch 2 --save kept.tgr
"$tool" export kept.tgr kept.safetensors >/dev/null 2>&1
check "in the file, too" sh -c "$tool info kept.safetensors | tr '\n' ' ' | grep -q 'class1.*class2.*class10'"
# shellcheck disable=SC2086
refuse 2 "names 3 classes; the model has 5" "a list of other classes" "$tool" import "$vit" x.tgr $sizes_of_vit \
    --class-order list

refuse 1 "timm_vit.safetensors: .*shapes do not determine the number of heads, .*set option 'heads'" "heads are asked for" \
    "$tool" import "$vit" x.tgr
refuse 1 "timm_vit.safetensors: .*set option 'heads'.* tgrmoe import makes a file that states it" \
    "a teacher's heads are not guessed either" train --method tgr --teacher "$vit" --epochs 1
refuse 1 "4 x 4, or 2 x 8 in rectangular images, .*set option 'image_size'" "square images are asked for" \
    "$tool" import "$vit" x.tgr --set heads=3
refuse 1 "is not a safetensors file" "import of a checkpoint" "$tool" import teacher.tgr x.tgr
refuse 1 "vit.safetensors: .*pos_embed" "another patch size" "$tool" import "$vit" x.tgr --set heads=3 \
    --set image_size=32 --set patch_size=4
refuse 2 "two files" "one file" "$tool" import "$vit"
refuse 2 "two files" "export of nothing" "$tool" export
refuse 1 "No such file" "a file that is not there" "$tool" export none.tgr x.safetensors
refuse 1 "holds no moments" "no moments" train --method vmoe --init teacher.safetensors --init-optimizer --epochs 1 \
    --set upcycle=1
refuse 1 "std" "a deviation of 0" "$tool" export student.tgr x.safetensors --std 0
refuse 1 "crop_pct" "a crop of nothing" "$tool" export student.tgr x.safetensors --crop 0
head -c 3000 student.safetensors >cut.safetensors
refuse 1 "cut.safetensors" "a file that was cut short" "$tool" import cut.safetensors x.tgr
for command in import export; do check "$command --help" "$tool" $command --help; done
check "nothing was written on failure" sh -c "! ls x.tgr x.safetensors"
plan
