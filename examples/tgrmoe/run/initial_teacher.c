/* SPDX-License-Identifier: MIT */
/* A student that is fine-tuned goes on with the routing it had. */
#include "run/initial_teacher.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"

/* The router of a layer that has another shape in the file, for another number of experts, stays fresh. */
static int take_router(tgr_parameters *to, int64_t index, tgr_parameters *from) {
    int result = 0, ndim = 0, other_ndim = 0;
    const char *name = NULL;
    const int64_t *dims = NULL, *other_dims = NULL;
    float *value = NULL, *other = NULL;
    int64_t found = 0;
    LIBRARY(tgr_parameters_describe(to, index, &name, &ndim, &dims));
    if (tgr_parameters_find(from, name, &found) != TGR_OK) goto done;
    LIBRARY(tgr_parameters_describe(from, found, NULL, &other_ndim, &other_dims));
    if (ndim != 2 || other_ndim != 2 || dims[0] != other_dims[0] || dims[1] != other_dims[1]) goto done;
    LIBRARY(tgr_parameters_value(to, index, &value));
    LIBRARY(tgr_parameters_value(from, found, &other));
    memcpy(value, other, (size_t)(dims[0] * dims[1]) * sizeof *value);
done:
    return result;
}

int run_take_teacher(tool_run *run, const char *path) {
    int result = 0, safetensors = 0;
    int64_t count = 0, upcycle = 0;
    const tgr_config *config = NULL;
    tgr_model *student = NULL;
    tgr_teacher *teacher = NULL;
    tgr_checkpoint *file = NULL;
    tgr_parameters *to = NULL, *from = NULL;
    LIBRARY(tgr_model_config(run->model, &config));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    if (upcycle) goto done; /* A dense model has none. */
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors) {
        fprintf(stderr, "init: teacher routers are fresh, a safetensors file has none\n");
        goto done;
    }
    LIBRARY(tgr_model_load(&student, run->context, path, PART_MODEL));
    if (tgr_teacher_create(&teacher, run->backbone, student) != TGR_OK) goto done; /* It never had one. */
    LIBRARY(tgr_checkpoint_create(&file, run->context));
    LIBRARY(tgr_checkpoint_add_teacher(file, PART_TEACHER, teacher));
    if (tgr_checkpoint_load(file, path) != TGR_OK) {
        fprintf(stderr, "init: teacher routers are fresh, the file has none for this teacher\n");
        goto done;
    }
    LIBRARY(tgr_teacher_parameters(teacher, &from));
    LIBRARY(tgr_teacher_parameters(run->teacher, &to));
    LIBRARY(tgr_parameters_count(to, &count));
    for (int64_t i = 0; i < count; i++) TRY(take_router(to, i, from));
done:
    tgr_checkpoint_free(file);
    tgr_teacher_free(teacher);
    tgr_model_free(student);
    return result;
}
