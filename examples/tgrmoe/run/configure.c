/* SPDX-License-Identifier: MIT */
/* What the user set comes first; the rest is derived from the data, the teacher and the length of training. */
#include "run/configure.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "run/augmentation.h"
#include "run/images.h"
#include "uses.h"

/* Features of a frozen teacher are cached if those of all training images fit into this. */
enum { CACHE_MB_MOST = 1500 };

static int apply_settings(tgr_config *config, const tool_arguments *arguments) {
    int result = 0;
    for (int i = 0; i < arguments->setting_count; i++) {
        LIBRARY(tgr_config_set(config, arguments->settings[i].key, arguments->settings[i].value));
    }
    if (!tgr_config_is_set(config, TGR_OPTION_METHOD)) TRY(fail_usage("train: --method is missing"));
done:
    return result;
}

static int set_unless_set(tgr_config *config, tgr_option option, int64_t value) {
    int result = 0;
    if (!tgr_config_is_set(config, option)) LIBRARY(tgr_config_set_i64(config, option, value));
done:
    return result;
}

static int must_equal(const tgr_config *config, tgr_option option, const char *name, int64_t wanted) {
    int result = 0;
    int64_t value = 0;
    LIBRARY(tgr_config_get_i64(config, option, &value));
    if (value != wanted) {
        TRY(fail_with("%s is %lld, but the images of the data have %lld", name, (long long)value, (long long)wanted));
    }
done:
    return result;
}

/* Photographs are resized to the model's image size, which defaults to the teacher's. */
static int fit_photographs(tgr_config *config, tool_run *run) {
    int result = 0;
    int64_t size = 0;
    const tgr_config *teacher = tgr_model_config(run->backbone);
    if (run->data.train.root && run->backbone) {
        LIBRARY(tgr_config_get_i64(teacher, TGR_OPTION_IMAGE_SIZE, &size));
        TRY(set_unless_set(config, TGR_OPTION_IMAGE_SIZE, size));
    }
    TRY(run_fit_images(run, config));
done:
    return result;
}

/* DeiT's sizes are for images of 224 pixels; small images get those of the preset for Fashion-MNIST. */
static int fit_to_data(tgr_config *config, const dataset *data) {
    int result = 0;
    int64_t classes = 0;
    if (!data->train.root) {
        TRY(set_unless_set(config, TGR_OPTION_PRESET, TGR_PRESET_FASHION));
        TRY(set_unless_set(config, TGR_OPTION_PATCH_SIZE, 4));
        TRY(set_unless_set(config, TGR_OPTION_IMAGE_SIZE, data->train.size));
    }
    TRY(set_unless_set(config, TGR_OPTION_CHANNELS, data->train.channels));
    TRY(set_unless_set(config, TGR_OPTION_CLASSES, data->classes));
    TRY(must_equal(config, TGR_OPTION_IMAGE_SIZE, "image_size", data->train.size));
    TRY(must_equal(config, TGR_OPTION_CHANNELS, "channels", data->train.channels));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &classes));
    TRY(image_set_check_labels(&data->train, "training", classes));
    TRY(image_set_check_labels(&data->test, "test", classes));
done:
    return result;
}

/* With --epochs the schedule spans the run. With --steps it does not: such a run may be continued with more steps,
 * and must then equal one that was never interrupted. A guidance window, however, is a share of the length and
 * needs one. */
static int plan_length(tgr_config *config, const tool_run *run) {
    int result = 0;
    double start = 0, end = 0;
    const int given = tgr_config_is_set(config, TGR_OPTION_TOTAL_STEPS);
    LIBRARY(tgr_config_get_f64(config, TGR_OPTION_GUIDANCE_START, &start));
    LIBRARY(tgr_config_get_f64(config, TGR_OPTION_GUIDANCE_END, &end));
    if (!given && (run->arguments->epochs != UNSET || start > 0 || end < 1)) {
        LIBRARY(tgr_config_set_i64(config, TGR_OPTION_TOTAL_STEPS, run->end_step));
    }
done:
    return result;
}

