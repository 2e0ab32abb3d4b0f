/* SPDX-License-Identifier: MIT */
/* What a checkpoint can hold, and which named tensors each kind is made of. */
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
    tgr_parameters *parameters; /* of the model or teacher, or registered by themselves; NULL if there are none */
    tgr_optimizer *optimizer;   /* of the teacher, or registered by itself; NULL if there is none */
    void *bytes;
    int64_t byte_count;

    /* Numbers on their way between object and file. */
    uint64_t state[TGR_STATE_NUMBERS];
    uint64_t optimizer_state[TGR_OPTIMIZER_NUMBERS];
    uint64_t fingerprint;
    char *options; /* [TGR_OPTIONS_TEXT_BYTES], the model's */
    size_t first_entry, entry_count;
} tgr_object;

/* Fails unless an object may be called `name`. */
tgr_status tgr_object_check_name(const char *name);
/* Adds the object's tensors to `list`; `saving` or else loading. */
tgr_status tgr_object_collect(tgr_object *object, tgr_entry_list *list, int saving);
/* After reading: whether what stands in `state` and so on suits the object. */
tgr_status tgr_object_check(const tgr_object *object, const tgr_entry_list *list, const char *path);
/* And, once nothing else is amiss, whether the gradients are there when they should be. */
tgr_status tgr_object_check_gradients(const tgr_object *object, const tgr_entry_list *list, const char *path);
/* Before the tensors are put in place, and after. Neither can fail. */
void tgr_object_clear(tgr_object *object);
void tgr_object_restore(tgr_object *object);

#endif
