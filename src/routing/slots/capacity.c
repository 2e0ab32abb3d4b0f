/* SPDX-License-Identifier: MIT */
/* Capacity in two steps: which choices are kept, in order of priority; then slots, in order of tokens, so that experts
 * read memory in ascending order. */
#include "routing/slots/capacity.h"

#include <math.h>
#include <string.h>

#include "routing/slots/falling_key.h"

int64_t tgr_capacity(const tgr_router_options *options, tgr_mode mode, int64_t tokens) {
    double factor = options->capacity_factor[mode];
    if (factor == 0) return tokens;
    double capacity = ceil((double)tokens * (double)options->top_k * factor / (double)options->experts);
    return capacity < (double)tokens ? (int64_t)capacity : tokens;
}

/* One stable pass of a radix sort, by the byte at `shift`. */
static void sort_by_byte(int64_t count, const uint32_t *keys, int shift, const int32_t *from, int32_t *to) {
    int64_t place[257] = {0};
    for (int64_t i = 0; i < count; i++) place[((keys[from[i]] >> shift) & 255) + 1]++;
    for (int b = 0; b < 256; b++) place[b + 1] += place[b];
    for (int64_t i = 0; i < count; i++) to[place[(keys[from[i]] >> shift) & 255]++] = from[i];
}

/* work->order = tokens by their first gate in gates [T, K], largest first, ties by token. */
static void order_by_gate(int64_t tokens, int64_t top_k, const float *gates, tgr_routing_work *work) {
    for (int64_t t = 0; t < tokens; t++) {
        work->priority[t] = tgr_falling_key(gates[t * top_k]);
        work->order[t] = (int32_t)t;
    }
    for (int shift = 0; shift < 32; shift += 16) {
        sort_by_byte(tokens, work->priority, shift, work->order, work->order_before);
        sort_by_byte(tokens, work->priority, shift + 8, work->order_before, work->order);
    }
}

/* kept and load */
static void keep_within_capacity(const tgr_router_options *options, const tgr_routing_pass *pass,
                                 const tgr_choices *choices, tgr_routing_work *work, tgr_slots *slots) {
    int64_t top_k = options->top_k, capacity = tgr_capacity(options, pass->mode, pass->tokens);
    int by_gate = options->batch_prioritized && capacity < pass->tokens;
    if (by_gate) order_by_gate(pass->tokens, top_k, choices->gates, work);
    memset(slots->load, 0, (size_t)options->experts * sizeof *slots->load);
    for (int64_t k = 0; k < top_k; k++) {
        for (int64_t i = 0; i < pass->tokens; i++) {
            int64_t choice = (by_gate ? work->order[i] : i) * top_k + k;
            int64_t *load = &slots->load[choices->experts[choice]];
            slots->kept[choice] = *load < capacity;
            *load += slots->kept[choice];
        }
    }
}

void tgr_assign_slots(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                      tgr_routing_work *work, tgr_slots *slots) {
    int64_t top_k = router->options.top_k, experts = router->options.experts;
    keep_within_capacity(&router->options, pass, choices, work, slots);
    slots->first_slot[0] = 0;
    for (int64_t e = 0; e < experts; e++) {
        slots->first_slot[e + 1] = slots->first_slot[e] + slots->load[e];
        work->next_slot[e] = slots->first_slot[e];
    }
    slots->count = slots->first_slot[experts];
    for (int64_t choice = 0; choice < pass->tokens * top_k; choice++) {
        slots->slot_of_choice[choice] = -1;
        if (!slots->kept[choice]) continue;
        int64_t slot = work->next_slot[choices->experts[choice]]++;
        slots->slot_of_choice[choice] = (int32_t)slot;
        slots->token_of_slot[slot] = (int32_t)(choice / top_k);
    }
}

void tgr_assign_equally(int64_t experts, int64_t each, tgr_slots *slots) {
    for (int64_t e = 0; e < experts; e++) {
        slots->load[e] = each;
        slots->first_slot[e] = e * each;
    }
    slots->count = slots->first_slot[experts] = experts * each;
}
