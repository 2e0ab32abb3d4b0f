/* SPDX-License-Identifier: MIT */
/* AdamW (Loshchilov & Hutter, ICLR 2019, arXiv 1711.05101), for step s counted from 1:
 *
 *   m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²,
 *   w ← w - rate · ( m / (1 - β₁ˢ) / (√(v / (1 - β₂ˢ)) + ε) + weight_decay · w ). */
#include <math.h>

#include "base/assert.h"
#include "optimizer/kind.h"

enum { BETA1, BETA2, CORRECTION1, CORRECTION2, EPSILON };

static void prepare(const tgr_config *config, double number, tgr_optimizer_pass *pass) {
    float *own = pass->own;
    own[EPSILON] = (float)tgr_option_f64(config, TGR_OPTION_ADAM_EPSILON);
    own[BETA1] = (float)tgr_option_f64(config, TGR_OPTION_BETA1);
    own[BETA2] = (float)tgr_option_f64(config, TGR_OPTION_BETA2);
    /* From the betas as float32, as the kernel uses them, so that the first step's corrected moments are g and g². */
    own[CORRECTION1] = (float)(1 / (1 - pow(own[BETA1], number)));
    own[CORRECTION2] = (float)(1 / (1 - pow(own[BETA2], number)));
    TGR_ASSERT(isfinite(own[CORRECTION1]) && isfinite(own[CORRECTION2])); /* no beta rounds to 1 */
}

static void update(const tgr_optimizer_pass *pass, const tgr_optimizer_piece *piece) {
    const float *own = pass->own;
    pass->kernels->adamw(piece->count, piece->value, piece->gradient, piece->first, piece->second, pass->scale,
                         own[BETA1], own[BETA2], own[CORRECTION1], own[CORRECTION2], pass->rate, own[EPSILON],
                         pass->rate * piece->weight_decay);
}

const tgr_optimizer_kind tgr_optimizer_adamw = {.moments = 2, .prepare = prepare, .update = update};
