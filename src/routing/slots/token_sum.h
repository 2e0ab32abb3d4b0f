/* SPDX-License-Identifier: MIT */
/* Loops over tokens, in parallel, with sums in double whose order does not depend on the number of threads. */
#ifndef TGR_ROUTING_TOKEN_SUM_H
#define TGR_ROUTING_TOKEN_SUM_H

#include "routing/routing.h"

/* Tokens (or slots) of one task. Sums are kept by block and added in the order of blocks. */
#define TGR_TOKEN_BLOCK 64

static inline int64_t tgr_token_blocks(int64_t tokens) {
    return tokens / TGR_TOKEN_BLOCK + (tokens % TGR_TOKEN_BLOCK != 0);
}
/* The end of block `block`, which starts at block · TGR_TOKEN_BLOCK. */
static inline int64_t tgr_token_block_end(int64_t block, int64_t tokens) {
    int64_t end = (block + 1) * TGR_TOKEN_BLOCK;
    return end < tokens ? end : tokens;
}

/* What is done for one token. May add to sum [width]. */
typedef void (*tgr_token_fn)(const tgr_routing *routing, int64_t token, const void *user, double *sum);

/* Calls fn for every token of the batch; sum [width] receives what the calls added up, from zero. width ≤ E; it may be
 * 0 with `sum` NULL. */
void tgr_each_token(const tgr_routing *routing, tgr_token_fn fn, const void *user, int64_t width, double *sum);

#endif
