/* SPDX-License-Identifier: MIT */
/**
 * @file session.h
 * Inference from several threads at once: a session borrows a model's weights and has its own activations.
 *
 *     model ──┬── session (thread 1)
 *             ├── session (thread 2)      weights are shared and only read; nothing else is shared
 *             └── session (thread 3)
 *
 * Sessions of one model may run at the same time, each in one thread at a time. While any of them runs, the model must
 * not be trained, loaded or imported into; between runs it may, and sessions then see the new weights.
 */
#ifndef TGRMOE_SESSION_H
#define TGRMOE_SESSION_H

#include "tgrmoe/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A session on a model. It uses the pool and the allocator of `context`: one made with threads = 1 computes on the
 *  calling thread only. NULL is the model's own context. The session keeps the model's weights alive. */
TGR_API tgr_status tgr_session_create(tgr_session **out, tgr_model *model, tgr_context *context);
TGR_API void tgr_session_free(tgr_session *session);
/** Runs a batch in TGR_EVAL; as tgr_model_forward(), bit for bit. `images` need not stay. */
TGR_API tgr_status tgr_session_forward(tgr_session *session, const float *images, int64_t batch);
/** As tgr_model_batch(), tgr_model_logits(), tgr_model_features(), tgr_model_routing(). */
TGR_API int64_t tgr_session_batch(const tgr_session *session);
TGR_API tgr_status tgr_session_logits(const tgr_session *session, const float **logits);
TGR_API tgr_status tgr_session_features(const tgr_session *session, const float **features);
TGR_API tgr_status tgr_session_routing(const tgr_session *session, int64_t index, const tgr_routing **routing);

#ifdef __cplusplus
}
#endif
#endif
