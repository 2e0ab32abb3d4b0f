/* SPDX-License-Identifier: MIT */
/* Shares of training as whole steps, computed once, so that no later comparison depends on rounding. */
#ifndef TGR_BASE_STEP_SHARE_H
#define TGR_BASE_STEP_SHARE_H

#include <stdint.h>

/* The first step not before `share` (0 to 1) of `total` steps: ceil(share · total), except that a product that is whole
 * up to the rounding of a share such as 0.07 stays that whole number. */
uint64_t tgr_step_of_share(double share, int64_t total);

#endif
