#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool on folders of photographs, from training to evaluation. The images are goldens under other names.
images=$(cd "$(dirname "$0")/golden/images" && pwd)
. "$(dirname "$0")/tool_support.sh"

# photographs FOLDER COUNT: three classes of so many images.
photographs() {
    for class in bee cow ant; do
        mkdir -p "$1/$class"
        i=0
        for file in "$images"/jpeg_*.jpg "$images"/png_2_*.png "$images"/noise.png "$images"/smooth.png; do
            [ $i -lt "$2" ] || break
            cp "$file" "$1/$class/$i.${file##*.}"
            i=$((i + 1))
        done
    done
}
photographs set/train 9
photographs set/val 4
photographs one 10
sizes="--batch 4 --set preset=none --set image_size=16 --set patch_size=4 --set embed_dim=16 --set heads=2 --set depth=2"
sizes="$sizes --set moe_blocks=1 --set experts=2 --threads 1"
# shellcheck disable=SC2086
train() { "$tool" train --method vmoe $sizes "$@"; }

check "a folder of photographs trains" train --data set --epochs 2 --save whole.tgr --readers 1 --crop 0.8
cp log trained.log
check "7 readers: the same bytes" sh -c "$tool train --method vmoe $sizes --data set --epochs 2 --save seven.tgr \
    --readers 7 --crop 0.8 && cmp whole.tgr seven.tgr"
train --data set --steps 5 --set total_steps=12 --save half.tgr --crop 0.8 >/dev/null 2>&1
check "paused and resumed: the same bytes" sh -c "$tool train --data set --resume half.tgr --steps 12 --threads 1 \
    --save half.tgr && cmp whole.tgr half.tgr"
refuse 1 "crop" "resuming with another crop" "$tool" train --data set --resume half.tgr --crop 0.9
check "eval prepares images as training did" sh -c "$tool eval --data set --model whole.tgr --threads 1 >eval.log &&
    grep -q \"\$(sed -n 's/^\\(top-1 .*%\\) after.*/\\1/p' trained.log)\" eval.log"
check "the file says how" sh -c "$tool info whole.tgr | grep 'mean=0.485,0.456,0.406 .*crop_pct=0.8 .*bicubic'"
check "another crop is another image" sh -c "$tool eval --data set --model whole.tgr --logits a.f32 &&
    $tool eval --data set --model whole.tgr --logits b.f32 --crop 0.5 && ! cmp a.f32 b.f32"
check "labels stay those of training when a class is missing" sh -c "cp -r set fewer && rm -r fewer/val/ant &&
    $tool eval --data fewer/val --dataset folder --model whole.tgr --held-out 0.5 &&
    $tool eval --data fewer --model whole.tgr --logits c.f32 && tail -c +49 a.f32 | cmp - c.f32"
mkdir -p foreign/val/dog
cp "$images/noise.png" foreign/val/dog
refuse 1 "foreign/val/dog: is not a class" "a class that the model does not know" \
    "$tool" eval --data foreign --model whole.tgr

check "one folder, a share held out" train --data one --held-out 0.3 --epochs 1
refuse 2 "held-out" "a share above 1" train --data one --held-out 3 --epochs 1
refuse 2 "^tgrmoe: --mean: mean is 'x'; a number" "a mean that is no number" train --data set --mean x --epochs 1
cp -r set damaged
cp "$images/broken_cut.jpg" damaged/train/cow/broken.jpg
echo text >damaged/train/bee/note.png
refuse 1 "bee/note.png: is neither JPEG nor PNG" "no image, by its first bytes" train --data damaged --epochs 1
rm damaged/train/bee/note.png
refuse 1 "cow/broken.jpg: the file is truncated" "an image that is cut off" train --data damaged --epochs 2
refuse 0 "left out: .*cow/broken.jpg" "it can be left out" train --data damaged --epochs 1 --skip-damaged
# A phone's photographs: exif_6.png is stored lying, upright_exif_6_png.png is what it shows.
for class in ant bee cow; do
    mkdir -p "phone/val/$class" "shown/val/$class"
    for i in 2 6 8; do
        cp "$images/exif_$i.png" "phone/val/$class/$i.png"
        cp "$images/upright_exif_${i}_png.png" "shown/val/$class/$i.png"
    done
done
logits() {
    to=$1
    shift
    "$tool" eval "$@" --logits "$to" >/dev/null 2>&1
}
logits phone.f32 --data phone --model whole.tgr
logits shown.f32 --data shown --model whole.tgr
check "photographs stand upright" cmp phone.f32 shown.f32
logits stored.f32 --data phone --model whole.tgr --orientation stored
check "unless they are taken as they are stored" sh -c "test -s stored.f32 && ! cmp -s stored.f32 shown.f32"
cp -r phone lying
mv lying/val lying/train
cp -r phone/val lying/val
train --data lying --steps 1 --orientation stored --save stored.tgr >/dev/null 2>&1
logits own.f32 --data phone --model stored.tgr
logits same.f32 --data phone --model stored.tgr --orientation stored
logits other.f32 --data phone --model stored.tgr --orientation exif
check "a model keeps what it learned from" sh -c "cmp own.f32 same.f32 && ! cmp -s own.f32 other.f32"
"$tool" export stored.tgr stored.safetensors >/dev/null 2>&1
logits exported.f32 --data phone --model stored.safetensors
check "in safetensors too" cmp own.f32 exported.f32
"$tool" classify whole.tgr phone/val/ant/6.png 2>/dev/null | sed 's/.*: //' >first
"$tool" classify whole.tgr shown/val/ant/6.png 2>/dev/null | sed 's/.*: //' >second
check "classify turns them, too" cmp first second
train --data lying --steps 1 --save turned.tgr --augment crop-flip >/dev/null 2>&1
mkdir -p straight
cp -r shown/val straight/train
cp -r shown/val straight/val
train --data straight --steps 1 --save straight.tgr --augment crop-flip >/dev/null 2>&1
"$tool" export turned.tgr turned.safetensors >/dev/null 2>&1
"$tool" export straight.tgr straight.safetensors >/dev/null 2>&1
check "and so does training" cmp turned.safetensors straight.safetensors
refuse 2 "allowed are exif, stored" "no such orientation" train --data set --orientation up --steps 1
refuse 1 "orientation is new" "resuming with another" "$tool" train --data set --resume half.tgr --orientation stored

echo "1..$number"
