/* SPDX-License-Identifier: MIT */
/* The comments of routing.h as conditions. */
#include "routing/sound.h"

#include "routing/method.h"

#ifdef TGR_ASSERTIONS
int tgr_choices_are_sound(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices) {
    int64_t experts = router->options.experts, top_k = router->options.top_k;
    for (int64_t choice = 0; choice < pass->tokens * top_k; choice++) {
        int32_t expert = choices->experts[choice];
        if (expert < 0 || expert >= experts) return 0;
        for (int64_t before = choice - choice % top_k; before < choice; before++)
            if (choices->experts[before] == expert) return 0;
    }
    return 1;
}

/* first_slot, load, count */
static int experts_have_theirs(int64_t experts, const tgr_slots *slots) {
    if (slots->first_slot[0] != 0 || slots->count != slots->first_slot[experts]) return 0;
    for (int64_t e = 0; e < experts; e++)
        if (slots->load[e] < 0 || slots->first_slot[e + 1] - slots->first_slot[e] != slots->load[e]) return 0;
    return 1;
}

/* token_of_slot */
static int tokens_ascend(int64_t experts, int64_t tokens, const tgr_slots *slots) {
    for (int64_t e = 0; e < experts; e++) {
        int64_t before = -1;
        for (int64_t slot = slots->first_slot[e]; slot < slots->first_slot[e + 1]; slot++) {
            if (slots->token_of_slot[slot] <= before || slots->token_of_slot[slot] >= tokens) return 0;
            before = slots->token_of_slot[slot];
        }
    }
    return 1;
}

/* kept, slot_of_choice */
static int choices_have_theirs(int64_t tokens, int64_t top_k, const tgr_choices *choices, const tgr_slots *slots) {
    for (int64_t choice = 0; choice < tokens * top_k; choice++) {
        int64_t slot = slots->slot_of_choice[choice], expert = choices->experts[choice];
        if (slots->kept[choice] != (slot >= 0)) return 0;
        if (slot < 0) continue;
        if (slot < slots->first_slot[expert] || slot >= slots->first_slot[expert + 1]) return 0;
        if (slots->token_of_slot[slot] != choice / top_k) return 0;
    }
    return 1;
}

/* first_slot_of_token, slots_of_token */
static int tokens_have_theirs(int64_t tokens, const tgr_slots *slots) {
    if (slots->first_slot_of_token[0] != 0 || slots->first_slot_of_token[tokens] != slots->count) return 0;
    for (int64_t t = 0; t < tokens; t++) {
        int64_t before = -1;
        for (int64_t i = slots->first_slot_of_token[t]; i < slots->first_slot_of_token[t + 1]; i++) {
            int64_t slot = slots->slots_of_token[i];
            if (slot <= before || slot >= slots->count || slots->token_of_slot[slot] != t) return 0;
            before = slot;
        }
    }
    return 1;
}

int tgr_slots_are_sound(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                        const tgr_slots *slots) {
    int64_t experts = router->options.experts, top_k = router->options.top_k;
    if (!experts_have_theirs(experts, slots)) return 0;
    if (slots->count > tgr_layer_router_most_slots(router, pass->mode, pass->tokens)) return 0;
    if (router->method->mixes_tokens) return 1; /* slots belong to no token */
    if (!tokens_ascend(experts, pass->tokens, slots)) return 0;
    if (!choices_have_theirs(pass->tokens, top_k, choices, slots)) return 0;
    return !router->method->weighs_slots || tokens_have_theirs(pass->tokens, slots);
}
#endif
