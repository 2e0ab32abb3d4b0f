/* SPDX-License-Identifier: MIT */
/* y = fc2(gelu(fc1(x))). With h the values before GELU and a those after it, dy gives da, da gives dh, and dh gives dx.
 */
#include "layers/ffn.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"

tgr_status tgr_ffn_declare(tgr_ffn *ffn, tgr_parameters *parameters, const char *prefix, int64_t groups, int64_t dim,
                           int64_t hidden, tgr_precision precision) {
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "%s.fc1", prefix);
    TGR_TRY(tgr_linear_declare(&ffn->fc1, parameters, name, groups, dim, hidden, precision));
    snprintf(name, sizeof name, "%s.fc2", prefix);
    return tgr_linear_declare(&ffn->fc2, parameters, name, groups, hidden, dim, precision);
}

void tgr_ffn_initialise(const tgr_ffn *ffn, double deviation) {
    tgr_linear_initialise(&ffn->fc1, deviation);
    tgr_linear_initialise(&ffn->fc2, deviation);
}

void tgr_ffn_plan_kept(tgr_ffn *ffn, tgr_arena *arena, int64_t rows) {
    ffn->hidden_a = tgr_arena_floats(arena, rows, ffn->fc1.outputs);
}

void tgr_ffn_plan_work(tgr_ffn *ffn, tgr_mode mode, tgr_arena *arena, int64_t rows) {
    int64_t groups = ffn->fc1.groups > 0 ? ffn->fc1.groups : 1;
    ffn->hidden_b = mode == TGR_EVAL ? ffn->hidden_a : tgr_arena_floats(arena, rows, ffn->fc1.outputs);
    ffn->products = tgr_arena_take(arena, groups, 2, sizeof(tgr_gemm));
}

void tgr_ffn_forward(const tgr_ffn *ffn, const int64_t *first, const float *x, float *y, int accumulate) {
    const tgr_row_groups rows = {.first = first, .products = ffn->products};
    tgr_groups_gelu_forward(&ffn->fc1, &rows, x, ffn->hidden_a, ffn->hidden_b);
    tgr_groups_forward(&ffn->fc2, &rows, ffn->hidden_b, y, accumulate);
}

void tgr_ffn_recompute(const tgr_ffn *ffn, const int64_t *first, const float *x) {
    const tgr_row_groups rows = {.first = first, .products = ffn->products};
    tgr_groups_forward(&ffn->fc1, &rows, x, ffn->hidden_a, 0);
}

void tgr_ffn_backward(const tgr_ffn *ffn, const int64_t *first, const float *x, const float *dy, float *dx,
                      int accumulate, float *partial) {
    const tgr_row_groups rows = {.first = first, .products = ffn->products, .partial = partial};
    float *a = ffn->hidden_a, *dh = ffn->hidden_b;
    TGR_ASSERT(a != dh); /* planned for TGR_TRAIN */
    tgr_groups_gelu_backward(&ffn->fc2, &rows, dy, ffn->hidden_a, a, dh);
    tgr_groups_weight_backward(&ffn->fc2, &rows, a, dy);
    tgr_groups_backward(&ffn->fc1, &rows, x, dh, dx, accumulate);
}
