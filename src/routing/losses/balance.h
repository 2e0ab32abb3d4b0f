/* SPDX-License-Identifier: MIT */
/* The losses that keep a router in balance, from V-MoE (Riquelme et al., arXiv 2106.05974, appendix A; Shazeer et al.,
 * arXiv 1701.06538), Switch (Fedus et al., arXiv 2101.03961, section 2.2) and ST-MoE (Zoph et al., arXiv 2202.08906,
 * section 2.2):
 *
 *     importance   CV²(Σ_t p_t)
 *     load         CV²(mean_t P_t),   P_{t,e} = 1 - Φ((τ_t - l_{t,e}) · E)
 *     switch       E · Σ_e f_e · mean_t p_{t,e}
 *     z            mean_t (ln Σ_e exp l_{t,e})²
 *
 * P_{t,e} is the probability that expert e is among the K of token t when its noise, Normal(0, 1/E²), is redrawn,
 * and τ_t the K-th largest noisy logit; p and l are without noise. f_e is the share of choices that fall on expert e,
 * before capacity, and a constant for the gradient. Values are means or scale-free, so that they do not grow with the
 * batch. */
#ifndef TGR_ROUTING_LOSSES_BALANCE_H
#define TGR_ROUTING_LOSSES_BALANCE_H

#include "routing/work.h"

/* Those whose weight is not 0. A step of a tgr_method. */
void tgr_balance_losses(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                        const tgr_choices *choices, tgr_routing_work *work, tgr_losses *losses);

#endif
