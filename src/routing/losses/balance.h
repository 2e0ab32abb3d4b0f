/* SPDX-License-Identifier: MIT */
/* The losses that keep a router in balance. Values are means or scale-free, so that they do not grow with the batch.
 *
 *     importance   CV²(Σ_t p_t)                                        V-MoE (Riquelme et al., arXiv 2106.05974, app.
 * A; Shazeer et al., arXiv 1701.06538) load         CV²(mean_t P_t),  P_{t,e} = 1 - Φ((τ_t - l_{t,e}) · E)   V-MoE, the
 * same switch       E · Σ_e f_e · mean_t p_{t,e}                        Switch (Fedus et al., arXiv 2101.03961,
 * sec. 2.2) z            mean_t (ln Σ_e exp l_{t,e})²                        ST-MoE (Zoph et al., arXiv 2202.08906,
 * sec. 2.2)
 *
 * P_{t,e} is the probability that expert e is among the K of token t when its noise, Normal(0, 1/E²), is drawn again,
 * and τ_t the K-th largest noisy logit; p and l are without noise. f_e is the share of choices that fall on expert e,
 * before capacity and a constant for the gradient. */
#ifndef TGR_ROUTING_LOSSES_BALANCE_H
#define TGR_ROUTING_LOSSES_BALANCE_H

#include "routing/work.h"

/* Those that have a weight. A step of a tgr_method. */
void tgr_balance_losses(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                        const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses);

#endif
