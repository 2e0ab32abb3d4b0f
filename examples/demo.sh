#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `make demo` runs: a dense teacher learns Fashion-MNIST, then a V-MoE and a TGR-MoE student of the same sizes and
# seed learn it, the latter guided by the teacher. Ends with a table and a plot of how many tokens keep their expert.
#
# For other data or a longer run, set any of these:
#   DEMO_DATA=DIR       folder with IDX or CIFAR binary files   (default: Debian's package dataset-fashion-mnist)
#   DEMO_DATASET=KIND   idx, cifar10 or cifar100                (default: inferred from the files)
#   DEMO_EPOCHS=N       epochs of each model                    (default: 4 for the teacher, 6 for the students)
#   DEMO_ARGS="..."     more flags for all three, such as "--limit 60000 --seed 2 --threads 4 --set depth=8"
#   DEMO_OUT=DIR        where models, records and the plot go   (default: demo)
#
#   DEMO_DATA=~/cifar-10-batches-bin DEMO_EPOCHS=20 DEMO_ARGS="--limit 50000" make demo
set -eu
cd "$(dirname "$0")/.."

teacher_epochs=${DEMO_EPOCHS:-4}
student_epochs=${DEMO_EPOCHS:-6}
out=${DEMO_OUT:-demo}

if [ -n "${DEMO_DATA:-}" ]; then
    sh scripts/ensure-packages.sh build
    data=$DEMO_DATA
    sizes="--batch 64" teacher_images=""
else
    sh scripts/ensure-packages.sh demo
    data=/usr/share/datasets/fashion-mnist
    # Patches of 7 x 7; two thirds of the images for the teacher, which must know more than its students, and one third
    # for them: about four minutes on two processors.
    sizes="--batch 64 --limit 20000 --set patch_size=7" teacher_images="--limit 40000"
    if [ ! -d "$data" ]; then
        echo "$data does not exist: get Fashion-MNIST's four files and run  DEMO_DATA=FOLDER make demo" >&2
        exit 1
    fi
fi
echo "Building"
${MAKE:-make} -s lib build/examples/tgrmoe
tool=build/examples/tgrmoe
mkdir -p "$out"

# train NAME METHOD FLAG...: writes $out/NAME.tgr and $out/NAME.json.
train() {
    name=$1 method=$2
    shift 2
    echo
    echo "$name"
    # Later flags win, so DEMO_ARGS comes last.
    # shellcheck disable=SC2086
    "$tool" train --data "$data" ${DEMO_DATASET:+--dataset "$DEMO_DATASET"} --method "$method" $sizes \
        --save "$out/$name.tgr" --json "$out/$name.json" "$@" ${DEMO_ARGS:-}
}

start=$(date +%s)
# shellcheck disable=SC2086
train teacher dense --epochs "$teacher_epochs" $teacher_images
train vmoe vmoe --epochs "$student_epochs" --set embed_dim=64
train tgr tgr --epochs "$student_epochs" --set embed_dim=64 --teacher "$out/teacher.tgr"

echo
"$tool" report "$out/teacher.json" "$out/vmoe.json" "$out/tgr.json" --svg "$out/routing.svg"
echo
echo "$(($(date +%s) - start)) seconds of training"
echo "plot of routing consistency:  $out/routing.svg"
echo "the saved student:            $out/tgr.tgr"
