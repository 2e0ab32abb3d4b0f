/* SPDX-License-Identifier: MIT */
/* V-MoE's load loss (Riquelme et al., arXiv 2106.05974, appendix A): CV² of the experts' expected loads, where
 * P_{t,e} = 1 - Φ((τ_t - l_{t,e}) · E) is the probability that expert e is among the K of token t when its noise,
 * Normal(0, 1/E²), is drawn again, and τ_t is the K-th largest noisy logit. */
#include <math.h>

#include "routing/gates/topk.h"
#include "routing/losses/balance.h"
#include "routing/slots/token_sum.h"

#define INVERSE_SQRT_2    0.70710678118654752440
#define INVERSE_SQRT_2_PI 0.39894228040143267794

/* The expert whose noisy logit is τ. */
static int64_t threshold_expert(const tgr_routing *routing, int64_t token) {
    const float *row = routing->gate_logits + token * routing->options.experts;
    int64_t expert = -1;
    for (int64_t k = 0; k < routing->options.top_k; k++)
        expert = tgr_next_largest(row, routing->options.experts, expert);
    return expert;
}

/* (τ_t - l_{t,e}) · E */
static double distance(const tgr_routing *routing, int64_t token, double threshold, int64_t expert) {
    int64_t experts = routing->options.experts;
    return (threshold - routing->logits[token * experts + expert]) * (double)experts;
}

static void add_selection(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts;
    double threshold = routing->gate_logits[token * experts + threshold_expert(routing, token)];
    (void)user;
    for (int64_t e = 0; e < experts; e++) sum[e] += 0.5 * erfc(distance(routing, token, threshold, e) * INVERSE_SQRT_2);
}

/* ∂P_e/∂l_e = φ·E and ∂P_e/∂τ = -φ·E, the latter on to the logit that τ is. `user`: ∂loss/∂Σ_t P_{t,e} [E]. */
static void selection_backward(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    int64_t experts = routing->options.experts, at_threshold = threshold_expert(routing, token);
    const double *factors = user;
    double threshold = routing->gate_logits[token * experts + at_threshold], own = 0, total = 0;
    float *gradient = routing->logits_gradient + token * experts;
    (void)sum;
    for (int64_t e = 0; e < experts; e++) {
        double z = distance(routing, token, threshold, e);
        double change = factors[e] * INVERSE_SQRT_2_PI * exp(-0.5 * z * z) * (double)experts;
        total += change;
        if (e == at_threshold)
            own = change;
        else
            gradient[e] += (float)change;
    }
    gradient[at_threshold] += (float)(own - total);
}

void tgr_load_loss(tgr_routing *routing, double weight) {
    int64_t experts = routing->options.experts;
    tgr_each_token(routing, add_selection, NULL, experts, routing->sums);
    tgr_routing_add_term(routing, "load", weight * tgr_squared_cv(routing->sums, experts, routing->factors));
    if (routing->mode != TGR_TRAIN) return;
    for (int64_t e = 0; e < experts; e++) routing->factors[e] *= weight;
    tgr_each_token(routing, selection_backward, routing->factors, 0, NULL);
}
