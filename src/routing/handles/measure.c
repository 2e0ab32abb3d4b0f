/* SPDX-License-Identifier: MIT */
/* Routing measures. */
#include "tgrmoe/measure.h"

#include <math.h>

#include "base/status.h"
#include "base/struct.h"
#include "routing/gates/topk.h"
#include "routing/routing.h"

tgr_status tgr_measure_agreement(const int32_t *a, const int32_t *b, int64_t tokens, double *agreement) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(a);
    TGR_REQUIRE_ARGUMENT(b);
    TGR_REQUIRE_ARGUMENT(agreement);
    TGR_REQUIRE(tokens >= 1, TGR_ERROR_RANGE, "argument 'tokens' is %lld; it must be at least 1", (long long)tokens);
    int64_t same = 0;
    for (int64_t t = 0; t < tokens; t++) same += a[t] == b[t];
    *agreement = (double)same / (double)tokens;
    return TGR_OK;
}

tgr_status tgr_measure_overlap(const int32_t *a, const int32_t *b, int64_t tokens, int64_t top_k, double *overlap) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(a);
    TGR_REQUIRE_ARGUMENT(b);
    TGR_REQUIRE_ARGUMENT(overlap);
    TGR_REQUIRE(tokens >= 1, TGR_ERROR_RANGE, "argument 'tokens' is %lld; it must be at least 1", (long long)tokens);
    TGR_REQUIRE(top_k >= 1, TGR_ERROR_RANGE, "argument 'top_k' is %lld; it must be at least 1", (long long)top_k);
    int64_t shared = 0;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = t * top_k; i < (t + 1) * top_k; i++)
            for (int64_t j = t * top_k; j < (t + 1) * top_k; j++) shared += a[i] == b[j];
    *overlap = (double)shared / ((double)tokens * (double)top_k);
    return TGR_OK;
}

tgr_status tgr_measure_load_cv(const int64_t *load, int64_t experts, double *cv) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(load);
    TGR_REQUIRE_ARGUMENT(cv);
    TGR_REQUIRE(experts >= 1, TGR_ERROR_RANGE, "argument 'experts' is %lld; it must be at least 1", (long long)experts);
    double mean = 0, variance = 0;
    for (int64_t e = 0; e < experts; e++) mean += (double)load[e] / (double)experts;
    for (int64_t e = 0; e < experts; e++)
        variance += ((double)load[e] - mean) * ((double)load[e] - mean) / (double)experts;
    *cv = mean != 0 ? sqrt(variance) / mean : 0;
    return TGR_OK;
}

/* -Σ p ln p over all tokens */
static double total_entropy(const tgr_routing *routing) {
    double sum = 0;
    for (int64_t i = 0; i < routing->tokens * routing->experts; i++) {
        double p = routing->scores.probabilities[i];
        if (p != 0) sum -= p * log(p);
    }
    return sum;
}

static double total_margin(const tgr_routing *routing) {
    int64_t experts = routing->experts;
    if (experts == 1) return (double)routing->tokens;
    double sum = 0;
    for (int64_t t = 0; t < routing->tokens; t++) {
        const float *p = routing->scores.probabilities + t * experts;
        int64_t first = tgr_next_largest(p, experts, -1);
        sum += (double)p[first] - p[tgr_next_largest(p, experts, first)];
    }
    return sum;
}

tgr_status tgr_measure_routing(const tgr_routing *routing, tgr_routing_measures *measures) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_REQUIRE(routing->tokens > 0, TGR_ERROR_STATE, "a forward pass is needed first");
    const double tokens = (double)routing->tokens, choices = tokens * (double)routing->top_k;
    tgr_routing_measures found = {.entropy = total_entropy(routing) / tokens, .margin = total_margin(routing) / tokens};
    int64_t dropped = 0;
    for (int64_t e = 0; e < routing->experts; e++) found.dead += routing->slots.load[e] == 0;
    for (int64_t i = 0; i < routing->tokens * routing->top_k; i++) dropped += !routing->slots.kept[i];
    found.dropped = (double)dropped / choices;
    TGR_TRY(tgr_measure_load_cv(routing->slots.load, routing->experts, &found.load_cv));
    return TGR_STRUCT_WRITE(measures, &found, dead);
}
