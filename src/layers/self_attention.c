/* SPDX-License-Identifier: MIT */
/* Multi-head self-attention with its projections (Vaswani et al., 2017). */
#include "layers/self_attention.h"

#include <stdio.h>

#include "base/status.h"

tgr_status tgr_self_attention_add(tgr_self_attention *attention, tgr_parameters *parameters, const char *prefix,
                                  int64_t dim, int64_t heads) {
    char name[TGR_NAME_BYTES];
    attention->heads = heads;
    attention->mask = TGR_MASK_NONE;
    snprintf(name, sizeof name, "%s.qkv", prefix);
    TGR_TRY(tgr_linear_add(&attention->qkv, parameters, name, dim, 3 * dim));
    snprintf(name, sizeof name, "%s.proj", prefix);
    return tgr_linear_add(&attention->proj, parameters, name, dim, dim);
}

void tgr_self_attention_initialise(const tgr_self_attention *attention, tgr_parameters *parameters, double deviation) {
    tgr_linear_initialise(&attention->qkv, parameters, deviation);
    tgr_linear_initialise(&attention->proj, parameters, deviation);
}

void tgr_self_attention_plan(tgr_self_attention *attention, const tgr_pass *pass, tgr_arena *arena) {
    attention->packed = tgr_arena_floats(arena, pass->rows, 3 * pass->dim);
    attention->attended = tgr_arena_floats(arena, pass->rows, pass->dim);
    attention->lse = tgr_arena_floats(arena, pass->rows, attention->heads);
}

static tgr_attention heads_of(const tgr_self_attention *attention, const tgr_pass *pass) {
    return (tgr_attention){.batch = pass->batch,
                           .tokens = pass->tokens,
                           .heads = attention->heads,
                           .head_dim = pass->dim / attention->heads,
                           .mask = attention->mask,
                           .precision = pass->precision,
                           .qkv = attention->packed,
                           .out = attention->attended,
                           .lse = attention->lse};
}

void tgr_self_attention_forward(const tgr_self_attention *attention, const tgr_pass *pass, const float *x, float *y) {
    tgr_attention heads = heads_of(attention, pass);
    tgr_linear_forward(&attention->qkv, pass, pass->rows, x, pass->dim, attention->packed, 0);
    tgr_attention_forward(pass->compute, &heads);
    tgr_linear_forward(&attention->proj, pass, pass->rows, attention->attended, pass->dim, y, 0);
}

void tgr_self_attention_backward(const tgr_self_attention *attention, const tgr_pass *pass, const float *x,
                                 const float *dy, float *dx) {
    tgr_attention heads = heads_of(attention, pass);
    float *attended_gradient = dx; /* [rows, dim]; dx is written last */
    float *packed_gradient = pass->wide;
    tgr_linear_backward(&attention->proj, pass, pass->rows, attention->attended, pass->dim, dy, attended_gradient, 0);
    tgr_attention_backward(pass->compute, &heads, attended_gradient, packed_gradient);
    tgr_linear_backward(&attention->qkv, pass, pass->rows, x, pass->dim, packed_gradient, dx, 0);
}
