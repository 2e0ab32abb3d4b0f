/* SPDX-License-Identifier: MIT */
/* The oracle of the paper: in evaluation, the student routes by the teacher's probabilities. */
#include "base/status.h"
#include "teacher/inside.h"

/* Another teacher of the same student may have set its own in the meantime; that one stays. */
void tgr_oracle_end(tgr_teacher *teacher) {
    if (teacher->batch == 0 && teacher->buffers.memory == NULL) return;
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        int64_t tokens;
        tgr_moe_layer *layer = tgr_teacher_student_layer(teacher, i);
        const float *own = tgr_teacher_view(teacher, &teacher->buffers, i, 1).probabilities;
        if (tgr_moe_layer_override(layer, &tokens) == own) tgr_moe_layer_set_override(layer, NULL, 0);
    }
}

void tgr_oracle_begin(tgr_teacher *teacher) {
    for (int64_t i = 0; i < teacher->match.layers; i++) {
        tgr_router_batch view = tgr_teacher_view(teacher, &teacher->buffers, i, teacher->batch);
        tgr_moe_layer_set_override(tgr_teacher_student_layer(teacher, i), view.probabilities, view.tokens);
    }
}

tgr_status tgr_teacher_set_oracle(tgr_teacher *teacher, int on) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(teacher);
    teacher->oracle = on != 0;
    tgr_oracle_end(teacher);
    if (teacher->oracle && teacher->batch > 0) tgr_oracle_begin(teacher);
    return TGR_OK;
}
