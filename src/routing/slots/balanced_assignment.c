/* SPDX-License-Identifier: MIT */
/* Balanced assignment by shortest paths. */
#include "routing/slots/balanced_assignment.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"

#define LEVEL 4 /* each level has this many times the tokens of the one before */

/* Long enough that block_cost has at most T · E + E² numbers. */
static int64_t block_of(int64_t experts) {
    return experts > 256 ? experts : 256;
}

static int64_t blocks_of(int64_t tokens, int64_t block) {
    return tokens / block + (tokens % block != 0);
}

void tgr_balanced_assignment_plan(tgr_balanced_assignment *assignment, tgr_arena *arena, int64_t tokens,
                                  int64_t experts) {
    int64_t rows, blocks = blocks_of(tokens, block_of(experts));
    if (!tgr_multiply(blocks, experts, &rows)) rows = -1;
    assignment->experts = experts;
    assignment->scores = tgr_arena_floats(arena, tokens, experts);
    assignment->load = tgr_arena_take(arena, experts, 1, sizeof *assignment->load);
    assignment->spare = tgr_arena_take(arena, experts, 1, sizeof *assignment->spare);
    assignment->block_cost = tgr_arena_take(arena, rows, experts, sizeof *assignment->block_cost);
    assignment->cost = tgr_arena_take(arena, experts, experts, sizeof *assignment->cost);
    assignment->price = tgr_arena_take(arena, experts, 1, sizeof *assignment->price);
    assignment->distance = tgr_arena_take(arena, experts, 1, sizeof *assignment->distance);
    assignment->from = tgr_arena_take(arena, experts, 1, sizeof *assignment->from);
    assignment->reached = tgr_arena_take(arena, experts, 1, sizeof *assignment->reached);
}

static float finite_score(float score) {
    if (isnan(score)) return -FLT_MAX;
    return score > FLT_MAX ? FLT_MAX : score < -FLT_MAX ? -FLT_MAX : score;
}

static const float *scores_of(const tgr_balanced_assignment *a, int64_t token) {
    return a->scores + token * a->stride * a->experts;
}

static void find_block_cost(tgr_balanced_assignment *a, int64_t expert, int64_t block) {
    int64_t experts = a->experts, end = (block + 1) * a->block;
    double *costs = a->block_cost + (expert * a->blocks + block) * experts;
    for (int64_t e = 0; e < experts; e++) costs[e] = INFINITY;
    for (int64_t t = block * a->block; t < end && t < a->count; t++) {
        if (a->expert[t] != expert) continue;
        const float *scores = scores_of(a, t);
        double own = scores[expert];
        for (int64_t e = 0; e < experts; e++) costs[e] = own - scores[e] < costs[e] ? own - scores[e] : costs[e];
    }
}

static void find_cost(tgr_balanced_assignment *a, int64_t expert) {
    int64_t experts = a->experts;
    double *costs = a->cost + expert * experts;
    for (int64_t e = 0; e < experts; e++) costs[e] = INFINITY;
    for (int64_t block = 0; block < a->blocks; block++) {
        const double *of_block = a->block_cost + (expert * a->blocks + block) * experts;
        for (int64_t e = 0; e < experts; e++) costs[e] = of_block[e] < costs[e] ? of_block[e] : costs[e];
    }
}

/* Sends every token to the expert with the best score - price, and of equal ones to the one with the fewest tokens so
 * far. */
static void choose_by_price(tgr_balanced_assignment *a) {
    memset(a->load, 0, (size_t)a->experts * sizeof *a->load);
    for (int64_t t = 0; t < a->count; t++) {
        const float *scores = scores_of(a, t);
        int64_t best = 0;
        for (int64_t e = 1; e < a->experts; e++) {
            double gain = (scores[e] - a->price[e]) - (scores[best] - a->price[best]);
            if (gain > 0 || (gain == 0 && a->load[e] < a->load[best])) best = e;
        }
        a->expert[t] = (int32_t)best;
        a->load[best]++;
    }
}

/* T = q · E + r with r > 0: all but r experts have a spare place, initially those with the lowest prices. */
static void place_spares(tgr_balanced_assignment *a) {
    int64_t rest = a->count % a->experts, spares = rest > 0 ? a->experts - rest : 0;
    a->capacity = a->count / a->experts + (rest > 0);
    memset(a->spare, 0, (size_t)a->experts * sizeof *a->spare);
    for (int64_t i = 0; i < spares; i++) {
        int64_t lowest = -1;
        for (int64_t e = 0; e < a->experts; e++)
            if (!a->spare[e] && (lowest < 0 || a->price[e] < a->price[lowest])) lowest = e;
        a->spare[lowest] = 1;
    }
}

