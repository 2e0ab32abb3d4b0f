/* SPDX-License-Identifier: MIT */
/* Final norm and heads. */
#include "model/head.h"

#include "base/status.h"
#include "kernels/copy.h"

tgr_status tgr_head_add(tgr_head *head, tgr_parameters *parameters, const tgr_config *config,
                        const tgr_dimensions *dimensions) {
    TGR_TRY(tgr_norm_add(&head->norm, parameters, "norm", dimensions->dim,
                         tgr_option_f64(config, TGR_OPTION_NORM_EPSILON)));
    head->classes = dimensions->classes;
    head->count = head->classes > 0 ? dimensions->prefix_tokens : 0;
    if (head->count > 0) TGR_TRY(tgr_linear_add(&head->linear[0], parameters, "head", dimensions->dim, head->classes));
    if (head->count > 1)
        TGR_TRY(tgr_linear_add(&head->linear[1], parameters, "head_dist", dimensions->dim, head->classes));
    return TGR_OK;
}

void tgr_head_initialise(const tgr_head *head, tgr_parameters *parameters, double deviation) {
    tgr_norm_initialise(&head->norm, parameters);
    for (int64_t i = 0; i < head->count; i++) tgr_linear_initialise(&head->linear[i], parameters, deviation);
}

void tgr_head_plan(tgr_head *head, const tgr_pass *pass, tgr_arena *arena) {
    tgr_norm_plan(&head->norm, pass, arena);
    head->features = tgr_arena_floats(arena, pass->rows, pass->dim);
    head->logits = tgr_arena_floats(arena, pass->batch, head->classes);
    head->logits_gradient =
        pass->mode == TGR_TRAIN && head->count > 1 ? tgr_arena_floats(arena, pass->batch, head->classes) : NULL;
}

void tgr_head_forward(const tgr_head *head, const tgr_pass *pass, const float *x) {
    tgr_norm_forward(&head->norm, pass, x, head->features);
    for (int64_t i = 0; i < head->count; i++)
        tgr_linear_forward(&head->linear[i], pass, pass->batch, head->features + i * pass->dim,
                           pass->tokens * pass->dim, head->logits, i > 0);
    if (head->count > 1)
        for (int64_t i = 0; i < pass->batch * head->classes; i++) head->logits[i] *= 0.5f;
}

void tgr_head_backward(const tgr_head *head, const tgr_pass *pass, const float *x, const float *logits_gradient,
                       const float *features_gradient) {
    tgr_copy(pass->compute, pass->rows * pass->dim, features_gradient, pass->gradient);
    if (logits_gradient != NULL) {
        const float *gradient = logits_gradient;
        if (head->count > 1) {
            for (int64_t i = 0; i < pass->batch * head->classes; i++)
                head->logits_gradient[i] = 0.5f * logits_gradient[i];
            gradient = head->logits_gradient;
        }
        for (int64_t i = 0; i < head->count; i++)
            tgr_linear_backward(&head->linear[i], pass, pass->batch, head->features + i * pass->dim,
                                pass->tokens * pass->dim, gradient, pass->gradient + i * pass->dim, 1);
    }
    tgr_norm_backward(&head->norm, pass, x, pass->gradient, pass->gradient, 0);
}
