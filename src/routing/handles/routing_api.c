/* SPDX-License-Identifier: MIT */
/* The public functions that read the routing record. */
#include "base/status.h"
#include "base/struct.h"
#include "routing/routing.h"

tgr_status tgr_routing_read(const tgr_routing *routing, tgr_routing_view *view) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    tgr_routing_view found = {.tokens = routing->tokens, .experts = routing->experts, .top_k = routing->top_k};
    if (routing->tokens > 0) {
        found.logits = routing->scores.logits;
        found.probabilities = routing->scores.probabilities;
        found.choices = routing->choices.experts;
        found.gates = routing->choices.gates;
        found.kept = routing->slots.kept;
        found.load = routing->slots.load;
    }
    return TGR_STRUCT_WRITE(view, &found, load);
}

int64_t tgr_routing_term_count(const tgr_routing *routing) {
    return routing != NULL ? routing->losses.term_count : 0;
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
