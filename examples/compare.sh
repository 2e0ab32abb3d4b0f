#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make compare` runs: methods side by side on Fashion-MNIST, with the sweep and the ablations. It takes hours on a
# small machine and may be interrupted: started again, it goes on where it was.
#
#   METHODS=dense,vmoe,tgr SEEDS=3 EPOCHS=8 LIMIT=20000 OUT=build/compare sh examples/compare.sh [FLAG OF compare]...
#
# SWEEP= or ABLATION= (empty) leaves that part out. DATA: a folder of IDX or CIFAR files.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
OUT=${OUT:-$BUILD/compare}
DATA=${DATA:-/usr/share/datasets/fashion-mnist}
METHODS=${METHODS-dense,vmoe,tgr,switch,stable,default,expert-choice,soft,hash,base,loss-free,dense-train,evomoe}
SWEEP=${SWEEP-experts=4,8,16,32}
SWEEP_METHODS=${SWEEP_METHODS-vmoe,tgr}
ABLATION=${ABLATION-guidance-window,teacher-layer,oracle,distill-only,finetune}

if [ "$DATA" = /usr/share/datasets/fashion-mnist ]; then
    sh scripts/ensure-packages.sh demo
else
    sh scripts/ensure-packages.sh build
fi
"${MAKE:-make}" "$BUILD/examples/tgrmoe"
mkdir -p "$(dirname "$OUT")"
exec "$BUILD/examples/tgrmoe" compare --data "$DATA" --methods "$METHODS" --seeds "${SEEDS:-3}" --epochs "${EPOCHS:-8}" \
    --limit "${LIMIT:-20000}" ${SWEEP:+--sweep "$SWEEP" --sweep-methods "$SWEEP_METHODS"} ${ABLATION:+--ablation "$ABLATION"} --out "$OUT" "$@"
