/* SPDX-License-Identifier: MIT */
/* Multi-head self-attention with its projections (Vaswani et al., 2017). */
#include "layers/self_attention.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"

tgr_status tgr_self_attention_declare(tgr_self_attention *attention, tgr_parameters *parameters, const char *prefix,
                                      int64_t tokens, int64_t dim, int64_t heads, tgr_precision precision) {
    char name[TGR_NAME_BYTES];
    attention->tokens = tokens;
    attention->heads = heads;
    snprintf(name, sizeof name, "%s.qkv", prefix);
    TGR_TRY(tgr_linear_declare(&attention->qkv, parameters, name, 0, dim, 3 * dim, precision));
    snprintf(name, sizeof name, "%s.proj", prefix);
    return tgr_linear_declare(&attention->proj, parameters, name, 0, dim, dim, precision);
}

void tgr_self_attention_initialise(const tgr_self_attention *attention, double deviation) {
    tgr_linear_initialise(&attention->qkv, deviation);
    tgr_linear_initialise(&attention->proj, deviation);
}

void tgr_self_attention_plan_kept(tgr_self_attention *attention, tgr_arena *arena, int64_t rows) {
    attention->packed = tgr_arena_floats(arena, rows, attention->qkv.outputs);
    attention->attended = tgr_arena_floats(arena, rows, attention->proj.inputs);
    attention->lse = tgr_arena_floats(arena, rows, attention->heads);
}

void tgr_self_attention_plan_work(tgr_self_attention *attention, tgr_mode mode, tgr_arena *arena, int64_t rows) {
    attention->dpacked = mode == TGR_TRAIN ? tgr_arena_floats(arena, rows, attention->qkv.outputs) : NULL;
}

static tgr_attention heads_of(const tgr_self_attention *attention, int64_t batch) {
    return (tgr_attention){.batch = batch,
                           .tokens = attention->tokens,
                           .heads = attention->heads,
                           .head_dim = attention->proj.inputs / attention->heads,
                           .precision = attention->qkv.precision,
                           .qkv = attention->packed,
                           .out = attention->attended,
                           .lse = attention->lse};
}

void tgr_self_attention_forward(const tgr_self_attention *attention, int64_t batch, const float *x, float *y) {
    int64_t rows = batch * attention->tokens;
    tgr_attention heads = heads_of(attention, batch);
    tgr_linear_forward(&attention->qkv, rows, x, attention->packed, 0);
    tgr_attention_forward(tgr_parameters_compute(attention->qkv.parameters), &heads);
    tgr_linear_forward(&attention->proj, rows, attention->attended, y, 0);
}

void tgr_self_attention_backward(const tgr_self_attention *attention, int64_t batch, const float *x, const float *dy,
                                 float *dx, float *partial) {
    int64_t rows = batch * attention->tokens;
    tgr_attention heads = heads_of(attention, batch);
    TGR_ASSERT(attention->dpacked != NULL); /* planned for TGR_TRAIN */
    float *dattended = dx;                  /* [rows, dim]; dx is written last */
    tgr_linear_backward(&attention->proj, rows, attention->attended, dy, dattended, 0, partial);
    tgr_attention_backward(tgr_parameters_compute(attention->qkv.parameters), &heads, dattended, attention->dpacked);
    tgr_linear_backward(&attention->qkv, rows, x, attention->dpacked, dx, 0, partial);
}
