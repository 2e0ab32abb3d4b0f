#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make compare` runs: every method side by side on Fashion-MNIST over three seeds, a sweep of the number of
# experts, and the TGR-MoE paper's ablations; docs/results.md has the results. Half an hour on two cores. If
# interrupted and started again, it continues where it was.
#
#   METHODS=dense,vmoe,tgr SEEDS=5 EPOCHS=8 LIMIT=60000 OUT=build/compare sh examples/compare.sh [FLAG OF compare]...
#
# SWEEP= or ABLATION= (empty) omits that part. DATA: a folder of IDX or CIFAR files. SIZES: flags for the models' sizes.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
OUT=${OUT:-$BUILD/compare}
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
METHODS=${METHODS-dense,vmoe,tgr,switch,stable,default,expert-choice,soft,hash,base,loss-free,dense-train,evomoe}
SWEEP=${SWEEP-experts=4,8,16,32}
SWEEP_METHODS=${SWEEP_METHODS-vmoe,tgr}
ABLATION=${ABLATION-guidance-window,teacher-layer,oracle,distill-only,finetune}
SIZES=${SIZES---batch 64 --lr 0.002 --set patch_size=7 --set embed_dim=64 --set depth=2 --set moe_blocks=1,2 --set experts=4}

if [ "$DATA" = /usr/share/datasets/fashion-mnist ]; then
    sh scripts/ensure-packages.sh demo
else
    sh scripts/ensure-packages.sh build
fi
"${MAKE:-make}" "$BUILD/examples/tgrmoe"
mkdir -p "$(dirname "$OUT")"
# shellcheck disable=SC2086
exec "$BUILD/examples/tgrmoe" compare --data "$DATA" --methods "$METHODS" --seeds "${SEEDS:-3}" --epochs "${EPOCHS:-4}" \
    --limit "${LIMIT:-24000}" $SIZES ${SWEEP:+--sweep "$SWEEP" --sweep-methods "$SWEEP_METHODS"} \
    ${ABLATION:+--ablation "$ABLATION"} --out "$OUT" "$@"
