/* SPDX-License-Identifier: MIT */
/* Copies every tensor, weights as well as the state of routers, that has the same name and shape in the file. */
#include "run/initial.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "models/fitted.h"
#include "run/initial_upcycle.h"

/* Copies tensor `index` if `from` has one of the same name and shape. *taken counts the numbers copied. */
static int take_tensor(tgr_parameters *to, int64_t index, tgr_parameters *from, int64_t *taken) {
    int result = 0;
    tgr_parameter_description own = {.struct_size = sizeof own}, other = {.struct_size = sizeof other};
    float *value = NULL, *given = NULL;
    LIBRARY(tgr_parameters_describe(to, index, &own));
    const int64_t found = tgr_parameters_find(from, own.name);
    if (found < 0) {
        fprintf(stderr, "init: %s is fresh, since the file does not have it\n", own.name);
        goto done;
    }
    LIBRARY(tgr_parameters_describe(from, found, &other));
    if (memcmp(own.dims, other.dims, sizeof own.dims) != 0) {
        fprintf(stderr, "init: %s is fresh, since it has a different shape in the file\n", own.name);
        goto done;
    }
    LIBRARY(tgr_parameters_value(to, index, &value));
    LIBRARY(tgr_parameters_value(from, found, &given));
    memcpy(value, given, (size_t)own.count * sizeof *value);
    *taken += own.count;
done:
    return result;
}

int run_take_weights(tool_run *run, const char *path) {
    int result = 0;
    tgr_model *source = NULL;
    tgr_parameters *to = tgr_model_parameters(run->model);
    int64_t taken = 0, upcycle = 0;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    if (upcycle) {
        TRY(run_upcycle(run, path));
        goto done;
    }
    TRY(model_file_open_like(&source, run->context, path, run->model));
    for (int64_t i = 0; i < tgr_parameters_count(to); i++) {
        TRY(take_tensor(to, i, tgr_model_parameters(source), &taken));
    }
    if (taken == 0) TRY(fail_with("--init %s: no tensor in it has the name and shape of one of this model", path));
    fprintf(stderr, "init: %lld of %lld numbers from %s\n", (long long)taken,
            (long long)tgr_parameters_number_count(to), path);
done:
    tgr_model_free(source);
    return result;
}
