/* SPDX-License-Identifier: MIT */
/* One line: the share of all MoE layers, then of each. */
#include "run/routing_kept.h"

#include <stdlib.h>

#include "failure.h"

static int print_layers(const tool_run *run, int64_t last, FILE *to) {
    int result = 0;
    int64_t layers = 0, *blocks = NULL;
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_list(config, TGR_OPTION_MOE_BLOCKS, NULL, 0, &layers));
    blocks = calloc((size_t)layers, sizeof *blocks);
    if (!blocks) TRY(fail_with("no memory for the numbers of %lld blocks", (long long)layers));
    LIBRARY(tgr_config_get_list(config, TGR_OPTION_MOE_BLOCKS, blocks, layers, &layers));
    for (int64_t layer = 0; layer < layers; layer++) {
        double share = 0;
        LIBRARY(tgr_probe_agreement(run->probe, layer, 0, last, &share));
        fprintf(to, "%s block %lld: %.1f %%", layer ? "," : ":", (long long)blocks[layer], 100 * share);
    }
done:
    free(blocks);
    return result;
}

int print_kept(const tool_run *run, FILE *to) {
    int result = 0;
    double share = 0;
    int64_t runs = tgr_probe_run_count(run->probe);
    if (runs < 2) goto done;
    LIBRARY(tgr_probe_agreement(run->probe, -1, 0, runs - 1, &share));
    fprintf(to, "routing kept: %.1f %% of tokens go to the same expert as %s", 100 * share,
            run->state.first_run ? "before training" : "after the first epoch");
    TRY(print_layers(run, runs - 1, to));
    fprintf(to, "\n");
done:
    return result;
}
