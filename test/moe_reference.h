/* SPDX-License-Identifier: MIT */
/* A MoE layer as its formulas say, in double, one number at a time: what the library's is compared with. */
#ifndef TGR_TEST_MOE_REFERENCE_H
#define TGR_TEST_MOE_REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "support.h"

enum { REFERENCE_TOKENS = 64, REFERENCE_EXPERTS = 8, REFERENCE_DIM = 16, REFERENCE_HIDDEN = 32 };

typedef struct reference {
    /* What is given. */
    int64_t tokens, dim, hidden, experts, top_k;
    double capacity_factor, noise, importance_weight, load_weight, switch_weight, z_weight, guide_weight;
    int batch_prioritized, renormalize, task_gradient;
    uint64_t seed;
    /* x [T, dim], router [E, dim], fc1 weight [E, hidden, dim] and bias [E, hidden], fc2 weight [E, dim, hidden] and
     * bias [E, dim], one after the other, and their starts. */
    double *values;
    int64_t start[7];        /* the last is the count */
    const float *teacher;    /* [T, E] */
    const float *y_gradient; /* [T, dim]: the task's loss is ⟨y, y_gradient⟩ */

    /* What comes out. */
    double logits[REFERENCE_TOKENS][REFERENCE_EXPERTS], p[REFERENCE_TOKENS][REFERENCE_EXPERTS];
    int32_t choices[REFERENCE_TOKENS][REFERENCE_EXPERTS];
    double gates[REFERENCE_TOKENS][REFERENCE_EXPERTS];
    int kept[REFERENCE_TOKENS][REFERENCE_EXPERTS];
    double y[REFERENCE_TOKENS][REFERENCE_DIM];
    double importance, load, switch_, z, divergence; /* with weights, the last without */

    /* Set by reference_freeze for losses of changed values: gates as they were, if the task may not change them. */
    int frozen;
    double frozen_gates[REFERENCE_TOKENS][REFERENCE_EXPERTS];
} reference;

/* Sets start[] from the sizes; returns how many values there are. */
static inline int64_t reference_layout(reference *r) {
    const int64_t sizes[] = {r->tokens * r->dim,
                             r->experts * r->dim,
                             r->experts * r->hidden * r->dim,
                             r->experts * r->hidden,
                             r->experts * r->dim * r->hidden,
                             r->experts * r->dim};
    r->start[0] = 0;
    FOR(i, 6) r->start[i + 1] = r->start[i] + sizes[i];
    return r->start[6];
}

static double phi(double z) {
    return 0.5 * (1 + erf(z / sqrt(2)));
}

static void softmax(const double *l, int64_t count, double *p) {
    double sum = 0;
    FOR(e, count) sum += exp(l[e]);
    FOR(e, count) p[e] = exp(l[e]) / sum;
}

static double squared_cv(const double *v, int64_t count) {
    double mean = 0, variance = 0;
    FOR(i, count) mean += v[i] / (double)count;
    FOR(i, count) variance += (v[i] - mean) * (v[i] - mean) / (double)count;
    return variance / (mean * mean);
}

/* The expert that `rank` others come before. */
static int64_t ranked(const double *v, int64_t count, int64_t rank) {
    FOR(e, count) {
        int64_t before = 0;
        FOR(j, count) before += v[j] > v[e] || (v[j] == v[e] && j < e);
        if (before == rank) return e;
    }
    return -1;
}

/* Fills logits, p, choices, gates; expected loads P_t are added to `selected`. */
static void route(reference *r, double *selected) {
    const double *x = r->values, *router = r->values + r->start[1];
    const tgr_random random = {.seed = r->seed, .place = tgr_random_place(TGR_PLACE_ROUTER_NOISE, 0, 0)};
    FOR(t, r->tokens) {
        double noisy[REFERENCE_EXPERTS] = {0}, q[REFERENCE_EXPERTS] = {0}, total = 0;
        FOR(e, r->experts) {
            r->logits[t][e] = 0;
            FOR(i, r->dim) r->logits[t][e] += x[t * r->dim + i] * router[e * r->dim + i];
            double draw = tgr_random_normal(&random, (uint64_t)(t * r->experts + e));
            noisy[e] = r->logits[t][e] + r->noise / (double)r->experts * draw;
        }
        softmax(r->logits[t], r->experts, r->p[t]);
        softmax(noisy, r->experts, q);
        FOR(k, r->top_k) {
            r->choices[t][k] = (int32_t)ranked(q, r->experts, k);
            r->gates[t][k] = q[r->choices[t][k]];
            total += r->gates[t][k];
        }
        FOR(k, r->top_k) r->gates[t][k] /= r->renormalize ? total : 1;
        double threshold = noisy[ranked(noisy, r->experts, r->top_k - 1)];
        FOR(e, r->experts) selected[e] += 1 - phi((threshold - r->logits[t][e]) * (double)r->experts);
    }
}

