/* SPDX-License-Identifier: MIT */
/* Every tensor, of weights and of what routers keep next to them, that has the same name and shape there. */
#include "run/initial.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "models/fitted.h"
#include "run/initial_upcycle.h"

/* Copies tensor `index` if `from` has its like. *taken counts the numbers copied. */
static int take_tensor(tgr_parameters *to, int64_t index, tgr_parameters *from, int64_t *taken) {
    int result = 0, ndim = 0, other_ndim = 0;
    const char *name = NULL;
    const int64_t *dims = NULL, *other_dims = NULL;
    float *value = NULL, *other = NULL;
    int64_t found = 0, numbers = 1;
    LIBRARY(tgr_parameters_describe(to, index, &name, &ndim, &dims));
    if (tgr_parameters_find(from, name, &found) != TGR_OK) {
        fprintf(stderr, "init: %s is fresh, the file does not have it\n", name);
        goto done;
    }
    LIBRARY(tgr_parameters_describe(from, found, NULL, &other_ndim, &other_dims));
    if (ndim != other_ndim || memcmp(dims, other_dims, (size_t)ndim * sizeof *dims) != 0) {
        fprintf(stderr, "init: %s is fresh, it has another shape in the file\n", name);
        goto done;
    }
    for (int i = 0; i < ndim; i++) numbers *= dims[i];
    LIBRARY(tgr_parameters_value(to, index, &value));
    LIBRARY(tgr_parameters_value(from, found, &other));
    memcpy(value, other, (size_t)numbers * sizeof *value);
    *taken += numbers;
done:
    return result;
}

int run_take_weights(tool_run *run, const char *path) {
    int result = 0;
    tgr_model *source = NULL;
    tgr_parameters *to = NULL, *from = NULL;
    int64_t tensors = 0, taken = 0, total = 0, upcycle = 0;
    const tgr_config *config = NULL;
    LIBRARY(tgr_model_config(run->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    if (upcycle) {
        TRY(run_upcycle(run, path));
        goto done;
    }
    TRY(model_file_open_like(&source, run->context, path, run->model));
    LIBRARY(tgr_model_parameters(source, &from));
    LIBRARY(tgr_model_parameters(run->model, &to));
    LIBRARY(tgr_parameters_count(to, &tensors));
    LIBRARY(tgr_parameters_total(to, &total));
    for (int64_t i = 0; i < tensors; i++) TRY(take_tensor(to, i, from, &taken));
    if (taken == 0) TRY(fail_with("--init %s: no tensor there has the name and shape of one of this model", path));
    fprintf(stderr, "init: %lld of %lld numbers from %s\n", (long long)taken, (long long)total, path);
done:
    tgr_model_free(source);
    return result;
}
