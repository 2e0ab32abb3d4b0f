/* SPDX-License-Identifier: MIT */
/* The inside of an optimizer, for the checkpoint: moments are flat arrays over the parameters' arena. */
#ifndef TGR_OPTIMIZER_OPTIMIZER_H
#define TGR_OPTIMIZER_OPTIMIZER_H

#include <stdatomic.h>

#include "base/config.h"
#include "base/parameters.h"
#include "tgrmoe/optimizer.h"

/* A piece of one trained tensor: the unit of parallel work. Running state and padding belong to no block. */
typedef struct tgr_optimizer_block {
    int64_t offset, count; /* floats in the arena */
    int decayed;
    uint64_t frozen_from; /* of the tensor */
} tgr_optimizer_block;

struct tgr_optimizer {
    atomic_int references;
    tgr_parameters *parameters; /* retained */
    tgr_config *config;
    int kind;                    /* tgr_optimizer_index */
    float *first_moment;         /* [parameters->floats] */
    float *second_moment;        /* [parameters->floats]; NULL for kinds with one moment */
    uint64_t steps;              /* steps taken by this optimizer, for the bias correction */
    double fixed_rate;           /* negative: the schedule's */
    double gradient_norm;        /* of the last successful step */
    tgr_optimizer_block *blocks; /* [block_count] */
    int64_t block_count;
    double *partial; /* [block_count], sums of squares */
};

void tgr_optimizer_retain(tgr_optimizer *optimizer);
/* The learning rate at any step, not only the optimizer's own: the fixed rate or the schedule's. */
double tgr_optimizer_rate_at(const tgr_optimizer *optimizer, uint64_t step);

#endif
