/* SPDX-License-Identifier: MIT */
/* Models, teachers, optimizers, parameters and bytes as named tensors. The parts' names are listed in
 * docs/checkpoint.md. */
#include "checkpoint/object.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "base/parameters.h"
#include "base/status.h"
#include "checkpoint/backbone.h"
#include "checkpoint/options_text.h"
#include "optimizer/kind.h"
#include "optimizer/optimizer.h"
#include "teacher/teacher.h"

tgr_status tgr_object_check_name(const char *name) {
    const size_t length = strlen(name);
    TGR_REQUIRE(length >= 1 && length < TGR_OBJECT_NAME_BYTES &&
                    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length,
                TGR_ERROR_RANGE, "argument 'name' is '%.60s'; it must be 1 to %d of the characters a-z, 0-9 and '_'",
                name, TGR_OBJECT_NAME_BYTES - 1);
    return TGR_OK;
}

typedef enum tensors_kind { ALL_TENSORS, TRAINED_TENSORS, WITH_GRADIENTS } tensors_kind;

static int is_wanted(const tgr_tensor *tensor, tensors_kind which) {
    if (which == ALL_TENSORS || (tensor->flags & TGR_TENSOR_STATE) == 0) return 1;
    return which == WITH_GRADIENTS && (tensor->flags & TGR_TENSOR_SUM) != 0;
}

/* One entry for each tensor, laid out in `arena` as in parameters->values. */
static tgr_status collect_arena(const tgr_object *object, tgr_entry_list *list, const tgr_parameters *parameters,
                                const char *part, float *arena, tensors_kind which, unsigned flags) {
    for (int64_t i = 0; i < parameters->tensor_count; i++) {
        const tgr_tensor *tensor = &parameters->tensors[i];
        if (!is_wanted(tensor, which)) continue;
        TGR_TRY(tgr_entry_add(list, object->name, part, tensor->name, TGR_SECTION_F32, tensor->ndim, tensor->dims,
                              arena + tensor->offset, flags));
    }
    return TGR_OK;
}

static tgr_status collect_numbers(tgr_object *object, tgr_entry_list *list, const char *part, uint64_t *numbers,
                                  int64_t count) {
    return tgr_entry_add(list, object->name, part, NULL, TGR_SECTION_U64, 1, &count, numbers, TGR_ENTRY_OWN);
}

static tgr_status collect_options(tgr_object *object, tgr_entry_list *list, int saving) {
    const tgr_config *config = NULL;
    size_t length = TGR_OPTIONS_TEXT_BYTES;
    if (saving) {
        config = tgr_model_config(object->model);
        TGR_TRY(tgr_options_write(config, object->options, &length));
    }
    const int64_t bytes = (int64_t)length;
    return tgr_entry_add(list, object->name, ".options", NULL, TGR_SECTION_U8, 1, &bytes, object->options,
                         TGR_ENTRY_OWN | TGR_ENTRY_FLEXIBLE);
}

/* Gradients are saved only in the middle of accumulation. */
static tgr_status collect_parameters(tgr_object *object, tgr_entry_list *list, int saving) {
    const tgr_parameters *parameters = object->parameters;
    object->state[TGR_STATE_SEED] = parameters->seed;
    object->state[TGR_STATE_STEP] = parameters->step;
    object->state[TGR_STATE_MICRO] = parameters->micro;
    TGR_TRY(collect_numbers(object, list, ".state", object->state, TGR_STATE_NUMBERS));
    TGR_TRY(collect_arena(object, list, parameters, "/", parameters->values, ALL_TENSORS, 0));
    if (saving && parameters->micro == 0) return TGR_OK;
    return collect_arena(object, list, parameters, ".gradient/", parameters->gradients, WITH_GRADIENTS,
                         saving ? 0 : TGR_ENTRY_OPTIONAL);
}

static tgr_status collect_optimizer(tgr_object *object, tgr_entry_list *list) {
    const tgr_optimizer *optimizer = object->optimizer;
    object->optimizer_state[TGR_OPTIMIZER_KIND] = (uint64_t)optimizer->kind;
    object->optimizer_state[TGR_OPTIMIZER_STEPS] = optimizer->steps;
    object->optimizer_state[TGR_OPTIMIZER_FIXED_RATE] = tgr_bits_of_double(optimizer->fixed_rate);
    object->optimizer_state[TGR_OPTIMIZER_GRADIENT_NORM] = tgr_bits_of_double(optimizer->gradient_norm);
    TGR_TRY(collect_numbers(object, list, ".optimizer", object->optimizer_state, TGR_OPTIMIZER_NUMBERS));
    TGR_TRY(
        collect_arena(object, list, optimizer->parameters, ".moment1/", optimizer->first_moment, TRAINED_TENSORS, 0));
    if (optimizer->second_moment == NULL) return TGR_OK;
    return collect_arena(object, list, optimizer->parameters, ".moment2/", optimizer->second_moment, TRAINED_TENSORS,
                         0);
}

static tgr_status collect(tgr_object *object, tgr_entry_list *list, int saving) {
    if (object->kind == TGR_OBJECT_BYTES)
        return tgr_entry_add(list, object->name, "", NULL, TGR_SECTION_U8, 1, &object->byte_count, object->bytes, 0);
    if (object->model != NULL) TGR_TRY(collect_options(object, list, saving));
    if (object->teacher != NULL) {
        if (saving) object->fingerprint = tgr_backbone_fingerprint(object->teacher, list);
        TGR_TRY(collect_numbers(object, list, ".backbone", &object->fingerprint, 1));
    }
    if (object->parameters != NULL) TGR_TRY(collect_parameters(object, list, saving));
    if (object->optimizer != NULL) TGR_TRY(collect_optimizer(object, list));
    return TGR_OK;
}

