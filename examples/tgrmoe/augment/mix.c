/* SPDX-License-Identifier: MIT */
/* Mixup and CutMix as timm does them in mode "batch": one lambda and one rectangle for all images. */
#include "augment/mix.h"

#include <math.h>
#include <string.h>

static int within(int at, int size) {
    return at < 0 ? 0 : at > size ? size : at;
}

mix_plan mix_cut(double lambda, int height, int width, int center_y, int center_x) {
    const double ratio = sqrt(1 - lambda);
    const int high = (int)(height * ratio), wide = (int)(width * ratio);
    mix_plan plan = {.cut = 1,
                     .top = within(center_y - high / 2, height),
                     .bottom = within(center_y + (high + 1) / 2, height),
                     .left = within(center_x - wide / 2, width),
                     .right = within(center_x + (wide + 1) / 2, width)};
    const int64_t area = (int64_t)(plan.bottom - plan.top) * (plan.right - plan.left);
    plan.lambda = 1 - (double)area / (double)((int64_t)height * width);
    return plan;
}

mix_plan mix_draw(const augment_recipe *recipe, int height, int width, augment_key key) {
    augment_random random = augment_random_start(key, AUGMENT_MIX);
    const int mixup = recipe->mixup > 0;
    int cut = recipe->cutmix > 0;
    if (!mixup && !cut) return (mix_plan){.lambda = 1};
    if (mixup && cut) cut = augment_uniform(&random) < 0.5;
    const double lambda = augment_beta(&random, cut ? recipe->cutmix : recipe->mixup);
    if (!cut) return (mix_plan){.lambda = lambda};
    const int center_y = augment_integer(&random, 0, height - 1);
    return mix_cut(lambda, height, width, center_y, augment_integer(&random, 0, width - 1));
}

static void swap_rows(float *a, float *b, int count) {
    for (int i = 0; i < count; i++) {
        const float kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

/* Swaps the rectangles of the images `one` and `other`. */
static void cut_pair(float *one, float *other, int channels, int height, int width, const mix_plan *plan) {
    for (int channel = 0; channel < channels; channel++) {
        for (int y = plan->top; y < plan->bottom; y++) {
            const int64_t at = ((int64_t)channel * height + y) * width + plan->left;
            swap_rows(one + at, other + at, plan->right - plan->left);
        }
    }
}

static void blend_pair(float *one, float *other, int64_t count, float lambda, float rest) {
    for (int64_t i = 0; i < count; i++) {
        const float a = one[i], b = other[i];
        one[i] = a * lambda + b * rest;
        other[i] = b * lambda + a * rest;
    }
}

void mix_images(float *images, int64_t count, int channels, int height, int width, const mix_plan *plan) {
    const int64_t numbers = (int64_t)channels * height * width;
    if (plan->lambda == 1) return;
    for (int64_t i = 0; i < count - 1 - i; i++) { /* the middle image of an odd number is its own partner */
        float *one = images + i * numbers, *other = images + (count - 1 - i) * numbers;
        if (plan->cut) {
            cut_pair(one, other, channels, height, width, plan);
        } else {
            blend_pair(one, other, numbers, (float)plan->lambda, (float)(1 - plan->lambda));
        }
    }
}

void mix_targets(float *targets, const int32_t *labels, int64_t count, int64_t classes, const mix_plan *plan) {
    memset(targets, 0, (size_t)(count * classes) * sizeof *targets);
    for (int64_t i = 0; i < count; i++) {
        float *row = targets + i * classes;
        row[labels[i]] += (float)plan->lambda;
        row[labels[count - 1 - i]] += (float)(1 - plan->lambda);
    }
}
