/* SPDX-License-Identifier: MIT */
/* The dense FFN. Only the hidden values before GELU are kept: GELU once more is far cheaper than their memory.
 * It is part of the products around it. */
#include "layers/ffn.h"

#include <stdio.h>

#include "base/status.h"
#include "kernels/parallel_rows.h"

tgr_status tgr_ffn_add(tgr_ffn *ffn, tgr_parameters *parameters, const char *prefix, int64_t dim, int64_t hidden) {
    char name[TGR_NAME_BYTES];
    snprintf(name, sizeof name, "%s.fc1", prefix);
    TGR_TRY(tgr_linear_add(&ffn->fc1, parameters, name, dim, hidden));
    snprintf(name, sizeof name, "%s.fc2", prefix);
    return tgr_linear_add(&ffn->fc2, parameters, name, hidden, dim);
}

void tgr_ffn_initialise(const tgr_ffn *ffn, tgr_parameters *parameters, double deviation) {
    tgr_linear_initialise(&ffn->fc1, parameters, deviation);
    tgr_linear_initialise(&ffn->fc2, parameters, deviation);
}

void tgr_ffn_plan(tgr_ffn *ffn, const tgr_pass *pass, tgr_arena *arena) {
    ffn->hidden = tgr_arena_floats(arena, pass->rows, ffn->fc1.outputs);
}

void tgr_ffn_forward(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, float *y) {
    int64_t rows = pass->rows, hidden = ffn->fc1.outputs;
    float *activation = pass->mode == TGR_TRAIN ? pass->wide : ffn->hidden;
    tgr_linear_gelu_forward(&ffn->fc1, pass, rows, x, pass->dim, ffn->hidden, activation);
    tgr_linear_forward(&ffn->fc2, pass, rows, activation, hidden, y, 0);
}

void tgr_ffn_again(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, float *y) {
    if (y != NULL)
        tgr_ffn_forward(ffn, pass, x, y);
    else
        tgr_linear_forward(&ffn->fc1, pass, pass->rows, x, pass->dim, ffn->hidden, 0);
}

void tgr_ffn_backward(const tgr_ffn *ffn, const tgr_pass *pass, const float *x, const float *dy, float *dx) {
    int64_t rows = pass->rows, hidden = ffn->fc1.outputs;
    float *activation = ffn->hidden, *hidden_gradient = pass->wide;
    tgr_linear_gelu_backward(&ffn->fc2, pass, rows, dy, ffn->hidden, activation, hidden_gradient);
    tgr_linear_weight_backward(&ffn->fc2, pass, rows, activation, hidden, dy);
    tgr_linear_backward(&ffn->fc1, pass, rows, x, pass->dim, hidden_gradient, dx, 0);
}
