#!/bin/sh
# SPDX-License-Identifier: MIT
#
# From a pretrained vision transformer and a folder of photographs to a deployed sparse student; docs/finetune.md
# describes each step.
#
#   sh examples/finetune.sh MODEL.safetensors FOLDER [FLAG OF finetune]...
#   sh examples/finetune.sh --stand-in
#
# With --stand-in a small model trained on five classes of Fashion-MNIST replaces the pretrained one, and a few PNG
# images of the other five classes replace the photographs: two minutes on two processors.
#
#   OUT=DIR     where the student is written              (default: finetune)
#   TOOL=FILE   the tgrmoe to use instead of building it
set -eu

usage() {
    cat >&2 <<'END'
usage: sh examples/finetune.sh MODEL.safetensors FOLDER [FLAG OF finetune]...
       sh examples/finetune.sh --stand-in

MODEL.safetensors  weights of a vit, deit or deit3 with timm's names, such as deit3_small_patch16_224. With Python and
                   timm:  model = timm.create_model("deit3_small_patch16_224", pretrained=True)
                          safetensors.torch.save_file(model.state_dict(), "deit3_small.safetensors")
FOLDER             a folder for each class with its JPEG and PNG files: FOLDER/cat/1.jpg, FOLDER/dog/1.jpg, ...
                   A tenth of each class is held out for testing, unless there are FOLDER/train and FOLDER/val.
--stand-in         makes small ones of both from Fashion-MNIST
END
    exit 2
}

whole_path() {
    case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}

[ $# -gt 0 ] || usage
if [ "$1" != --stand-in ]; then
    [ $# -ge 2 ] || usage
    model=$(whole_path "$1") photographs=$(whole_path "$2")
    [ -f "$model" ] || { echo "$1 is not a file" >&2; usage; }
    [ -d "$photographs" ] || { echo "$2 is not a folder" >&2; usage; }
    shift 2
else
    shift
    model='' photographs=''
fi
out=$(whole_path "${OUT:-finetune}")
[ -z "${TOOL:-}" ] || TOOL=$(whole_path "$TOOL")
cd "$(dirname "$0")/.."

if [ -z "${TOOL:-}" ]; then
    if [ -n "$model" ]; then sh scripts/ensure-packages.sh build; else sh scripts/ensure-packages.sh demo; fi
    echo "Building"
    ${MAKE:-make} -s lib build/examples/tgrmoe
    TOOL=build/examples/tgrmoe
fi
mkdir -p "$out"

# run COMMAND...: prints a command of the tool, then runs it.
run() {
    echo
    echo "tgrmoe $*"
    "$TOOL" "$@"
}

# A model that knows labels 0 to 4, and 200 images of each of the labels 5 to 9.
stand_in() {
    from=/usr/share/datasets/fashion-mnist
    if [ ! -d "$from" ]; then
        echo "$from does not exist: get Fashion-MNIST's four files, or give a model and photographs" >&2
        exit 1
    fi
    ${CC:-cc} -O2 -o "$out/write_photographs" examples/write_photographs.c -lpng -lz
    write() {
        mkdir -p "$out/$1"
        "$out/write_photographs" "$from/$2-images-idx3-ubyte.gz" "$from/$2-labels-idx1-ubyte.gz" "$out/$1" "$3" "$4" "$5"
    }
    write learned/train train 0 4 1500
    write learned/val t10k 0 4 200
    write photographs/train train 5 9 200
    write photographs/val t10k 5 9 200
    run train --data "$out/learned" --method dense --epochs 4 --batch 64 --set image_size=28 --set patch_size=7 \
        --set embed_dim=128 --set heads=2 --set depth=6 --save "$out/pretrained.tgr"
    run export "$out/pretrained.tgr" "$out/pretrained.safetensors"
    model=$out/pretrained.safetensors photographs=$out/photographs
}

if [ -z "$model" ]; then
    stand_in
    # Such a small model needs a higher learning rate than one trained on a million photographs.
    set -- --lr 0.001 --set experts=4 "$@"
fi
run finetune "$model" --data "$photographs" --save "$out/student.tgr" --json "$out/student.json" "$@"
run export "$out/student.tgr" "$out/student.safetensors"
run eval --data "$photographs" --model "$out/student.safetensors"

# Some of the photographs, as a user of the student would do.
find "$photographs" -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' | sort >"$out/files"
lines=$(wc -l <"$out/files")
awk -v every=$((lines / 5 + 1)) 'NR % every == 1 || every == 1' "$out/files" >"$out/some"
set --
while IFS= read -r file; do set -- "$@" "$file"; done <"$out/some"
rm "$out/files" "$out/some"
run classify "$out/student.safetensors" "$@"
echo
echo "the student, to deploy:      $out/student.safetensors"
echo "to train it further:         $out/student.tgr"
