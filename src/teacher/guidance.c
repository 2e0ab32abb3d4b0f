/* SPDX-License-Identifier: MIT */
/* TGR-MoE's losses (Kada et al., CVPR 2026, arXiv 2604.21330), for MoE layers i ∈ S and tokens t:
 *
 *   L_teacher = Σ_i [ teacher_load_weight · CV²(Imp(p^(i))) + teacher_entropy_weight · H(p^(i)) ]
 *   L_student = L_task + distill_weight / |S| · Σ_i mean_t KL( stop(p_t^(i)) ‖ student's p_t^(i) )
 *
 * with p_t^(i) = softmax(R_i h_t^(i)) of the frozen teacher's feature h. The first trains the teacher routers alone,
 * the second has a gradient for every expert's logit of the student, chosen or not. */
#include "teacher/inside.h"

#include "base/assert.h"

tgr_moe_layer *tgr_teacher_student_layer(const tgr_teacher *teacher, int64_t layer) {
    return tgr_model_layer(teacher->student, layer);
}

int tgr_teacher_is_active(const tgr_teacher *teacher) {
    if (teacher == NULL) return 0;
    const tgr_parameters *student = tgr_model_parameters(teacher->student);
    return student->step >= teacher->window.first && student->step < teacher->window.end;
}

static double layer_weight(const tgr_teacher *teacher) {
    return teacher->distill_weight / (double)teacher->match.layers;
}

/* A forward that ran, on the batch of the student's last forward. */
__attribute__((unused)) static int has_seen_batch(const tgr_teacher *teacher) {
    return teacher->batch > 0 && teacher->batch == tgr_model_batch(teacher->student);
}

double tgr_teacher_distill(const tgr_teacher *teacher) {
    TGR_ASSERT(has_seen_batch(teacher));
    double sum = 0;
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        const float *p = tgr_teacher_view(teacher, &teacher->buffers, i, teacher->batch).probabilities;
        sum += tgr_moe_layer_divergence(tgr_teacher_student_layer(teacher, i), p);
    }
    return layer_weight(teacher) * sum;
}

double tgr_teacher_objective(const tgr_teacher *teacher) {
    TGR_ASSERT(has_seen_batch(teacher));
    double sum = 0;
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        double balance, entropy;
        tgr_router_batch view = tgr_teacher_view(teacher, &teacher->buffers, i, teacher->batch);
        tgr_objective_measure(&view, &balance, &entropy);
        sum += teacher->load_weight * balance + teacher->entropy_weight * entropy;
    }
    return sum;
}

/* Gradients of the teacher routers whose batch the student has discarded, since its step was refused or its host said
 * so, go the same way. They are of the student's present step, and the student has none. */
void tgr_teacher_drop_discarded(tgr_teacher *teacher) {
    const tgr_parameters *student = tgr_model_parameters(teacher->student);
    if (teacher->parameters->micro > 0 && student->micro == 0 && student->step == teacher->parameters->step)
        tgr_parameters_clear_gradients(teacher->parameters);
}

static void train_routers(tgr_teacher *teacher) {
    tgr_teacher_drop_discarded(teacher);
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        tgr_router_batch view = tgr_teacher_view(teacher, &teacher->buffers, i, teacher->batch);
        tgr_objective_differentiate(&view);
    }
    teacher->parameters->micro++;
    /* The teacher routers are at the student's step in the schedule, even if guidance began late. */
    teacher->parameters->step = tgr_model_parameters(teacher->student)->step;
}

void tgr_teacher_backward(tgr_teacher *teacher) {
    TGR_ASSERT(has_seen_batch(teacher) && teacher->can_backward);
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        const float *p = tgr_teacher_view(teacher, &teacher->buffers, i, teacher->batch).probabilities;
        tgr_moe_layer_guide(tgr_teacher_student_layer(teacher, i), p, layer_weight(teacher));
    }
    if (teacher->joint) train_routers(teacher);
    teacher->can_backward = 0;
}
