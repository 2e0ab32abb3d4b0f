/* SPDX-License-Identifier: MIT */
/* Routings of past epochs, two bytes for each choice. */
#include "history.h"

#include <stdlib.h>

#include "failure.h"
#include "tgrmoe/measure.h"

int history_append(tool_history *history, const int32_t *routing, int64_t choices) {
    if (history->epochs == 0) history->choices = choices;
    if (choices != history->choices) {
        return fail_with("the probe has %lld choices now and had %lld before", (long long)choices,
                         (long long)history->choices);
    }
    const size_t before = (size_t)(history->epochs * choices);
    uint16_t *experts = realloc(history->experts, (before + (size_t)choices) * sizeof *experts + 1);
    if (!experts) return fail_with("no memory for the routing of epoch %lld", (long long)history->epochs + 1);
    for (int64_t i = 0; i < choices; i++) experts[before + (size_t)i] = (uint16_t)routing[i];
    history->experts = experts;
    history->epochs++;
    return 0;
}

int history_agreement(const tool_history *history, int64_t epoch, const int32_t *routing, double *agreement) {
    int result = 0;
    const uint16_t *from = history->experts + epoch * history->choices;
    int32_t *then = malloc((size_t)history->choices * sizeof *then);
    if (!then) TRY(fail_with("no memory to compare routings"));
    for (int64_t i = 0; i < history->choices; i++) then[i] = from[i];
    LIBRARY(tgr_measure_agreement(then, routing, history->choices, agreement));
done:
    free(then);
    return result;
}

void history_free(tool_history *history) {
    free(history->experts);
    *history = (tool_history){0};
}
