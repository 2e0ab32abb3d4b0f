/* SPDX-License-Identifier: MIT */
/* Fresh weights, drawn from counter-based random numbers. */
#include "base/initialise.h"

#include <math.h>

#include "base/assert.h"

/* FNV-1a of the name: the "step" of a tensor's stream. */
static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

tgr_random tgr_initialise_stream(const tgr_parameters *parameters, int64_t index) {
    return (tgr_random){.seed = parameters->seed,
                        .step = hash_name(parameters->tensors[index].name),
                        .place = tgr_random_place(TGR_PLACE_INIT, 0, 0)};
}

/* How many normals are drawn at a time. */
#define NORMALS 256

void tgr_initialise_truncated(tgr_parameters *parameters, int64_t index, double deviation) {
    const tgr_random random = tgr_initialise_stream(parameters, index);
    int64_t count = parameters->tensors[index].count;
    float *value = tgr_value(parameters, index);
    double normals[NORMALS];
    for (int64_t i = 0; i < count; i++) {
        if (i % NORMALS == 0)
            tgr_random_normals(&random, (uint64_t)i, count - i < NORMALS ? count - i : NORMALS, normals);
        double draw = deviation * normals[i % NORMALS];
        value[i] = (float)(fabs(draw) <= 2.0 ? draw : tgr_random_truncated(&random, (uint64_t)i, deviation));
    }
}

/* value += deviation·normal */
static void add_normals(tgr_parameters *parameters, int64_t index, const tgr_random *random, double deviation) {
    int64_t count = parameters->tensors[index].count;
    float *value = tgr_value(parameters, index);
    double normals[NORMALS];
    for (int64_t i = 0; i < count; i++) {
        if (i % NORMALS == 0)
            tgr_random_normals(random, (uint64_t)i, count - i < NORMALS ? count - i : NORMALS, normals);
        value[i] += (float)(deviation * normals[i % NORMALS]);
    }
}

void tgr_initialise_normal(tgr_parameters *parameters, int64_t index, double deviation) {
    const tgr_random random = tgr_initialise_stream(parameters, index);
    tgr_initialise_constant(parameters, index, 0.0f);
    add_normals(parameters, index, &random, deviation);
}

void tgr_initialise_add_noise(tgr_parameters *parameters, int64_t index, double deviation) {
    tgr_random random = tgr_initialise_stream(parameters, index);
    random.place = tgr_random_place(TGR_PLACE_UPCYCLE, 0, 0);
    add_normals(parameters, index, &random, deviation);
}

void tgr_initialise_constant(tgr_parameters *parameters, int64_t index, float value) {
    float *values = tgr_value(parameters, index);
    for (int64_t i = 0; i < parameters->tensors[index].count; i++) values[i] = value;
}

/* Σ_i a[i·stride] · b[i·stride] */
static double strided_dot(int64_t count, int64_t stride, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i * stride] * b[i * stride];
    return sum;
}

/* Gram-Schmidt, with each vector made orthogonal to those before it twice: the second time removes what rounding left.
 */
void tgr_initialise_orthogonal(tgr_parameters *parameters, int64_t index, double gain) {
    TGR_ASSERT(parameters->tensors[index].ndim == 2);
    int64_t rows = parameters->tensors[index].dims[0], columns = parameters->tensors[index].dims[1];
    int by_row = rows <= columns;
    int64_t vectors = by_row ? rows : columns, length = by_row ? columns : rows;
    int64_t step = by_row ? columns : 1, stride = by_row ? 1 : columns;
    float *value = tgr_value(parameters, index);
    tgr_initialise_normal(parameters, index, 1);
    for (int64_t v = 0; v < vectors; v++) {
        float *vector = value + v * step;
        for (int64_t before = 0; before < 2 * v; before++) {
            const float *other = value + before % v * step;
            double along = strided_dot(length, stride, vector, other);
            for (int64_t i = 0; i < length; i++) vector[i * stride] -= (float)(along * other[i * stride]);
        }
        double norm = sqrt(strided_dot(length, stride, vector, vector));
        TGR_ASSERT(norm > 0);
        for (int64_t i = 0; i < length; i++) vector[i * stride] = (float)(vector[i * stride] / norm);
    }
    for (int64_t i = 0; i < rows * columns; i++) value[i] = (float)(gain * value[i]);
}
