/* SPDX-License-Identifier: MIT */
/* The inside of a loss, shared by its files. */
#ifndef TGR_LOSS_LOSS_H
#define TGR_LOSS_LOSS_H

#include "loss/cross_entropy.h"
#include "model/model.h"
#include "teacher/teacher.h"
#include "tgrmoe/loss.h"

/* The first terms; the routers' follow. */
enum { TGR_TERM_TASK = 0, TGR_TERM_DISTILL = 1, TGR_TERM_TEACHER = 2, TGR_TERM_AUX = 3, TGR_FIRST_TERMS = 4 };
#define TGR_LOSS_TERMS (TGR_FIRST_TERMS + TGR_MAX_TERMS)

struct tgr_loss {
    tgr_context *context; /* retained */
    tgr_model *model;     /* retained */
    tgr_teacher *teacher; /* retained, or NULL */
    double smoothing;

    tgr_term terms[TGR_LOSS_TERMS];
    int64_t term_count;

    float *gradient;    /* [capacity, classes], of the library's own task loss */
    double *row_losses; /* [capacity] */
    int64_t capacity, classes;

    /* What backward will use; set by a compute that succeeded after a forward in TGR_TRAIN. */
    int ready;
    int guided;
    uint64_t pass, teacher_pass; /* which forward passes it is of, the model's and, if that guides, the teacher's */
    const float *logits_gradient, *features_gradient;
};

/* Fails for a model without a head. */
tgr_status tgr_loss_check_head(const tgr_loss *loss);
void tgr_loss_reset_terms(tgr_loss *loss);
/* Fills all terms; ERROR_NONFINITE, naming the term, when one is not finite. *total is task + aux + distill. */
tgr_status tgr_loss_fill_terms(tgr_loss *loss, double task, int guided, double *total);

#endif