/* Whether the config's method uses the option. */
static int find_use(const tgr_config *config, tgr_option option, int *used) {
    int result = 0;
    int64_t method = 0;
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_METHOD, &method));
    *used = tgr_method_uses_option(method, option);
done:
    return result;
}

/* Fails if a teacher cannot guide the method's routers. */
static int check_guidable(const tgr_config *config) {
    int result = 0, used = 0;
    char method[64], uses[USES_TEXT];
    TRY(find_use(config, TGR_OPTION_DISTILL_WEIGHT, &used));
    if (used) goto done;
    LIBRARY(tgr_config_get(config, "method", method, sizeof method));
    TRY(fail_usage("train: method %s cannot be guided by a --teacher; these can: %s", method,
                   uses_of(TGR_OPTION_DISTILL_WEIGHT, ", ", uses)));
done:
    return result;
}

/* An upcycled model starts out equal to its dense parent only if gates sum to one. */
static int plan_upcycling(tgr_config *config, const tool_arguments *arguments) {
    int result = 0, used = 0;
    int64_t upcycle = 0;
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_UPCYCLE, &upcycle));
    if (upcycle && !arguments->init) {
        TRY(fail_usage("train: upcycle=1 needs --init FILE, a dense model that train saved"));
    }
    if (!upcycle && arguments->init_optimizer) TRY(fail_usage("train: --init-optimizer needs --set upcycle=1"));
    TRY(find_use(config, TGR_OPTION_RENORMALIZE, &used));
    if (upcycle && used) TRY(set_unless_set(config, TGR_OPTION_RENORMALIZE, 1));
done:
    return result;
}

/* Some recipes of augmentation smooth labels. */
static int plan_smoothing(tgr_config *config, const tool_arguments *arguments) {
    int result = 0;
    const double smoothing = augment_label_smoothing(arguments);
    const int given = tgr_config_is_set(config, TGR_OPTION_LABEL_SMOOTHING);
    if (!given && smoothing > 0) LIBRARY(tgr_config_set_f64(config, TGR_OPTION_LABEL_SMOOTHING, smoothing));
done:
    return result;
}

/* Without augmentation images never change, so the teacher need not see them again. */
static int plan_cache(tgr_config *config, const tool_run *run) {
    int result = 0;
    int64_t width = 0, side = 0, patch = 0, layers = 0;
    if (!run->backbone) goto done;
    TRY(check_guidable(config));
    if (augment_changes(&run->state.augment)) goto done;
    const tgr_config *teacher = tgr_model_config(run->backbone);
    LIBRARY(tgr_config_get_i64(teacher, TGR_OPTION_EMBED_DIM, &width));
    LIBRARY(tgr_config_get_i64(teacher, TGR_OPTION_IMAGE_SIZE, &side));
    LIBRARY(tgr_config_get_i64(teacher, TGR_OPTION_PATCH_SIZE, &patch));
    LIBRARY(tgr_config_get_list(config, TGR_OPTION_MOE_BLOCKS, NULL, 0, &layers));
    const int64_t grid = side / patch, tokens = grid * grid + 2;
    const double bytes = (double)run->state.images * (double)tokens * (double)(width * layers) * sizeof(float);
    if (bytes < CACHE_MB_MOST * 1048576.0) {
        TRY(set_unless_set(config, TGR_OPTION_TEACHER_CACHE_MB, CACHE_MB_MOST));
    }
done:
    return result;
}

int run_configure(tool_run *run, tgr_config **out) {
    int result = 0;
    tgr_config *config = NULL;
    LIBRARY(tgr_config_create(&config, run->context));
    TRY(apply_settings(config, run->arguments));
    TRY(fit_photographs(config, run));
    TRY(fit_to_data(config, &run->data));
    TRY(plan_length(config, run));
    TRY(plan_smoothing(config, run->arguments));
    TRY(plan_cache(config, run));
    TRY(plan_upcycling(config, run->arguments));
    *out = config;
    config = NULL;
done:
    tgr_config_free(config);
    return result;
}
