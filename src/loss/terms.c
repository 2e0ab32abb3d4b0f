/* SPDX-License-Identifier: MIT */
/* The terms of the loss by name: task, guidance, the teacher's own objective, and what the routers report. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "loss/loss.h"

void tgr_loss_reset_terms(tgr_loss *loss) {
    static const char *const names[TGR_FIRST_TERMS] = {"task", "distill", "teacher", "aux"};
    for (int i = 0; i < TGR_FIRST_TERMS; i++) loss->terms[i] = (tgr_term){names[i], 0};
    loss->term_count = TGR_FIRST_TERMS;
}

/* The same term of several layers is summed. */
static void add_auxiliary(tgr_loss *loss, const tgr_term *term) {
    loss->terms[TGR_TERM_AUX].value += term->value;
    for (int64_t i = TGR_FIRST_TERMS; i < loss->term_count; i++) {
        if (strcmp(loss->terms[i].name, term->name) != 0) continue;
        loss->terms[i].value += term->value;
        return;
    }
    TGR_ASSERT(loss->term_count < TGR_LOSS_TERMS); /* a model has one method: there is room for its names */
    if (loss->term_count < TGR_LOSS_TERMS) loss->terms[loss->term_count++] = *term;
}

tgr_status tgr_loss_fill_terms(tgr_loss *loss, double task, int guided, double *total) {
    tgr_loss_reset_terms(loss);
    loss->terms[TGR_TERM_TASK].value = task;
    TGR_ASSERT(!guided || loss->teacher != NULL);
    if (guided) {
        loss->terms[TGR_TERM_DISTILL].value = tgr_teacher_distill(loss->teacher);
        loss->terms[TGR_TERM_TEACHER].value = tgr_teacher_objective(loss->teacher);
    }
    for (int64_t layer = 0; layer < tgr_model_moe_layer_count(loss->model); layer++) {
        const tgr_routing *routing = tgr_moe_layer_routing(tgr_model_layer(loss->model, layer));
        for (int64_t i = 0; i < routing->losses.term_count; i++) add_auxiliary(loss, &routing->losses.terms[i]);
    }
    for (int64_t i = 0; i < loss->term_count; i++)
        TGR_REQUIRE(isfinite(loss->terms[i].value), TGR_ERROR_NONFINITE, "the term '%s' is %g", loss->terms[i].name,
                    loss->terms[i].value);
    *total = task + loss->terms[TGR_TERM_AUX].value + loss->terms[TGR_TERM_DISTILL].value;
    TGR_REQUIRE(isfinite(*total), TGR_ERROR_NONFINITE, "the sum of all terms is %g", *total);
    return TGR_OK;
}

int64_t tgr_loss_term_count(const tgr_loss *loss) {
    return loss != NULL ? loss->term_count : 0;
}

tgr_status tgr_loss_term(const tgr_loss *loss, int64_t index, const char **name, double *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE(index >= 0 && index < loss->term_count, TGR_ERROR_RANGE,
                "argument 'index' is %lld; there are %lld terms", (long long)index, (long long)loss->term_count);
    if (name != NULL) *name = loss->terms[index].name;
    if (value != NULL) *value = loss->terms[index].value;
    return TGR_OK;
}

tgr_status tgr_loss_term_value(const tgr_loss *loss, const char *name, double *value) {
    TGR_ENTER;
    TGR_REQUIRE_ARGUMENT(loss);
    TGR_REQUIRE_ARGUMENT(name);
    TGR_REQUIRE_ARGUMENT(value);
    for (int64_t i = 0; i < loss->term_count; i++) {
        if (strcmp(loss->terms[i].name, name) != 0) continue;
        *value = loss->terms[i].value;
        return TGR_OK;
    }
    return tgr_fail(TGR_ERROR_ARGUMENT, "there is no term called '%s'", name);
}
