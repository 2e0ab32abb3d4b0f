/* SPDX-License-Identifier: MIT */
/* Capacity in two passes: who is kept, in order of priority; then slots, in order of tokens so that experts read memory
 * upwards. */
#include "routing/slots/capacity.h"

#include <math.h>
#include <string.h>

#include "routing/slots/falling_key.h"

int64_t tgr_capacity_of(const tgr_routing *routing, int64_t tokens, tgr_mode mode) {
    const tgr_router_options *options = &routing->options;
    double factor = options->capacity_factor[mode];
    if (factor == 0) return tokens;
    double capacity = ceil((double)tokens * (double)options->top_k * factor / (double)options->experts);
    return capacity < (double)tokens ? (int64_t)capacity : tokens;
}

int64_t tgr_capacity(const tgr_routing *routing) {
    return tgr_capacity_of(routing, routing->tokens, routing->mode);
}

/* One stable pass of a radix sort, by the byte at `shift`. */
static void sort_by_byte(int64_t count, const uint32_t *keys, int shift, const int32_t *from, int32_t *to) {
    int64_t place[257] = {0};
    for (int64_t i = 0; i < count; i++) place[((keys[from[i]] >> shift) & 255) + 1]++;
    for (int b = 0; b < 256; b++) place[b + 1] += place[b];
    for (int64_t i = 0; i < count; i++) to[place[(keys[from[i]] >> shift) & 255]++] = from[i];
}

/* order = tokens by their first gate, largest first, ties by token. */
static void order_by_gate(tgr_routing *routing) {
    int64_t tokens = routing->tokens;
    for (int64_t t = 0; t < tokens; t++) {
        routing->priority[t] = tgr_falling_key(routing->gates[t * routing->options.top_k]);
        routing->order[t] = (int32_t)t;
    }
    for (int shift = 0; shift < 32; shift += 16) {
        sort_by_byte(tokens, routing->priority, shift, routing->order, routing->order_before);
        sort_by_byte(tokens, routing->priority, shift + 8, routing->order_before, routing->order);
    }
}

static void keep_within_capacity(tgr_routing *routing) {
    int64_t top_k = routing->options.top_k, capacity = tgr_capacity(routing);
    int by_gate = routing->options.batch_prioritized && capacity < routing->tokens;
    if (by_gate) order_by_gate(routing);
    memset(routing->load, 0, (size_t)routing->options.experts * sizeof *routing->load);
    for (int64_t k = 0; k < top_k; k++) {
        for (int64_t i = 0; i < routing->tokens; i++) {
            int64_t choice = (by_gate ? routing->order[i] : i) * top_k + k;
            int64_t *load = &routing->load[routing->choices[choice]];
            routing->kept[choice] = *load < capacity;
            *load += routing->kept[choice];
        }
    }
}

void tgr_assign_slots(tgr_routing *routing) {
    int64_t top_k = routing->options.top_k, experts = routing->options.experts;
    keep_within_capacity(routing);
    routing->first_slot[0] = 0;
    for (int64_t e = 0; e < experts; e++) {
        routing->first_slot[e + 1] = routing->first_slot[e] + routing->load[e];
        routing->cursor[e] = routing->first_slot[e];
    }
    routing->slots = routing->first_slot[experts];
    for (int64_t choice = 0; choice < routing->tokens * top_k; choice++) {
        routing->slot_of_choice[choice] = -1;
        if (!routing->kept[choice]) continue;
        int64_t slot = routing->cursor[routing->choices[choice]]++;
        routing->slot_of_choice[choice] = (int32_t)slot;
        routing->token_of_slot[slot] = (int32_t)(choice / top_k);
    }
}
