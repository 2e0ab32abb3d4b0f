/* SPDX-License-Identifier: MIT */
/* SGD with momentum and L2 weight decay: m ← momentum · m + g + weight_decay · w,   w ← w - rate · m. */
#include "optimizer/kind.h"

enum { MOMENTUM };

static void prepare(const tgr_config *config, double number, tgr_optimizer_pass *pass) {
    (void)number;
    pass->own[MOMENTUM] = (float)tgr_option_f64(config, TGR_OPTION_MOMENTUM);
}

static void update(const tgr_optimizer_pass *pass, const tgr_optimizer_piece *piece) {
    pass->kernels->sgd(piece->count, piece->value, piece->gradient, piece->first, pass->scale, pass->own[MOMENTUM],
                       pass->rate, piece->weight_decay);
}

const tgr_optimizer_kind tgr_optimizer_sgd = {.moments = 1, .prepare = prepare, .update = update};
