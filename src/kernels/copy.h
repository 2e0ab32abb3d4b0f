/* SPDX-License-Identifier: MIT */
/* Copying and clearing large buffers, in parallel. */
#ifndef TGR_KERNELS_COPY_H
#define TGR_KERNELS_COPY_H

#include "base/context.h"

/* to[i] = from[i], or 0 where `from` is NULL. */
void tgr_copy(const tgr_compute *compute, int64_t count, const float *from, float *to);

#endif
