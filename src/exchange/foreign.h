/* SPDX-License-Identifier: MIT */
/* Tensors of other architectures: what they do, so that a refusal can say why. */
#ifndef TGR_EXCHANGE_FOREIGN_H
#define TGR_EXCHANGE_FOREIGN_H

typedef enum tgr_foreign_kind {
    TGR_FOREIGN_UNKNOWN, /* named as no part of a vision transformer is */
    TGR_FOREIGN_PART,    /* named as parts of a vision transformer are: without it the answers are others */
    TGR_FOREIGN_IDLE     /* computes nothing when images are classified */
} tgr_foreign_kind;

/* The kind of tensor `name`, for which a model has no place. *what says what it does; "" where nobody knows. */
tgr_foreign_kind tgr_foreign_find(const char *name, const char **what);
/* Why a file may lack the model's tensor `name`; "" where nobody knows. */
const char *tgr_foreign_lack(const char *name);

#endif
