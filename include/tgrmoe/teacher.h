/* SPDX-License-Identifier: MIT */
/**
 * @file teacher.h
 * TGR-MoE (Kada et al., CVPR 2026, arXiv 2604.21330): a frozen dense model's features drive teacher routers, whose
 * balanced, confident routing is distilled into the student's routers.
 *
 * For each MoE layer i, R_i (no bias) gives p_t = softmax(R_i h_t) from the teacher's feature h_t at the same layer.
 * Its own objective: Σ_i [ teacher_load_weight · CV²(mean_t p_t) + teacher_entropy_weight · H(p_t) ]. The student adds
 * (distill_weight / layers) Σ_i KL(stop(p_t) ‖ p), mean over tokens, while guidance is on: at steps s with
 * guidance_start ≤ s / total_steps < guidance_end.
 */
#ifndef TGRMOE_TEACHER_H
#define TGRMOE_TEACHER_H

#include "tgrmoe/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A teacher router on a host's own features. Parameter: "router.weight" [experts, dim]. Reads teacher_load_weight,
 *  teacher_entropy_weight and router_init_std from the config. @param dim 1 to 65536. @param experts 1 to 4096. */
TGR_API tgr_status tgr_teacher_router_create(tgr_teacher_router **out, tgr_context *context, const tgr_config *config,
                                             int64_t dim, int64_t experts);
TGR_API void tgr_teacher_router_free(tgr_teacher_router *router);
/** p [tokens, experts] from `features` [tokens, dim], which must stay until backward. `probabilities`, valid until the
 *  next forward, may be NULL. */
TGR_API tgr_status tgr_teacher_router_forward(tgr_teacher_router *router, const float *features, int64_t tokens,
                                              const float **probabilities);
/** A teacher router's objective and its parts. */
typedef struct tgr_teacher_measures {
    size_t struct_size; /**< sizeof(tgr_teacher_measures), set by the caller */
    double objective;   /**< teacher_load_weight · balance + teacher_entropy_weight · entropy */
    double balance;     /**< CV²(mean_t p_t) */
    double entropy;     /**< H(p_t), mean over tokens, in nats */
} tgr_teacher_measures;
/** The objective at the last forward. ERROR_STATE before the first. */
TGR_API tgr_status tgr_teacher_router_measure(const tgr_teacher_router *router, tgr_teacher_measures *measures);
/** Adds the objective's gradient to the weight's; once for each forward. */
TGR_API tgr_status tgr_teacher_router_backward(tgr_teacher_router *router);
TGR_API tgr_parameters *tgr_teacher_router_parameters(tgr_teacher_router *router);

/** A teacher for `student`: `backbone` is kept alive and only ever runs forward; its weights never change; each MoE
 *  layer of the student gets a teacher router. The student's config decides layers, feature, weights, window and
 *  learning rate. Widths may differ. ERROR_SHAPE, with both counts, when the patch grids or the images' sizes differ. A
 *  student's distillation token that the backbone lacks is guided by the backbone's CLS; one that only the backbone has
 *  guides nothing. Without total_steps, guidance has no end, and a window other than all of training is refused. */
TGR_API tgr_status tgr_teacher_create(tgr_teacher **out, tgr_model *backbone, tgr_model *student);
TGR_API void tgr_teacher_free(tgr_teacher *teacher);
/** Runs the backbone and the teacher routers on the images that the student got. In TGR_TRAIN outside the guidance
 *  window it returns at once. The backbone runs in TGR_EVAL, with the teacher's own activations: the backbone handle
 *  does not change, so several teachers of one backbone may run in several threads. Memory is allocated when `batch` is
 *  larger than ever before. @param images [batch, channels, image_size, image_size] */
TGR_API tgr_status tgr_teacher_forward(tgr_teacher *teacher, tgr_mode mode, const float *images, int64_t batch);
/** The same, but features of images seen before with the same id come from the cache (option teacher_cache_mb), bit for
 *  bit what the backbone gives. Ids are the host's, at least 0; an id must always mean the same pixels. Memory grows as
 *  images come in; when it is used up, further images run through the backbone. Loading or importing weights into the
 *  backbone empties the cache; a host that writes them in place must create a new teacher. @param ids [batch] */
TGR_API tgr_status tgr_teacher_forward_cached(tgr_teacher *teacher, tgr_mode mode, const float *images,
                                              const int64_t *ids, int64_t batch);
/** Whether guidance is on at the student's current step. The window's edges are guidance_start and guidance_end times
 *  total_steps, rounded up to a whole step when the teacher is made (a product that is whole except for rounding errors
 *  stays). */
TGR_API int tgr_teacher_is_active(const tgr_teacher *teacher);
/** The teacher's probabilities of the last batch for MoE layer `index`, in the student's tokens: [tokens, experts]. */
TGR_API tgr_status tgr_teacher_probabilities(const tgr_teacher *teacher, int64_t index, const float **probabilities);
/** One optimizer step of the teacher routers, at the learning rate that belongs to the student's step in the schedule.
 *  It does nothing, without an error, if there has been no backward since the last one: outside the window, or with
 *  option `teacher_router` frozen, whose weights never change. Gradients of a batch that the student has discarded,
 *  because its step failed or its host said so, are discarded, too. ERROR_NONFINITE leaves the weights unchanged. */
TGR_API tgr_status tgr_teacher_step(tgr_teacher *teacher);
/** Makes the student's evaluation passes route by this teacher's probabilities of the same images instead of its own
 *  (the oracle of the paper): call tgr_teacher_forward() first, then tgr_model_forward() in TGR_EVAL, which fails for a
 *  different number of images. 0 ends it, and so does freeing the teacher (a loss made with it keeps it alive). */
TGR_API tgr_status tgr_teacher_set_oracle(tgr_teacher *teacher, int on);
/** The teacher routers' weights, "layers.I.router.weight" [experts, dim of the backbone]. */
TGR_API tgr_parameters *tgr_teacher_parameters(tgr_teacher *teacher);

#ifdef __cplusplus
}
#endif
#endif
