/* SPDX-License-Identifier: MIT */
/* Shares of training in whole steps, worked out once, so that no later comparison depends on rounding. */
#ifndef TGR_BASE_STEP_SHARE_H
#define TGR_BASE_STEP_SHARE_H

#include <stdint.h>

/* The first step that is not before `share` (0 to 1) of `total` steps: ceil(share · total), but a product that is a
 * whole number but for the rounding of a share such as 0.07 is that number. */
uint64_t tgr_step_of_share(double share, int64_t total);

#endif
