/* SPDX-License-Identifier: MIT */
/* The standalone MoE layer. */
#include "base/status.h"
#include "routing/handles/standalone.h"

tgr_status tgr_moe_create(tgr_moe **out, tgr_context *context, const tgr_config *config, int64_t dim) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(context);
    TGR_REQUIRE_ARGUMENT(config);
    void *memory;
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof(tgr_moe)));
    tgr_moe *moe = memory;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_standalone_open(&moe->inside, context, config, dim, 1));
    tgr_context_retain(context);
    *out = moe;
done:
    if (status != TGR_OK) tgr_release(context, moe, 1, sizeof *moe);
    return status;
}

void tgr_moe_free(tgr_moe *moe) {
    if (moe == NULL) return;
    tgr_context *context = moe->inside.context;
    tgr_standalone_close(&moe->inside);
    tgr_release(context, moe, 1, sizeof *moe);
    tgr_context_free(context);
}

tgr_status tgr_moe_forward(tgr_moe *moe, tgr_mode mode, const float *x, int64_t tokens, float *y) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(moe);
    TGR_REQUIRE_ARGUMENT(y);
    TGR_REQUIRE(x == NULL || tokens < 1 || !tgr_rows_overlap(tokens, x, moe->inside.dim, y, moe->inside.dim),
                TGR_ERROR_ARGUMENT, "arguments 'x' and 'y' overlap; two buffers are needed");
    TGR_TRY(tgr_standalone_prepare(&moe->inside, mode, x, tokens));
    tgr_moe_layer_forward(moe->inside.layer, mode, tokens, &moe->inside.input, y);
    return TGR_OK;
}

tgr_status tgr_moe_set_sequence(tgr_moe *moe, int64_t tokens_per_sequence) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(moe);
    return tgr_standalone_set_sequence(&moe->inside, tokens_per_sequence);
}

tgr_status tgr_moe_backward(tgr_moe *moe, const float *y_gradient, float *x_gradient) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(moe);
    TGR_REQUIRE_ARGUMENT(y_gradient);
    TGR_TRY(tgr_standalone_check_backward(&moe->inside));
    TGR_TRY(tgr_standalone_check_buffers(&moe->inside, "y_gradient", y_gradient, moe->inside.dim, x_gradient));
    tgr_moe_layer_backward(moe->inside.layer, &moe->inside.input, y_gradient, x_gradient);
    tgr_standalone_finish_backward(&moe->inside);
    return TGR_OK;
}

const tgr_routing *tgr_moe_routing(const tgr_moe *moe) {
    return moe != NULL ? tgr_moe_layer_routing(moe->inside.layer) : NULL;
}

tgr_parameters *tgr_moe_parameters(tgr_moe *moe) {
    return moe != NULL ? moe->inside.parameters : NULL;
}

tgr_status tgr_moe_guide(tgr_moe *moe, const float *teacher, double weight, double *divergence) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(moe);
    return tgr_standalone_guide(&moe->inside, teacher, weight, divergence);
}
