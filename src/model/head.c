/* SPDX-License-Identifier: MIT */
/* Final norm and heads. */
#include "model/head.h"

#include "base/status.h"
#include "kernels/copy.h"

/* A Linear on one token of each image. */
static tgr_status declare_linear(tgr_linear *linear, tgr_parameters *parameters, const char *name,
                                 const tgr_config *config, const tgr_dimensions *dimensions) {
    tgr_precision precision = (tgr_precision)tgr_option_i64(config, TGR_OPTION_PRECISION);
    TGR_TRY(tgr_linear_declare(linear, parameters, name, 0, dimensions->dim, dimensions->classes, precision));
    linear->x_stride = dimensions->tokens * dimensions->dim;
    return TGR_OK;
}

tgr_status tgr_head_declare(tgr_head *head, tgr_parameters *parameters, const tgr_config *config,
                            const tgr_dimensions *dimensions) {
    TGR_TRY(tgr_norm_declare(&head->norm, parameters, "norm", dimensions->dim,
                             tgr_option_f64(config, TGR_OPTION_NORM_EPSILON)));
    head->classes = dimensions->classes;
    head->tokens = dimensions->tokens;
    head->count = head->classes > 0 ? dimensions->prefix_tokens : 0;
    if (head->count > 0) TGR_TRY(declare_linear(&head->linear[0], parameters, "head", config, dimensions));
    if (head->count > 1) TGR_TRY(declare_linear(&head->linear[1], parameters, "head_dist", config, dimensions));
    return TGR_OK;
}

void tgr_head_initialise(const tgr_head *head, double deviation) {
    tgr_norm_initialise(&head->norm);
    for (int64_t i = 0; i < head->count; i++) tgr_linear_initialise(&head->linear[i], deviation);
}

void tgr_head_plan(tgr_head *head, tgr_mode mode, tgr_arena *arena, int64_t batch, int64_t rows) {
    tgr_norm_plan_kept(&head->norm, arena, rows);
    head->features = tgr_arena_floats(arena, rows, head->norm.dim);
    head->logits = tgr_arena_floats(arena, batch, head->classes);
    head->dlogits = mode == TGR_TRAIN && head->count > 1 ? tgr_arena_floats(arena, batch, head->classes) : NULL;
}

void tgr_head_forward(const tgr_head *head, int64_t batch, const float *x) {
    tgr_norm_forward(&head->norm, batch * head->tokens, x, head->features);
    for (int64_t i = 0; i < head->count; i++)
        tgr_linear_forward(&head->linear[i], batch, head->features + i * head->norm.dim, head->logits, i > 0);
    if (head->count > 1)
        for (int64_t i = 0; i < batch * head->classes; i++) head->logits[i] *= 0.5f;
}

/* Adds to the gradient of the features [batch, tokens, dim]. */
static void logits_backward(const tgr_head *head, int64_t batch, const float *dlogits, float *dfeatures,
                            float *partial) {
    const float *dlogits_each = dlogits;
    if (head->count > 1) {
        for (int64_t i = 0; i < batch * head->classes; i++) head->dlogits[i] = 0.5f * dlogits[i];
        dlogits_each = head->dlogits;
    }
    for (int64_t i = 0; i < head->count; i++) {
        int64_t offset = i * head->norm.dim;
        tgr_linear_backward(&head->linear[i], batch, head->features + offset, dlogits_each, dfeatures + offset, 1,
                            partial);
    }
}

void tgr_head_backward(const tgr_head *head, int64_t batch, const float *x, const float *dlogits,
                       const float *dfeatures, float *dx, float *partial) {
    int64_t rows = batch * head->tokens;
    tgr_copy(tgr_parameters_compute(head->norm.parameters), rows * head->norm.dim, dfeatures, dx);
    if (dlogits != NULL) logits_backward(head, batch, dlogits, dx, partial);
    tgr_norm_backward(&head->norm, rows, x, dx, dx, 0, partial);
}