tgr_status tgr_object_collect(tgr_object *object, tgr_entry_list *list, int saving) {
    object->first_entry = list->count;
    const tgr_status status = collect(object, list, saving);
    object->entry_count = list->count - object->first_entry;
    return status;
}

/* The object's entry <name><part>, if the file has it in the right shape. */
static const tgr_entry *find_part(const tgr_object *object, const tgr_entry_list *list, const char *part) {
    const size_t length = strlen(object->name);
    for (size_t i = 0; i < object->entry_count; i++) {
        const tgr_entry *entry = &list->entries[object->first_entry + i];
        if (strcmp(entry->header.name + length, part) == 0) return entry->found ? entry : NULL;
    }
    return NULL;
}

static tgr_status check_options(const tgr_object *object, const tgr_entry *entry, tgr_context *context,
                                const char *path) {
    tgr_config *stored = NULL;
    const tgr_config *present = tgr_model_config(object->model);
    TGR_TRY(tgr_options_read(&stored, context, object->options, (size_t)entry->header.raw_bytes, path));
    const tgr_status status = tgr_options_compare(stored, present, path);
    tgr_config_free(stored);
    return status;
}

static tgr_status check_counts(const tgr_object *object, const char *path) {
    TGR_REQUIRE(object->state[TGR_STATE_MICRO] <= UINT32_MAX && object->state[TGR_STATE_STEP] <= INT64_MAX,
                TGR_ERROR_FILE_CORRUPT, "'%s' has more steps of '%s' than can be counted", path, object->name);
    return TGR_OK;
}

static tgr_status check_optimizer(const tgr_object *object, const char *path) {
    const uint64_t kind = object->optimizer_state[TGR_OPTIMIZER_KIND];
    TGR_REQUIRE(kind == (uint64_t)object->optimizer->kind, TGR_ERROR_FILE_MISMATCH,
                "'%s' of '%s' is the state of %s; here it is %s", object->name, path,
                tgr_optimizer_is_known(kind) ? tgr_optimizer_name((int64_t)kind) : "an unknown optimizer",
                tgr_optimizer_name(object->optimizer->kind));
    TGR_REQUIRE(!isnan(tgr_double_of_bits(object->optimizer_state[TGR_OPTIMIZER_FIXED_RATE])), TGR_ERROR_FILE_CORRUPT,
                "'%s' of '%s' has a learning rate that is not a number", object->name, path);
    return TGR_OK;
}

static tgr_status check_backbone(const tgr_object *object, const tgr_entry_list *list, const char *path) {
    const uint32_t here = tgr_backbone_fingerprint(object->teacher, list);
    if (find_part(object, list, ".backbone") == NULL) return TGR_OK; /* its absence has a message of its own */
    TGR_REQUIRE(object->fingerprint == here, TGR_ERROR_FILE_MISMATCH,
                "'%s' of '%s' was trained with a different backbone (fingerprint %08llx; here %08lx)", object->name,
                path, (unsigned long long)object->fingerprint, (unsigned long)here);
    return TGR_OK;
}

tgr_status tgr_object_check(const tgr_object *object, const tgr_entry_list *list, const char *path) {
    const tgr_entry *options = find_part(object, list, ".options");
    if (options != NULL) TGR_TRY(check_options(object, options, list->context, path));
    if (object->teacher != NULL) TGR_TRY(check_backbone(object, list, path));
    if (object->optimizer != NULL) TGR_TRY(check_optimizer(object, path));
    return object->parameters != NULL ? check_counts(object, path) : TGR_OK;
}

tgr_status tgr_object_check_gradients(const tgr_object *object, const tgr_entry_list *list, const char *path) {
    const uint64_t micro = object->state[TGR_STATE_MICRO];
    for (size_t i = 0; i < object->entry_count; i++) {
        const tgr_entry *entry = &list->entries[object->first_entry + i];
        if (!(entry->flags & TGR_ENTRY_OPTIONAL) || entry->found == (micro > 0)) continue;
        return tgr_fail(TGR_ERROR_FILE_MISMATCH, "'%s' %s '%s', with gradients of %llu passes", path,
                        entry->found ? "has" : "lacks", entry->header.name, (unsigned long long)micro);
    }
    return TGR_OK;
}

void tgr_object_clear(tgr_object *object) {
    if (object->parameters != NULL) tgr_parameters_replace(object->parameters);
}

void tgr_object_restore(tgr_object *object) {
    if (object->parameters != NULL) {
        object->parameters->seed = object->state[TGR_STATE_SEED];
        object->parameters->step = object->state[TGR_STATE_STEP];
        object->parameters->micro = (uint32_t)object->state[TGR_STATE_MICRO];
    }
    if (object->optimizer != NULL) {
        object->optimizer->steps = object->optimizer_state[TGR_OPTIMIZER_STEPS];
        object->optimizer->fixed_rate = tgr_double_of_bits(object->optimizer_state[TGR_OPTIMIZER_FIXED_RATE]);
        object->optimizer->gradient_norm = tgr_double_of_bits(object->optimizer_state[TGR_OPTIMIZER_GRADIENT_NORM]);
    }
}
