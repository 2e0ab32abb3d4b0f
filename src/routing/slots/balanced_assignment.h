/* SPDX-License-Identifier: MIT */
/* The balanced assignment of tokens to experts with the largest sum of scores: every expert gets floor(T / E) or ceil(T
 * / E) tokens. A transportation problem, solved exactly by shortest paths between the experts.
 *
 * Each expert has a price. If every token chooses the best score - price, the assignment is optimal for the loads that
 * result. It remains so when the surplus of an expert is moved, token by token, along the shortest path to one with a
 * deficit (the length of a step is what the sum of scores loses by it), and the prices are changed by the distances
 * (successive shortest paths; Ahuja, Magnanti and Orlin, Network Flows, 1993, section 9.7). So the sum of scores is
 * optimal, up to the rounding of prices in double.
 *
 * Bound: each path reduces the surplus by one, so there are at most T paths, each with a search of O(E²) and at most E
 * moves of O(B + T/B · E), B being the tokens of a block: it ends whatever the scores are. Good initial prices save
 * most paths: those of an assignment of every fourth token, which starts from one of every 16th, and so on. */
#ifndef TGR_ROUTING_SLOTS_BALANCED_ASSIGNMENT_H
#define TGR_ROUTING_SLOTS_BALANCED_ASSIGNMENT_H

#include <stdint.h>

#include "base/memory.h"

typedef struct tgr_balanced_assignment {
    int64_t experts;
    float *scores; /* [T, E], finite */

    /* The tokens considered at this level: every stride-th, `count` of them, in blocks. */
    int64_t tokens, stride, count, block, blocks;
    int32_t *expert;    /* [count], the caller's: each token's */
    int64_t capacity;   /* ceil(count / E) */
    int64_t *load;      /* [E], tokens */
    uint8_t *spare;     /* [E], 1 if the expert is to stay one below the capacity */
    double *block_cost; /* [E, blocks, E]: the least that a token of the block loses by moving from one expert to the
                           other */
    double *cost;       /* [E, E], the least over all blocks, infinite if there is no token */

    double *price;    /* [E] */
    double *distance; /* [E], from the nearest expert with a surplus */
    int32_t *from;    /* [E], the expert before on that path, -1 at its start */
    uint8_t *reached; /* [E] */
} tgr_balanced_assignment;

/* Takes the buffers for up to `tokens` tokens from the arena: T · E floats and at most
 * T · E + 2 · E² doubles. */
void tgr_balanced_assignment_plan(tgr_balanced_assignment *assignment, tgr_arena *arena, int64_t tokens,
                                  int64_t experts);
/* expert [T] from scores [T, E]. NaN counts as the smallest finite score, infinities as the largest and smallest. The
 * same scores give the same assignment: a token that is indifferent between experts goes to the one with the fewest
 * tokens so far, then to the lower one; of tokens that lose equally, the lower one moves. */
void tgr_assign_balanced(tgr_balanced_assignment *assignment, int64_t tokens, const float *scores, int32_t *expert);

#endif
