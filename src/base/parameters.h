/* SPDX-License-Identifier: MIT */
/* A table of named float32 tensors over one flat arena of values and one of gradients.
 *
 * Built in two steps: tgr_parameters_add for every tensor, then tgr_parameters_seal, which allocates both arenas.
 * Each tensor starts on a 64-byte boundary; the padding stays zero, so that an optimizer is one flat loop. */
#ifndef TGR_BASE_PARAMETERS_H
#define TGR_BASE_PARAMETERS_H

#include <stdatomic.h>

#include "base/assert.h"
#include "base/context.h"
#include "tgrmoe/parameters.h"

#define TGR_MAX_DIMS   4
#define TGR_NAME_BYTES 64

/* Moves state tensor `index` by the sums of the step, which its gradient holds. */
typedef void (*tgr_move_fn)(tgr_parameters *parameters, int64_t index, double rate);

typedef struct tgr_tensor {
    char name[TGR_NAME_BYTES]; /* timm's, with dots: "blocks.0.attn.qkv.weight" */
    int ndim;
    int64_t dims[TGR_MAX_DIMS];
    int64_t count;  /* elements */
    int64_t offset; /* into values and gradients, in floats, a multiple of 16 */
    unsigned flags; /* TGR_TENSOR_… */
    /* From this step on the optimizer leaves the tensor alone: no gradient, decay or momentum moves it. A step number,
     * not a flag, so that it also holds after a checkpoint is loaded in the middle of a step. */
    uint64_t frozen_from;
    tgr_move_fn move; /* what an optimizer step does to the state, or NULL */
    double rate;      /* its argument */
} tgr_tensor;

#define TGR_NEVER_FROZEN UINT64_MAX

enum {
    TGR_TENSOR_NO_DECAY = 1, /* biases, norms, tokens, positions, LayerScale */
    TGR_TENSOR_STATE = 2,    /* saved and loaded, never trained (running means and the like) */
    TGR_TENSOR_SUM = 4,      /* state whose gradient holds sums of the current step, which a step moves it by */
};

struct tgr_parameters {
    atomic_int references;
    tgr_context *context;   /* retained */
    tgr_parameters *lender; /* retained; the table whose values these are, NULL if they are its own */
    tgr_tensor *tensors;
    int64_t tensor_count, tensor_capacity;
    int64_t floats;   /* in each arena */
    float *values;    /* [floats], NULL until sealed */
    float *gradients; /* [floats] */
    uint64_t seed;    /* of every random number drawn for this object */
    uint64_t step;    /* optimizer steps taken */
    uint32_t micro;   /* backward passes since the last step: gradients hold the sum over that many */
    /* How often the library has changed the values, and how often it has put others in their place. A forward pass from
     * before the one has no backward any more; what ran before the other ran another model. */
    uint64_t changes, replacements;
};

/* Which values a pass used. */
typedef struct tgr_values_mark {
    uint64_t changes, replacements;
} tgr_values_mark;

tgr_status tgr_parameters_create(tgr_parameters **out, tgr_context *context);
void tgr_parameters_retain(tgr_parameters *parameters);
void tgr_parameters_release(tgr_parameters *parameters);
/* Adds a tensor; `name` must be new. *index receives its index. */
tgr_status tgr_parameters_add(tgr_parameters *parameters, int64_t *index, const char *name, unsigned flags, int ndim,
                              const int64_t *dims);
/* From now on each optimizer step calls `move` for state tensor `index`, which must have TGR_TENSOR_SUM. */
void tgr_parameters_move_by(tgr_parameters *parameters, int64_t index, tgr_move_fn move, double rate);
/* For an optimizer, before it clears the gradients of a step that was taken: calls them all. */
void tgr_parameters_move_state(tgr_parameters *parameters);
/* Allocates both arenas, zeroed. No tensor can be added afterwards. */
tgr_status tgr_parameters_seal(tgr_parameters *parameters);
/* Instead of sealing: uses the values of `lender`, a sealed table of the same tensors; has no gradients. */
void tgr_parameters_borrow(tgr_parameters *parameters, tgr_parameters *lender);
/* Copies the seed, the step and the number of backward passes from the lender. */
void tgr_parameters_follow(tgr_parameters *parameters);
/* Sets every gradient and `micro` to zero. */
void tgr_parameters_clear_gradients(tgr_parameters *parameters);
/* For whoever puts other values in place (from a file, from another model): there are no gradients of them yet. */
void tgr_parameters_replace(tgr_parameters *parameters);

static inline tgr_values_mark tgr_parameters_mark(const tgr_parameters *parameters) {
    return (tgr_values_mark){parameters->changes, parameters->replacements};
}
/* Whether the values have changed, or been replaced, since the mark was taken. */
static inline int tgr_parameters_changed(const tgr_parameters *parameters, tgr_values_mark mark) {
    return parameters->changes != mark.changes;
}
static inline int tgr_parameters_replaced(const tgr_parameters *parameters, tgr_values_mark mark) {
    return parameters->replacements != mark.replacements;
}

/* What computes with these tensors. */
static inline const tgr_compute *tgr_parameters_compute(const tgr_parameters *parameters) {
    return &parameters->context->compute;
}
static inline float *tgr_value(const tgr_parameters *parameters, int64_t index) {
    TGR_ASSERT(parameters->values != NULL && index >= 0 && index < parameters->tensor_count);
    return parameters->values + parameters->tensors[index].offset;
}
static inline float *tgr_gradient(const tgr_parameters *parameters, int64_t index) {
    TGR_ASSERT(parameters->gradients != NULL && index >= 0 && index < parameters->tensor_count);
    return parameters->gradients + parameters->tensors[index].offset;
}

#endif
