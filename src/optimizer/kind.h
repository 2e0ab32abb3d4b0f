/* SPDX-License-Identifier: MIT */
/* The interface that every optimizer implements: one file each, one row in TGR_OPTIMIZER_MAP, by whose column `word` it
 * is found. An optimizer is a constant. Scaling, clipping, schedule, frozen tensors and parallel work are done for it
 * (step.c); it only defines how numbers change. */
#ifndef TGR_OPTIMIZER_KIND_H
#define TGR_OPTIMIZER_KIND_H

#include "base/config.h"
#include "kernels/kernels.h"

/* Shared by all blocks of one step. */
typedef struct tgr_optimizer_pass {
    const tgr_kernels *kernels;
    float scale; /* for gradients: 1 / micro-batches, times that of clipping */
    float rate;
    float own[8]; /* what `prepare` has computed */
} tgr_optimizer_pass;

/* Some numbers of one tensor, with their gradients (to be scaled) and moments. */
typedef struct tgr_optimizer_piece {
    int64_t count;
    float *value;          /* [count] */
    const float *gradient; /* [count] */
    float *first, *second; /* [count], zero before the first step; `second` is NULL with one moment */
    float weight_decay;    /* 0 where there is none */
} tgr_optimizer_piece;

typedef struct tgr_optimizer_kind {
    int moments; /* moments kept for each weight, 1 or 2 */
    /* Computes pass->own for step `number` (counted from 1), or NULL. */
    void (*prepare)(const tgr_config *config, double number, tgr_optimizer_pass *pass);
    void (*update)(const tgr_optimizer_pass *pass, const tgr_optimizer_piece *piece);
} tgr_optimizer_kind;

/* Each optimizer's file defines its own: tgr_optimizer_adamw, tgr_optimizer_sgd, … */
#define TGR_DECLARE_OPTIMIZER(index, NAME, word, ...) extern const tgr_optimizer_kind tgr_optimizer_##word;
TGR_OPTIMIZER_MAP(TGR_DECLARE_OPTIMIZER)
#undef TGR_DECLARE_OPTIMIZER

/* The optimizer with that index, which must be in the table, and its name. */
const tgr_optimizer_kind *tgr_optimizer_kind_of(int64_t index);
const char *tgr_optimizer_name(int64_t index);
/* Whether that index is in the table. */
int tgr_optimizer_is_known(uint64_t index);

#endif
