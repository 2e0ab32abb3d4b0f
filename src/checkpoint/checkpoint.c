/* SPDX-License-Identifier: MIT */
/* The objects registered for a file, saved as one list of tensors and loaded all or nothing. */
#include "tgrmoe/checkpoint.h"

#include <string.h>

#include "base/assert.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/parameters.h"
#include "base/status.h"
#include "checkpoint/object.h"
#include "checkpoint/options_text.h"
#include "optimizer/optimizer.h"
#include "teacher/teacher.h"

#define FIRST_CAPACITY 8

struct tgr_checkpoint {
    tgr_context *context; /* retained */
    tgr_object *objects;
    size_t count, capacity;
};

tgr_status tgr_checkpoint_create(tgr_checkpoint **out, tgr_context *context) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    tgr_checkpoint *checkpoint = NULL;
    TGR_TRY(tgr_allocate(context, (void **)&checkpoint, 1, sizeof *checkpoint));
    tgr_context_retain(context);
    checkpoint->context = context;
    *out = checkpoint;
    return TGR_OK;
}

/* Only registered handles are held; the parts of a model or a teacher live as long as it does. */
static void release_object(tgr_context *context, tgr_object *object) {
    tgr_model_free(object->model);
    tgr_teacher_free(object->teacher);
    if (object->kind == TGR_OBJECT_PARAMETERS) tgr_parameters_release(object->parameters);
    if (object->kind == TGR_OBJECT_OPTIMIZER) tgr_optimizer_free(object->optimizer);
    tgr_release(context, object->options, TGR_OPTIONS_TEXT_BYTES, 1);
}

void tgr_checkpoint_free(tgr_checkpoint *checkpoint) {
    if (checkpoint == NULL) return;
    tgr_context *context = checkpoint->context;
    for (size_t i = 0; i < checkpoint->count; i++) release_object(context, &checkpoint->objects[i]);
    tgr_release(context, checkpoint->objects, checkpoint->capacity, sizeof *checkpoint->objects);
    tgr_release(context, checkpoint, 1, sizeof *checkpoint);
    tgr_context_free(context);
}

static tgr_status check_name(const tgr_checkpoint *checkpoint, const char *name) {
    TGR_TRY(tgr_object_check_name(name));
    for (size_t i = 0; i < checkpoint->count; i++)
        TGR_REQUIRE(strcmp(checkpoint->objects[i].name, name) != 0, TGR_ERROR_ARGUMENT,
                    "argument 'name' is '%s', which is taken already", name);
    return TGR_OK;
}

static tgr_status make_room(tgr_checkpoint *checkpoint) {
    if (checkpoint->count < checkpoint->capacity) return TGR_OK;
    const size_t capacity = checkpoint->capacity == 0 ? FIRST_CAPACITY : 2 * checkpoint->capacity;
    tgr_object *objects = NULL;
    TGR_TRY(tgr_allocate(checkpoint->context, (void **)&objects, capacity, sizeof *objects));
    if (checkpoint->count > 0) memcpy(objects, checkpoint->objects, checkpoint->count * sizeof *objects);
    tgr_release(checkpoint->context, checkpoint->objects, checkpoint->capacity, sizeof *checkpoint->objects);
    checkpoint->objects = objects;
    checkpoint->capacity = capacity;
    return TGR_OK;
}

/* Registers `object` as `name`; after success the caller retains the handle. */
static tgr_status add(tgr_checkpoint *checkpoint, const char *name, tgr_object object) {
    TGR_TRY(check_name(checkpoint, name));
    TGR_TRY(make_room(checkpoint));
    if (object.kind == TGR_OBJECT_MODEL)
        TGR_TRY(tgr_allocate(checkpoint->context, (void **)&object.options, TGR_OPTIONS_TEXT_BYTES, 1));
    TGR_ASSERT(strlen(name) < sizeof object.name);
    memcpy(object.name, name, strlen(name) + 1);
    checkpoint->objects[checkpoint->count++] = object;
    return TGR_OK;
}

tgr_status tgr_checkpoint_add_model(tgr_checkpoint *checkpoint, const char *name, tgr_model *model) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(model);
    tgr_parameters *parameters = tgr_model_parameters(model);
    TGR_TRY(add(checkpoint, name, (tgr_object){.kind = TGR_OBJECT_MODEL, .model = model, .parameters = parameters}));
    tgr_model_retain(model);
    return TGR_OK;
}

