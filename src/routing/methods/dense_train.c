/* SPDX-License-Identifier: MIT */
/* All experts in training, K in evaluation. */
#include "routing/methods/dense_train.h"

#include <math.h>

#include "base/status.h"
#include "routing/gates/dense_gate.h"
#include "routing/gates/linear_router.h"
#include "routing/losses/balance.h"

typedef struct dense_train_state {
    double mi_weight;
} dense_train_state;

tgr_status tgr_dense_train_declare(tgr_routing *routing, const tgr_config *config, const char *prefix) {
    TGR_TRY(tgr_routing_keep(routing, sizeof(dense_train_state)));
    dense_train_state *state = routing->method_state;
    state->mi_weight = tgr_option_f64(config, TGR_OPTION_MI_WEIGHT);
    return tgr_linear_router_declare(routing, config, prefix);
}

void tgr_dense_train_assign(tgr_routing *routing) {
    tgr_take_experts(routing, routing->mode == TGR_TRAIN ? -1 : INFINITY);
}

void tgr_dense_train_losses(tgr_routing *routing) {
    const dense_train_state *state = routing->method_state;
    tgr_balance_losses(routing);
    if (state->mi_weight > 0) tgr_mutual_information_loss(routing, state->mi_weight);
}

void tgr_dense_train_backward(tgr_routing *routing) {
    tgr_dense_gate_backward(routing, 1);
}
