/* SPDX-License-Identifier: MIT */
/* Which backbone a teacher was trained with, told by its weights. */
#ifndef TGR_CHECKPOINT_BACKBONE_H
#define TGR_CHECKPOINT_BACKBONE_H

#include "checkpoint/entry.h"
#include "teacher/teacher.h"

/* CRC-32 of the weights of the teacher's backbone as they will be when what `list` has staged is in place: a file may
 * hold the backbone, too. */
uint32_t tgr_backbone_fingerprint(const tgr_teacher *teacher, const tgr_entry_list *list);

#endif
