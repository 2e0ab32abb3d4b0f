/* SPDX-License-Identifier: MIT */
/* The routing record as the public sees it. */
#include "base/status.h"
#include "base/struct.h"
#include "routing/routing.h"

tgr_status tgr_routing_read(const tgr_routing *routing, tgr_routing_view *view) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    tgr_routing_view found = {
        .tokens = routing->tokens, .experts = routing->options.experts, .top_k = routing->options.top_k};
    if (routing->tokens > 0) {
        found.logits = routing->logits;
        found.probabilities = routing->probabilities;
        found.choices = routing->choices;
        found.gates = routing->gates;
        found.kept = routing->kept;
        found.load = routing->load;
    }
    return TGR_STRUCT_WRITE(view, &found, load);
}

int64_t tgr_routing_term_count(const tgr_routing *routing) {
    return routing != NULL ? routing->term_count : 0;
}

tgr_status tgr_routing_term(const tgr_routing *routing, int64_t index, const char **name, double *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(routing);
    TGR_REQUIRE(index >= 0 && index < routing->term_count, TGR_ERROR_RANGE,
                "argument 'index' is %lld; the last batch has %lld terms", (long long)index,
                (long long)routing->term_count);
    if (name != NULL) *name = routing->terms[index].name;
    if (value != NULL) *value = routing->terms[index].value;
    return TGR_OK;
}
