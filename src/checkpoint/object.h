/* SPDX-License-Identifier: MIT */
/* What a checkpoint can hold, and the named tensors that each kind consists of. */
#ifndef TGR_CHECKPOINT_OBJECT_H
#define TGR_CHECKPOINT_OBJECT_H

#include "checkpoint/entry.h"
#include "tgrmoe/checkpoint.h"

#define TGR_OBJECT_NAME_BYTES 41

typedef enum tgr_object_kind {
    TGR_OBJECT_MODEL,
    TGR_OBJECT_TEACHER,
    TGR_OBJECT_OPTIMIZER,
    TGR_OBJECT_PARAMETERS,
    TGR_OBJECT_BYTES
} tgr_object_kind;

enum { TGR_STATE_SEED, TGR_STATE_STEP, TGR_STATE_MICRO, TGR_STATE_NUMBERS };
enum {
    TGR_OPTIMIZER_KIND,
    TGR_OPTIMIZER_STEPS,
    TGR_OPTIMIZER_FIXED_RATE,
    TGR_OPTIMIZER_GRADIENT_NORM,
    TGR_OPTIMIZER_NUMBERS
};

typedef struct tgr_object {
    char name[TGR_OBJECT_NAME_BYTES];
    tgr_object_kind kind;
    tgr_model *model;
    tgr_teacher *teacher;
    tgr_parameters *parameters; /* of the model or teacher, or registered directly; NULL if there are none */
    tgr_optimizer *optimizer;   /* of the teacher, or registered directly; NULL if there is none */
    void *bytes;
    int64_t byte_count;

    /* Numbers in transit between object and file. */
    uint64_t state[TGR_STATE_NUMBERS];
    uint64_t optimizer_state[TGR_OPTIMIZER_NUMBERS];
    uint64_t fingerprint;
    char *options; /* [TGR_OPTIONS_TEXT_BYTES], the model's */
    size_t first_entry, entry_count;
} tgr_object;

/* Fails unless an object may be called `name`. */
tgr_status tgr_object_check_name(const char *name);
/* Adds the object's tensors to `list`, for saving or for loading. */
tgr_status tgr_object_collect(tgr_object *object, tgr_entry_list *list, int saving);
/* After reading: whether the contents of `state` and so on fit the object. */
tgr_status tgr_object_check(const tgr_object *object, const tgr_entry_list *list, const char *path);
/* And, if nothing else is wrong, whether there are gradients exactly when there should be. */
tgr_status tgr_object_check_gradients(const tgr_object *object, const tgr_entry_list *list, const char *path);
/* Called before and after the tensors are committed. Neither can fail. */
void tgr_object_clear(tgr_object *object);
void tgr_object_restore(tgr_object *object);

#endif