static int64_t surplus(const tgr_balanced_assignment *a, int64_t expert) {
    return a->load[expert] + a->spare[expert] - a->capacity;
}

/* Moving a spare place costs nothing. */
static int moves_spare(const tgr_balanced_assignment *a, int64_t from, int64_t to) {
    return a->spare[from] && !a->spare[to] && a->cost[from * a->experts + to] >= 0;
}

static int64_t nearest(const tgr_balanced_assignment *a) {
    int64_t best = -1;
    for (int64_t e = 0; e < a->experts; e++) {
        if (a->reached[e] || a->distance[e] == INFINITY) continue;
        if (best < 0 || a->distance[e] < a->distance[best]) best = e;
    }
    return best;
}

/* Dijkstra's search from all experts with a surplus, on costs that prices keep from being negative. Returns the nearest
 * expert with a deficit, after changing the prices so that the path to it costs nothing; -1 when all are balanced. */
static int64_t find_path(tgr_balanced_assignment *a) {
    int64_t experts = a->experts, expert;
    for (int64_t e = 0; e < experts; e++) {
        a->distance[e] = surplus(a, e) > 0 ? 0 : INFINITY;
        a->from[e] = -1;
        a->reached[e] = 0;
    }
    while ((expert = nearest(a)) >= 0 && surplus(a, expert) >= 0) {
        a->reached[expert] = 1;
        for (int64_t e = 0; e < experts; e++) {
            if (a->reached[e]) continue;
            double cost = moves_spare(a, expert, e) ? 0 : a->cost[expert * experts + e];
            double step = cost - a->price[expert] + a->price[e]; /* below 0 only by rounding */
            double length = a->distance[expert] + (step > 0 ? step : 0);
            if (!(length < a->distance[e])) continue;
            a->distance[e] = length;
            a->from[e] = (int32_t)expert;
        }
    }
    if (expert < 0) return -1;
    double farthest = a->distance[expert];
    for (int64_t e = 0; e < experts; e++) a->price[e] -= a->distance[e] < farthest ? a->distance[e] : farthest;
    return expert;
}

/* The token of `from` that loses least by moving to `to`; of equal ones the first. */
static int64_t cheapest_token(const tgr_balanced_assignment *a, int64_t from, int64_t to) {
    const double *costs = a->block_cost + from * a->blocks * a->experts + to;
    int64_t block = 0, token = -1;
    for (int64_t b = 1; b < a->blocks; b++)
        if (costs[b * a->experts] < costs[block * a->experts]) block = b;
    double least = INFINITY;
    for (int64_t t = block * a->block; t < (block + 1) * a->block && t < a->count; t++) {
        if (a->expert[t] != from) continue;
        const float *scores = scores_of(a, t);
        double cost = (double)scores[from] - scores[to];
        if (!(cost < least)) continue;
        least = cost;
        token = t;
    }
    return token;
}

static void move(tgr_balanced_assignment *a, int64_t from, int64_t to) {
    if (moves_spare(a, from, to)) {
        a->spare[from] = 0;
        a->spare[to] = 1;
        return;
    }
    int64_t token = cheapest_token(a, from, to);
    TGR_ASSERT(token >= 0); /* the path goes this way, so its cost is finite */
    a->expert[token] = (int32_t)to;
    a->load[from]--;
    a->load[to]++;
    find_block_cost(a, from, token / a->block);
    find_block_cost(a, to, token / a->block);
    find_cost(a, from);
    find_cost(a, to);
}

/* Balances every stride-th token, starting from the present prices and updating them. */
static void balance(tgr_balanced_assignment *a, int64_t stride) {
    int64_t to;
    a->stride = stride;
    a->count = blocks_of(a->tokens, stride);
    a->block = block_of(a->experts);
    a->blocks = blocks_of(a->count, a->block);
    choose_by_price(a);
    place_spares(a);
    for (int64_t e = 0; e < a->experts; e++) {
        for (int64_t block = 0; block < a->blocks; block++) find_block_cost(a, e, block);
        find_cost(a, e);
    }
    while ((to = find_path(a)) >= 0) /* its last step first: moves do not affect the steps before */
        for (int64_t e = to; a->from[e] >= 0; e = a->from[e]) move(a, a->from[e], e);
}

void tgr_assign_balanced(tgr_balanced_assignment *a, int64_t tokens, const float *scores, int32_t *expert) {
    int64_t stride = 1;
    a->tokens = tokens;
    a->expert = expert;
    for (int64_t i = 0; i < tokens * a->experts; i++) a->scores[i] = finite_score(scores[i]);
    for (int64_t e = 0; e < a->experts; e++) a->price[e] = 0;
    while (tokens / (stride * LEVEL) >= a->experts) stride *= LEVEL;
    for (; stride > 0; stride /= LEVEL) balance(a, stride);
}
