/* SPDX-License-Identifier: MIT */
/* How the probe was routed after each epoch, and how steadily. */
#ifndef TOOL_HISTORY_H
#define TOOL_HISTORY_H

#include <stdint.h>

typedef struct tool_history {
    int64_t epochs, choices; /* choices of one epoch: MoE layers * probe images * tokens; 0 for a dense model */
    uint16_t *experts;       /* [epochs, choices]; the library has at most 4096 experts */
} tool_history;

/* Adds an epoch's routing, int32 [choices]. */
int history_append(tool_history *history, const int32_t *routing, int64_t choices);
/* The share of `routing` [choices] that goes where it went after `epoch` (from 0). */
int history_agreement(const tool_history *history, int64_t epoch, const int32_t *routing, double *agreement);
void history_free(tool_history *history);

#endif
