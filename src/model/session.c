/* SPDX-License-Identifier: MIT */
/* A session is a twin of the model: a second model with the same config, whose tensors are those of the first. A pass
 * in TGR_EVAL changes no tensor, so everything that it writes belongs to the twin. */
#include "tgrmoe/session.h"

#include "base/memory.h"
#include "base/status.h"
#include "model/state.h"

struct tgr_session {
    tgr_context *context; /* retained */
    tgr_model *twin;
};

tgr_status tgr_model_twin(tgr_model **out, tgr_model *model, tgr_context *context) {
    tgr_status status = TGR_OK;
    tgr_model *twin;
    TGR_TRY(tgr_model_assemble(&twin, context, model->config));
    TGR_TRY_DONE(tgr_model_reserve(twin));
    tgr_parameters_borrow(twin->parameters, model->parameters);
    *out = twin;
done:
    if (status != TGR_OK) tgr_model_free(twin);
    return status;
}

tgr_status tgr_model_run_twin(tgr_model *twin, const float *images, int64_t batch) {
    tgr_parameters_follow(twin->parameters);
    return tgr_model_forward(twin, TGR_EVAL, images, batch);
}

tgr_status tgr_session_create(tgr_session **out, tgr_model *model, tgr_context *context) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(out);
    TGR_REQUIRE_ARGUMENT(model);
    if (context == NULL) context = model->context;
    tgr_session *session;
    void *memory;
    TGR_TRY(tgr_allocate(context, &memory, 1, sizeof *session));
    session = memory;
    tgr_context_retain(context);
    session->context = context;
    tgr_status status = TGR_OK;
    TGR_TRY_DONE(tgr_model_twin(&session->twin, model, context));
    *out = session;
done:
    if (status != TGR_OK) tgr_session_free(session);
    return status;
}

void tgr_session_free(tgr_session *session) {
    if (session == NULL) return;
    tgr_context *context = session->context;
    tgr_model_free(session->twin);
    tgr_release(context, session, 1, sizeof *session);
    tgr_context_free(context);
}

tgr_status tgr_session_forward(tgr_session *session, const float *images, int64_t batch) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(session);
    TGR_REQUIRE_ARGUMENT(images);
    TGR_REQUIRE(batch >= 1, TGR_ERROR_RANGE, "argument 'batch' is %lld; it must be at least 1", (long long)batch);
    return tgr_model_run_twin(session->twin, images, batch);
}

int64_t tgr_session_batch(const tgr_session *session) {
    return session != NULL ? tgr_model_batch(session->twin) : 0;
}

tgr_status tgr_session_logits(const tgr_session *session, const float **logits) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(session);
    return tgr_model_logits(session->twin, logits);
}

tgr_status tgr_session_features(const tgr_session *session, const float **features) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(session);
    return tgr_model_features(session->twin, features);
}

tgr_status tgr_session_routing(const tgr_session *session, int64_t index, const tgr_routing **routing) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(session);
    return tgr_model_routing(session->twin, index, routing);
}
