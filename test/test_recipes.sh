#!/bin/sh
# SPDX-License-Identifier: MIT
# The recipes of docs/architecture.md, followed on a copy of the tree: a routing method with an option of its own is one
# file and two rows, an optimizer one file and one row; choices, ranges, help, checkpoint and tests know them then.
if [ -n "$SANITIZE" ]; then
    echo "not ok 1 - # SKIP the copy is built as it is without sanitizers"
    echo "1..1"
    exit 0
fi
tree=$(pwd)
. test/tool_support.sh
copy=$folder/copy
mkdir "$copy"
(cd "$tree" && cp -r Makefile include src examples test scripts pkgconfig docs "$copy" && mkdir "$copy/lib" &&
    cp lib/*.map "$copy/lib") || exit 1
options=$copy/include/tgrmoe/options.h

# rows TABLE: how many rows it has, which is the index of the next. A table ends with its first line without a backslash.
rows() {
    awk -v table="#define $1\\\\(X\\\\)" '$0 ~ table { inside = 1 } inside && /^ *X\(/ { count++ }
        inside && !/\\$/ { print count; exit }' "$options"
}

# add TABLE ROW: at the end of the table.
add() {
    awk -v table="#define $1\\\\(X\\\\)" -v row="$2" '$0 ~ table { inside = 1 }
        inside && !/\\$/ { print $0 " \\"; print "    " row; inside = 0; next } { print }' "$options" >"$folder/options.h" &&
        mv "$folder/options.h" "$options"
}

# 1. A method: V-MoE's choice of experts, each of which gets the same gate.
cat >"$copy/src/routing/methods/even.c" <<'METHOD'
/* SPDX-License-Identifier: MIT */
/* p = softmax(W x),   y = even_gate · Σ_{e ∈ TopK(p)} expert_e(x) */
#include "routing/methods/parts.h"

typedef struct even_own {
    double gate;
} even_own;

static tgr_status declare(tgr_layer_router *router, const tgr_config *config, const char *prefix) {
    even_own *own = router->own;
    own->gate = tgr_option_f64(config, TGR_OPTION_EVEN_GATE);
    return tgr_linear_router_declare(router, config, prefix);
}

static void route(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                  tgr_routing_work *work, tgr_choices *choices) {
    const even_own *own = router->own;
    tgr_softmax_gate(router, pass, scores, work, choices);
    for (int64_t i = 0; i < pass->tokens * router->options.top_k; i++) choices->gates[i] = (float)own->gate;
}

const tgr_method tgr_method_even = {TGR_LINEAR_SCORES,
                                    TGR_TOKEN_CHOICE,
                                    .own_bytes = sizeof(even_own),
                                    .declare = declare,
                                    .initialise = tgr_linear_router_initialise,
                                    .route = route,
                                    .losses = tgr_balance_losses};
METHOD
method=$(rows TGR_METHOD_MAP)
add TGR_METHOD_MAP "X($method, EVEN, even, \"even\", \"experts|top_k|balance\", \"importance_weight=0.02\", \"a test\")"
add TGR_OPTION_MAP 'X(9000, EVEN_GATE, "even_gate", F64, TGR_RANGE(0, 2), "0.5", "even", "gate of every choice")'

# 2. An optimizer: a step of the same size in the direction of the momentum.
cat >"$copy/src/optimizer/step_by_sign.c" <<'OPTIMIZER'
/* SPDX-License-Identifier: MIT */
/* m ← momentum · m + g,   w ← w - rate · sign(m) */
#include "optimizer/kind.h"

static void prepare(const tgr_config *config, double number, tgr_optimizer_pass *pass) {
    (void)number;
    pass->own[0] = (float)tgr_option_f64(config, TGR_OPTION_MOMENTUM);
}

static void update(const tgr_optimizer_pass *pass, const tgr_optimizer_piece *piece) {
    for (int64_t i = 0; i < piece->count; i++) {
        float *m = &piece->first[i];
        *m = pass->own[0] * *m + pass->scale * piece->gradient[i];
        piece->value[i] -= pass->rate * (float)((*m > 0) - (*m < 0));
    }
}

const tgr_optimizer_kind tgr_optimizer_sign = {.moments = 1, .prepare = prepare, .update = update};
OPTIMIZER
add TGR_OPTIMIZER_MAP "X($(rows TGR_OPTIMIZER_MAP), SIGN, sign, \"sign\", \"a test\")"

# Quick to build; nothing here is about speed.
quick() { make -s -C "$copy" -j2 CC="${CC:-cc}" CXX="${CXX:-c++}" CFLAGS=-O0 CXXFLAGS=-O0 WERROR= BUILD=build "$@"; }
check "a copy with a method and an optimizer more builds" quick build/examples/tgrmoe
check "its tests build" quick TEST="test_config test_methods" tests
tool=$copy/build/examples/tgrmoe

# in_copy PROGRAM: a test program, where the sources are.
in_copy() { (cd "$copy" && CMOCKA_MESSAGE_OUTPUT=TAP "$@"); }
check "the tables are sound" in_copy build/test/test_config
check "the method passes the tests of all methods" in_copy build/test/test_methods
check "they try it" sh -c "cd '$copy' && build/test/test_methods 2>&1 | grep -q '^even '"

says() { "$@" >said 2>&1 && grep -qe "$pattern" said; }
pattern='^  method .*|evomoe|even; default dense'
check "--help lists the method" says "$tool" train --help
pattern='^  even_gate .*0 to 2; default 0.5; methods even)$'
check "--help lists its option" says "$tool" train --help
pattern='^  optimizer .*(adamw|sgd|sign; default adamw)$'
check "--help lists the optimizer" says "$tool" train --help
pattern='^| `top_k` .* | dense, vmoe, .*evomoe, even |$'
check "the reference counts the method among those with its traits" says "$tool" options --markdown
pattern='^| `z_weight` .* evomoe |$'
check "and not among others" says "$tool" options --markdown
pattern='^| `even` | importance_weight=0.02 | a test |$'
check "the reference has the method's row" says "$tool" options --markdown

idx train 64
idx t10k 32
train() { "$tool" train --data . --threads 2 --batch 16 --seed 5 --epochs 3 --method even --optimizer sign --lr 0.002 "$@"; }
sizes="--set embed_dim=16 --set depth=2 --set heads=2 --set moe_blocks=1,2 --set experts=4 --set top_k=2"
# shellcheck disable=SC2086
check "it trains" train $sizes --set even_gate=0.7 --save even.tgr --json even.json
first=$(sed -n 1p even.json | sed 's/.*"loss":\([0-9.]*\).*/\1/')
last=$(sed -n 3p even.json | sed 's/.*"loss":\([0-9.]*\).*/\1/')
check "it learns (loss $first to $last)" awk -v a="$first" -v b="$last" 'BEGIN { exit !(b > 0 && b < a) }'
pattern='even_gate=0.7'
check "the checkpoint keeps its option" says "$tool" info even.tgr
pattern='method=even'
check "the checkpoint keeps the method" says "$tool" info even.tgr
check "the model is evaluated" "$tool" eval --data . --model even.tgr
check "it becomes a safetensors file" "$tool" export even.tgr even.safetensors
check "and is evaluated from there" "$tool" eval --data . --model even.safetensors
refuse 1 "method is 'evne'; it must be one of .*|even; did you mean 'even'?" "a misspelt name" train --method evne
refuse 1 "optimizer is 'sing'; it must be one of adamw|sgd|sign; did you mean 'sign'?" "a misspelt optimizer" \
    train --optimizer sing
refuse 1 "even_gate is 3; it must be 0 to 2" "a value out of range" train --set even_gate=3
refuse 1 "option 'z_weight' is set, but method 'even' does not use it; these do: vmoe" "an option without its trait" \
    train $sizes --set z_weight=1
refuse 1 "option 'even_gate' is set, but method 'vmoe' does not use it; these do: even$" "its option with another method" \
    train $sizes --method vmoe --set even_gate=1
echo "1..$number"