tgr_status tgr_checkpoint_add_teacher(tgr_checkpoint *checkpoint, const char *name, tgr_teacher *teacher) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(teacher);
    TGR_TRY(add(checkpoint, name,
                (tgr_object){.kind = TGR_OBJECT_TEACHER,
                             .teacher = teacher,
                             .parameters = tgr_teacher_router_weights(teacher),
                             .optimizer = tgr_teacher_router_optimizer(teacher)}));
    tgr_teacher_retain(teacher);
    return TGR_OK;
}

tgr_status tgr_checkpoint_add_optimizer(tgr_checkpoint *checkpoint, const char *name, tgr_optimizer *optimizer) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(optimizer);
    TGR_TRY(add(checkpoint, name, (tgr_object){.kind = TGR_OBJECT_OPTIMIZER, .optimizer = optimizer}));
    tgr_optimizer_retain(optimizer);
    return TGR_OK;
}

tgr_status tgr_checkpoint_add_parameters(tgr_checkpoint *checkpoint, const char *name, tgr_parameters *parameters) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(parameters);
    TGR_REQUIRE(parameters->values != NULL, TGR_ERROR_STATE, "the parameters have no memory yet");
    TGR_TRY(add(checkpoint, name, (tgr_object){.kind = TGR_OBJECT_PARAMETERS, .parameters = parameters}));
    tgr_parameters_retain(parameters);
    return TGR_OK;
}

tgr_status tgr_checkpoint_add_bytes(tgr_checkpoint *checkpoint, const char *name, void *bytes, uint64_t size) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(bytes);
    TGR_REQUIRE(size >= 1 && size <= PTRDIFF_MAX, TGR_ERROR_RANGE, "argument 'size' is %llu; it must be 1 to %lld",
                (unsigned long long)size, (long long)PTRDIFF_MAX);
    return add(checkpoint, name, (tgr_object){.kind = TGR_OBJECT_BYTES, .bytes = bytes, .byte_count = (int64_t)size});
}

static tgr_status collect_all(tgr_checkpoint *checkpoint, tgr_entry_list *list, int saving) {
    for (size_t i = 0; i < checkpoint->count; i++) TGR_TRY(tgr_object_collect(&checkpoint->objects[i], list, saving));
    return TGR_OK;
}

tgr_status tgr_checkpoint_save(tgr_checkpoint *checkpoint, const char *path) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(path);
    tgr_entry_list list = {.context = checkpoint->context};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(collect_all(checkpoint, &list, 1));
    TGR_TRY_DONE(tgr_entries_write(&list, path));
done:
    tgr_entries_free(&list);
    return status;
}

/* Fails unless everything read fits its object. The objects' own checks explain more than a missing section does. */
static tgr_status check_all(const tgr_checkpoint *checkpoint, const tgr_entry_list *list, const char *path,
                            const char *misfit) {
    for (size_t i = 0; i < checkpoint->count; i++) TGR_TRY(tgr_object_check(&checkpoint->objects[i], list, path));
    TGR_REQUIRE(misfit[0] == '\0', TGR_ERROR_FILE_MISMATCH, "%s", misfit);
    for (size_t i = 0; i < checkpoint->count; i++)
        TGR_TRY(tgr_object_check_gradients(&checkpoint->objects[i], list, path));
    return TGR_OK;
}

static void commit_all(tgr_checkpoint *checkpoint, const tgr_entry_list *list) {
    for (size_t i = 0; i < checkpoint->count; i++) tgr_object_clear(&checkpoint->objects[i]);
    tgr_entries_commit(list);
    for (size_t i = 0; i < checkpoint->count; i++) tgr_object_restore(&checkpoint->objects[i]);
}

tgr_status tgr_checkpoint_load(tgr_checkpoint *checkpoint, const char *path) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(checkpoint);
    TGR_REQUIRE_ARGUMENT(path);
    char misfit[TGR_MISFIT_BYTES];
    tgr_entry_list list = {.context = checkpoint->context};
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(collect_all(checkpoint, &list, 0));
    TGR_TRY_DONE(tgr_entries_read(&list, path, 1, misfit));
    TGR_TRY_DONE(check_all(checkpoint, &list, path, misfit));
    commit_all(checkpoint, &list);
done:
    tgr_entries_free(&list);
    return status;
}
