/* SPDX-License-Identifier: MIT */
/* The optimizer's inside, for the checkpoint: moments are flat arrays over the parameters' arena. */
#ifndef TGR_OPTIMIZER_OPTIMIZER_H
#define TGR_OPTIMIZER_OPTIMIZER_H

#include <stdatomic.h>

#include "base/config.h"
#include "base/parameters.h"
#include "tgrmoe/optimizer.h"

struct tgr_optimizer {
    atomic_int references;
    tgr_parameters *parameters; /* retained */
    tgr_config *config;
    int kind;             /* choice of option "optimizer": 0 AdamW, 1 SGD */
    float *first_moment;  /* [parameters->floats]; SGD's momentum */
    float *second_moment; /* [parameters->floats]; NULL for SGD */
    uint64_t steps;       /* steps taken by this optimizer, for the bias correction */
    double fixed_rate;    /* negative: by the schedule */
    double gradient_norm;
    double *partial; /* sums of squares by block */
};

void tgr_optimizer_retain(tgr_optimizer *optimizer);

#endif
