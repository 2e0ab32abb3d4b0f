/* SPDX-License-Identifier: MIT */
/**
 * @file measure.h
 * Routing measures as pure functions: how stable and how even the routing is.
 */
#ifndef TGRMOE_MEASURE_H
#define TGRMOE_MEASURE_H

#include "tgrmoe/routing.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The share of tokens with the same first choice in both, in [0, 1]. @param a,b experts, [tokens] @param tokens ≥ 1 */
TGR_API tgr_status tgr_measure_agreement(const int32_t *a, const int32_t *b, int64_t tokens, double *agreement);
/** The mean share of a token's K experts that are in both sets, in [0, 1]. @param a,b experts, [tokens, top_k] */
TGR_API tgr_status tgr_measure_overlap(const int32_t *a, const int32_t *b, int64_t tokens, int64_t top_k,
                                       double *overlap);
/** The coefficient of variation of the loads, population deviation over mean; 0 when all are zero.
 *  @param load [experts] @param experts ≥ 1 */
TGR_API tgr_status tgr_measure_load_cv(const int64_t *load, int64_t experts, double *cv);
/** The measures of one routing. */
typedef struct tgr_routing_measures {
    size_t struct_size; /**< sizeof(tgr_routing_measures), set by the caller */
    double load_cv;     /**< tgr_measure_load_cv() of the experts' loads */
    double entropy;     /**< mean over tokens of -Σ p ln p, in nats */
    double margin;      /**< mean over tokens of the largest minus the second largest p; 1 with one expert */
    double dropped;     /**< share of choices without a slot */
    int64_t dead;       /**< experts that computed no token */
} tgr_routing_measures;

/** The measures of the last batch's routing. ERROR_STATE before the first forward pass. */
TGR_API tgr_status tgr_measure_routing(const tgr_routing *routing, tgr_routing_measures *measures);

#ifdef __cplusplus
}
#endif
#endif
