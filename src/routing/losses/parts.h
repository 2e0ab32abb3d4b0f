/* SPDX-License-Identifier: MIT */
/* The parts that the auxiliary losses share. */
#ifndef TGR_ROUTING_LOSSES_PARTS_H
#define TGR_ROUTING_LOSSES_PARTS_H

#include "routing/work.h"

/* Appends a term; `name` lives as long as the library. */
void tgr_losses_add(tgr_losses *losses, const char *name, double value);

/* CV² = var / mean² (population) of values [count], with its gradient. Not by way of the standard deviation, whose
 * gradient does not exist where all values are equal. */
double tgr_squared_cv(const double *values, int64_t count, double *gradient);
/* ln Σ_e exp(logits[e]) */
double tgr_log_sum_exp(const float *logits, int64_t count);
/* counts [E]: how many choices fall on each expert, before capacity. */
void tgr_count_choices(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                       double *counts);

/* sums [E] = Σ_t p_t */
void tgr_sum_probabilities(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_scores *scores,
                           tgr_routing_work *work, double *sums);
/* For a loss that depends on Σ_t p_t alone, with dsums [E] its gradient: dl_t = p_t ⊙ (dsums - ⟨p_t, dsums⟩), added to
 * dlogits [T, E]. */
void tgr_sum_probabilities_backward(const tgr_layer_router *router, const tgr_routing_pass *pass,
                                    const tgr_scores *scores, const double *dsums, float *dlogits);

#endif
