/* SPDX-License-Identifier: MIT */
/* A teacher's guidance of a router (Kada et al., arXiv 2604.21330): KL(teacher ‖ p), which reaches the logit of every
 * expert, chosen or not. */
#include <math.h>

#include "routing/losses/balance.h"
#include "routing/slots/token_sum.h"

typedef struct guidance {
    const float *teacher; /* [T, E] */
    double share;         /* weight / T; 0 for no gradient */
} guidance;

static void guide_token(const tgr_routing *routing, int64_t token, const void *user, double *sum) {
    const guidance *g = user;
    int64_t experts = routing->options.experts;
    double lse = tgr_log_sum_exp(routing->logits + token * experts, experts);
    for (int64_t i = token * experts; i < (token + 1) * experts; i++) {
        double teacher = g->teacher[i];
        if (teacher != 0) *sum += teacher * (log(teacher) - (routing->logits[i] - lse));
        if (g->share != 0) routing->logits_gradient[i] += (float)(g->share * (routing->probabilities[i] - teacher));
    }
}

void tgr_routing_guide(tgr_routing *routing, const float *teacher, double weight, double *divergence) {
    guidance g = {.teacher = teacher, .share = routing->mode == TGR_TRAIN ? weight / (double)routing->tokens : 0};
    double sum;
    tgr_each_token(routing, guide_token, &g, 1, &sum);
    if (divergence != NULL) *divergence = sum / (double)routing->tokens;
}
