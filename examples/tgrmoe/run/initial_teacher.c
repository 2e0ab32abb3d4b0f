/* SPDX-License-Identifier: MIT */
/* So a student that is fine-tuned continues with the routing it had. */
#include "run/initial_teacher.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "models/file.h"
#include "models/part.h"

/* A router whose shape differs in the file (another number of experts) stays new. */
static int take_router(tgr_parameters *to, int64_t index, tgr_parameters *from) {
    int result = 0;
    tgr_parameter_description own = {.struct_size = sizeof own}, other = {.struct_size = sizeof other};
    float *value = NULL, *given = NULL;
    LIBRARY(tgr_parameters_describe(to, index, &own));
    const int64_t found = tgr_parameters_find(from, own.name);
    if (found < 0) goto done;
    LIBRARY(tgr_parameters_describe(from, found, &other));
    if (memcmp(own.dims, other.dims, sizeof own.dims) != 0) goto done;
    LIBRARY(tgr_parameters_value(to, index, &value));
    LIBRARY(tgr_parameters_value(from, found, &given));
    memcpy(value, given, (size_t)own.count * sizeof *value);
done:
    return result;
}

int run_take_teacher(tool_run *run, const char *path) {
    int result = 0, safetensors = 0;
    int64_t upcycle = 0;
    tgr_model *student = NULL;
    tgr_teacher *teacher = NULL;
    tgr_checkpoint *file = NULL;
    tgr_parameters *to = tgr_teacher_parameters(run->teacher);
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    if (upcycle) goto done; /* A dense model has none. */
    TRY(model_file_is_safetensors(path, &safetensors));
    if (safetensors) {
        fprintf(stderr, "init: teacher routers are fresh, since a safetensors file has none\n");
        goto done;
    }
    LIBRARY(tgr_model_load(&student, run->context, path, PART_MODEL));
    if (tgr_teacher_create(&teacher, run->backbone, student) != TGR_OK) goto done; /* It never had a teacher. */
    LIBRARY(tgr_checkpoint_create(&file, run->context));
    LIBRARY(tgr_checkpoint_add_teacher(file, PART_TEACHER, teacher));
    if (tgr_checkpoint_load(file, path) != TGR_OK) {
        fprintf(stderr, "init: teacher routers are fresh, since the file has none for this teacher\n");
        goto done;
    }
    for (int64_t i = 0; i < tgr_parameters_count(to); i++) TRY(take_router(to, i, tgr_teacher_parameters(teacher)));
done:
    tgr_checkpoint_free(file);
    tgr_teacher_free(teacher);
    tgr_model_free(student);
    return result;
}
