/* SPDX-License-Identifier: MIT */
/* The steps at which guidance is on. */
#ifndef TGR_TEACHER_WINDOW_H
#define TGR_TEACHER_WINDOW_H

#include "base/config.h"

/* Steps first ≤ step < end. */
typedef struct tgr_window {
    uint64_t first, end;
} tgr_window;

/* guidance_start · total_steps ≤ step < guidance_end · total_steps in whole steps. Without total_steps the window must
 * be the whole of training, [0, 1), and has no end. */
tgr_status tgr_window_read(tgr_window *window, const tgr_config *config);

#endif