static void keep(reference *r) {
    double capacity = ceil((double)(r->tokens * r->top_k) * r->capacity_factor / (double)r->experts);
    if (r->capacity_factor == 0) capacity = (double)r->tokens;
    FOR(t, r->tokens)
        FOR(k, r->top_k) {
            int64_t before = 0;
            FOR(s, r->tokens)
                FOR(j, r->top_k) {
                    if (r->choices[s][j] != r->choices[t][k]) continue;
                    int earlier = s < t;
                    if (r->batch_prioritized && r->gates[s][0] != r->gates[t][0])
                        earlier = r->gates[s][0] > r->gates[t][0];
                    before += j < k || (j == k && earlier);
                }
            r->kept[t][k] = (double)before < capacity;
        }
}

/* y += gate · expert(x) */
static void add_expert(const reference *r, int64_t expert, double gate, const double *x, double *y) {
    const double *fc1 = r->values + r->start[2] + expert * r->hidden * r->dim;
    const double *bias1 = r->values + r->start[3] + expert * r->hidden;
    const double *fc2 = r->values + r->start[4] + expert * r->dim * r->hidden;
    const double *bias2 = r->values + r->start[5] + expert * r->dim;
    double hidden[REFERENCE_HIDDEN];
    FOR(h, r->hidden) {
        double sum = bias1[h];
        FOR(i, r->dim) sum += fc1[h * r->dim + i] * x[i];
        hidden[h] = sum * phi(sum);
    }
    FOR(i, r->dim) {
        double sum = bias2[i];
        FOR(h, r->hidden) sum += fc2[i * r->hidden + h] * hidden[h];
        y[i] += gate * sum;
    }
}

static double combine(reference *r) {
    double task = 0;
    memset(r->y, 0, sizeof r->y);
    FOR(t, r->tokens) {
        FOR(k, r->top_k) {
            double gate = r->frozen && !r->task_gradient ? r->frozen_gates[t][k] : r->gates[t][k];
            if (r->kept[t][k]) add_expert(r, r->choices[t][k], gate, r->values + t * r->dim, r->y[t]);
        }
        FOR(i, r->dim) task += r->y[t][i] * r->y_gradient[t * r->dim + i];
    }
    return task;
}

static void losses(reference *r, const double *selected) {
    double n = (double)r->tokens, sums[REFERENCE_EXPERTS] = {0}, shares[REFERENCE_EXPERTS] = {0};
    r->switch_ = r->z = r->divergence = 0;
    FOR(t, r->tokens) {
        double sum = 0;
        FOR(e, r->experts) {
            double teacher = r->teacher[t * r->experts + e];
            sums[e] += r->p[t][e];
            sum += exp(r->logits[t][e]);
            if (teacher > 0) r->divergence += teacher * log(teacher / r->p[t][e]) / n;
        }
        r->z += r->z_weight * log(sum) * log(sum) / n;
        FOR(k, r->top_k) shares[r->choices[t][k]] += 1 / (n * (double)r->top_k);
    }
    FOR(e, r->experts) r->switch_ += r->switch_weight * (double)r->experts * shares[e] * sums[e] / n;
    r->importance = r->importance_weight * squared_cv(sums, r->experts);
    r->load = r->load_weight * squared_cv(selected, r->experts);
}

/* Everything that comes out, for step 0 and micro-batch 0 of layer 0; returns the whole loss. */
static inline double reference_run(reference *r) {
    double selected[REFERENCE_EXPERTS] = {0};
    route(r, selected);
    keep(r);
    losses(r, selected);
    return combine(r) + r->importance + r->load + r->switch_ + r->z + r->guide_weight * r->divergence;
}

/* To be called after a run, before values are changed. */
static inline void reference_freeze(reference *r) {
    r->frozen = 1;
    memcpy(r->frozen_gates, r->gates, sizeof r->gates);
}

#endif
