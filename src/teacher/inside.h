/* SPDX-License-Identifier: MIT */
/* The inside of a teacher, shared by the files of this folder. */
#ifndef TGR_TEACHER_INSIDE_H
#define TGR_TEACHER_INSIDE_H

#include <stdatomic.h>

#include "teacher/cache.h"
#include "teacher/match.h"
#include "teacher/objective.h"
#include "teacher/teacher.h"
#include "teacher/window.h"

/* What a forward pass fills, for up to `capacity` images. A layer's piece starts at the same address for any batch. */
typedef struct tgr_teacher_buffers {
    void *memory;
    int64_t bytes, capacity;
    float *features;         /* [features, capacity, backbone tokens, backbone dim] */
    float *student_features; /* [features, capacity, student tokens, backbone dim]; the same memory if same_tokens */
    float *probabilities;    /* [layers, capacity, student tokens, experts] */
    float *dlogits;          /* [capacity, student tokens, experts], scratch */
    double *partial;         /* sums by block of tokens, see objective.h */
    /* With a cache: */
    float *missing_images;   /* [capacity, channels, size, size] */
    float *missing_features; /* [features, capacity, backbone tokens, backbone dim] */
    int64_t *missing;        /* [capacity], the images of the batch that the cache lacks */
} tgr_teacher_buffers;

struct tgr_teacher {
    atomic_int references;
    tgr_context *context;          /* the student's, retained */
    tgr_model *backbone, *student; /* retained */
    tgr_model *twin;               /* of the backbone, which other teachers may read at the same time */

    tgr_layer_match match;
    tgr_feature feature;
    int64_t *token_map; /* [student tokens] */
    int same_tokens;    /* token n of the student is token n of the backbone */
    int64_t tokens, backbone_tokens, dim, experts, image_floats;

    tgr_window window;
    double distill_weight, load_weight, entropy_weight;
    int joint;                  /* the teacher routers train */
    tgr_parameters *parameters; /* tensor i is R_i [experts, dim] */
    tgr_optimizer *optimizer;
    tgr_feature_cache *cache;   /* NULL for none */
    tgr_values_mark cache_mark; /* of the backbone's weights that its features are of */
    int oracle;

    tgr_teacher_buffers buffers;
    /* Of the last forward pass: */
    int64_t batch; /* 0 when it did not run; others ask tgr_teacher_batch */
    tgr_mode mode;
    tgr_values_mark mark, backbone_mark; /* of the teacher routers and of the backbone that it used */
    int can_backward;                    /* it was in TGR_TRAIN, and has had no backward */
    uint64_t passes;                     /* forward passes so far */
};

/* The teacher router of MoE layer `layer` on the first `images` images of the buffers. */
tgr_router_batch tgr_teacher_view(const tgr_teacher *teacher, const tgr_teacher_buffers *buffers, int64_t layer,
                                  int64_t images);
/* The student's MoE layer `layer`. */
tgr_moe_layer *tgr_teacher_student_layer(const tgr_teacher *teacher, int64_t layer);
/* Discards the gradients of batches that the student has discarded. */
void tgr_teacher_drop_discarded(tgr_teacher *teacher);
/* Remembers which weights are in force. */
void tgr_teacher_mark(tgr_teacher *teacher);
void tgr_teacher_release_buffers(tgr_teacher *teacher, tgr_teacher_buffers *buffers);
/* Ends or begins routing by the buffers' probabilities in the student's evaluation passes. */
void tgr_oracle_end(tgr_teacher *teacher);
void tgr_oracle_begin(tgr_teacher *teacher);

#endif
