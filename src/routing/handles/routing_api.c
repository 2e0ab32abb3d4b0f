/* SPDX-License-Identifier: MIT */
/* The public functions that read the routing record. */
#include "base/status.h"
#include "routing/routing.h"

/* Before the first batch there is nothing to read. */
#define REQUIRE_BATCH(routing)                                                                 \
    do {                                                                                       \
        TGR_REQUIRE_ARGUMENT(routing);                                                         \
        TGR_REQUIRE((routing)->tokens > 0, TGR_ERROR_STATE, "a forward pass is needed first"); \
    } while (0)

tgr_status tgr_routing_shape(const tgr_routing *routing, int64_t *tokens, int64_t *experts, int64_t *top_k) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    if (tokens != NULL) *tokens = routing->tokens;
    if (experts != NULL) *experts = routing->experts;
    if (top_k != NULL) *top_k = routing->top_k;
    return TGR_OK;
}

tgr_status tgr_routing_probabilities(const tgr_routing *routing, const float **logits, const float **probabilities) {
    TGR_ENTER;
    REQUIRE_BATCH(routing);
    if (logits != NULL) *logits = routing->scores.logits;
    if (probabilities != NULL) *probabilities = routing->scores.probabilities;
    return TGR_OK;
}

tgr_status tgr_routing_choices(const tgr_routing *routing, const int32_t **experts, const float **gates) {
    TGR_ENTER;
    REQUIRE_BATCH(routing);
    if (experts != NULL) *experts = routing->choices.experts;
    if (gates != NULL) *gates = routing->choices.gates;
    return TGR_OK;
}

tgr_status tgr_routing_kept(const tgr_routing *routing, const uint8_t **kept) {
    TGR_ENTER;
    REQUIRE_BATCH(routing);
    TGR_REQUIRE_ARGUMENT(kept);
    *kept = routing->slots.kept;
    return TGR_OK;
}

tgr_status tgr_routing_load(const tgr_routing *routing, const int64_t **load) {
    TGR_ENTER;
    REQUIRE_BATCH(routing);
    TGR_REQUIRE_ARGUMENT(load);
    *load = routing->slots.load;
    return TGR_OK;
}

tgr_status tgr_routing_terms(const tgr_routing *routing, int64_t *count) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_REQUIRE_ARGUMENT(count);
    *count = routing->losses.term_count;
    return TGR_OK;
}

tgr_status tgr_routing_term(const tgr_routing *routing, int64_t index, const char **name, double *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_REQUIRE(index >= 0 && index < routing->losses.term_count, TGR_ERROR_RANGE,
                "argument 'index' is %lld; the last batch has %lld terms", (long long)index,
                (long long)routing->losses.term_count);
    if (name != NULL) *name = routing->losses.terms[index].name;
    if (value != NULL) *value = routing->losses.terms[index].value;
    return TGR_OK;
}
