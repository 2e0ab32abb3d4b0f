/* SPDX-License-Identifier: MIT */
/* Top-K by repeated search: K is small. */
#include "routing/gates/topk.h"

#include <math.h>

#include "base/assert.h"

static float rank_of(float value) {
    return isnan(value) ? -INFINITY : value;
}

int64_t tgr_next_largest(const float *values, int64_t count, int64_t previous) {
    float limit = previous < 0 ? INFINITY : rank_of(values[previous]), best_rank = -INFINITY;
    int64_t best = -1;
    for (int64_t i = 0; i < count; i++) {
        float rank = rank_of(values[i]);
        int comes_after = rank < limit || (rank == limit && i > previous);
        if (comes_after && (best < 0 || rank > best_rank)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

void tgr_top_k(const float *values, int64_t count, int64_t k, int32_t *indices) {
    int64_t previous = -1;
    for (int64_t i = 0; i < k; i++) {
        previous = tgr_next_largest(values, count, previous);
        TGR_ASSERT(previous >= 0);
        indices[i] = (int32_t)previous;
    }
}
