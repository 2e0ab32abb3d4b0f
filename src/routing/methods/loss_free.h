/* SPDX-License-Identifier: MIT */
/* Balance without a loss (Wang et al., arXiv 2408.15664; DeepSeek-V3, arXiv 2412.19437): tokens select the top K of
 * p + b and weigh them by p, so that b moves tokens, and no gradient. After each optimizer step
 *
 *   b_e += bias_rate · sign(mean load - load_e),
 *
 * the load being the choices that fell on e in all micro-batches of the step, before capacity. Whoever reads choices
 * finds them by falling p + b: top-1 is the largest of these. An oracle's probabilities are taken without b. */
#ifndef TGR_ROUTING_LOSS_FREE_H
#define TGR_ROUTING_LOSS_FREE_H

#include "base/random.h"
#include "routing/routing.h"

/* Adds, to the linear router, the state "<prefix>router.bias" [E], b as of the last step seen in training, and
 * "<prefix>router.load" [E + 1]: the loads of the step under way (exact up to 2^24), and its number. */
tgr_status tgr_loss_free_declare(tgr_routing *routing, const tgr_config *config, const char *prefix);
void tgr_loss_free_plan(tgr_routing *routing, tgr_arena *arena, int64_t tokens);
void tgr_loss_free_route(tgr_routing *routing, const tgr_random *random);
/* Adds this batch to the loads. */
void tgr_loss_free_finish(tgr_routing *routing);

#endif
