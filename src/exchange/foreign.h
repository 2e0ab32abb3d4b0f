/* SPDX-License-Identifier: MIT */
/* Tensors of other architectures and what they do, so that a message can say why they are refused. */
#ifndef TGR_EXCHANGE_FOREIGN_H
#define TGR_EXCHANGE_FOREIGN_H

typedef enum tgr_foreign_kind {
    TGR_FOREIGN_UNKNOWN, /* with a name that no part of a vision transformer has */
    TGR_FOREIGN_PART,    /* with a name like parts of a vision transformer: without it the results would be different */
    TGR_FOREIGN_IDLE     /* computes nothing when images are classified */
} tgr_foreign_kind;

/* The kind of tensor `name`, which a model does not have. *what says what it does; "" if unknown. */
tgr_foreign_kind tgr_foreign_find(const char *name, const char **what);
/* Why a file may lack the model's tensor `name`; "" if unknown. */
const char *tgr_foreign_lack(const char *name);

#endif
