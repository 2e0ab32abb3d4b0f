/* SPDX-License-Identifier: MIT */
/* The options of a fresh model: what the user set comes first; sizes come from the data, the length from the plan. */
#include "run/configure.h"

#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "run/augmentation.h"
#include "run/images.h"

/* Features of a frozen teacher are cached when those of all training images fit into this. */
enum { CACHE_MB_MOST = 1500 };

static int apply_settings(tgr_config *config, const tool_arguments *arguments) {
    int result = 0, method_given = 0;
    for (int i = 0; i < arguments->setting_count; i++) {
        LIBRARY(tgr_config_set(config, arguments->settings[i].key, arguments->settings[i].value));
    }
    LIBRARY(tgr_config_is_set(config, TGR_OPTION_METHOD, &method_given));
    if (!method_given) TRY(fail_usage("train: --method is missing"));
done:
    return result;
}

static int set_unless_set(tgr_config *config, tgr_option option, int64_t value) {
    int result = 0, given = 0;
    LIBRARY(tgr_config_is_set(config, option, &given));
    if (!given) LIBRARY(tgr_config_set_i64(config, option, value));
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

/* Photographs are made as large as the model takes them, and a model without a size of its own takes them as its
 * teacher does. */
static int fit_photographs(tgr_config *config, tool_run *run) {
    int result = 0;
    int64_t size = 0;
    const tgr_config *teacher = NULL;
    if (run->data.train.root && run->backbone) {
        LIBRARY(tgr_model_config(run->backbone, &teacher));
        LIBRARY(tgr_config_get_i64(teacher, TGR_OPTION_IMAGE_SIZE, &size));
        TRY(set_unless_set(config, TGR_OPTION_IMAGE_SIZE, size));
    }
    TRY(run_fit_images(run, config));
done:
    return result;
}

/* DeiT's sizes are for images of 224 pixels; small images get the sizes of the preset for Fashion-MNIST. */
static int fit_to_data(tgr_config *config, const dataset *data) {
    int result = 0;
    int64_t classes = 0;
    if (!data->train.root) {
        TRY(set_unless_set(config, TGR_OPTION_PRESET, 1));
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

/* With --epochs the schedule spans the run. With --steps it does not: such a run may go on later with more steps, and
 * must be the same then as one that was never interrupted. A guidance window needs a length to be a share of, though.
 */
static int plan_length(tgr_config *config, const tool_run *run) {
    int result = 0, given = 0;
    double start = 0, end = 0;
    LIBRARY(tgr_config_is_set(config, TGR_OPTION_TOTAL_STEPS, &given));
    LIBRARY(tgr_config_get_f64(config, TGR_OPTION_GUIDANCE_START, &start));
    LIBRARY(tgr_config_get_f64(config, TGR_OPTION_GUIDANCE_END, &end));
    if (!given && (run->arguments->epochs != UNSET || start > 0 || end < 1)) {
        LIBRARY(tgr_config_set_i64(config, TGR_OPTION_TOTAL_STEPS, run->end_step));
    }
done:
    return result;
}

/* Whether the method in force is in the option's column of methods. */
static int find_use(const tgr_config *config, tgr_option option, int *used) {
    int result = 0;
    const char *methods = NULL;
    char method[64], among[1024], sought[80];
    LIBRARY(tgr_config_get(config, "method", method, sizeof method));
    LIBRARY(tgr_option_describe(option, NULL, NULL, NULL, NULL, NULL, NULL, &methods, NULL));
    snprintf(among, sizeof among, "|%s|", methods);
    snprintf(sought, sizeof sought, "|%s|", method);
    *used = strstr(among, sought) != NULL;
done:
    return result;
}

/* Which routers a teacher can guide. */
static int check_guidable(const tgr_config *config) {
    int result = 0, used = 0;
    const char *methods = NULL;
    char method[64];
    TRY(find_use(config, TGR_OPTION_DISTILL_WEIGHT, &used));
    if (used) goto done;
    LIBRARY(tgr_config_get(config, "method", method, sizeof method));
    LIBRARY(tgr_option_describe(TGR_OPTION_DISTILL_WEIGHT, NULL, NULL, NULL, NULL, NULL, NULL, &methods, NULL));
    TRY(fail_usage("train: method %s cannot be guided by a --teacher; these can: %s", method, methods));
done:
    return result;
}

/* An upcycled model starts as its dense parent where gates sum to one. */
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

/* A recipe of augmentation may smooth labels. */
static int plan_smoothing(tgr_config *config, const tool_arguments *arguments) {
    int result = 0, given = 0;
    const double smoothing = augment_label_smoothing(arguments);
    LIBRARY(tgr_config_is_set(config, TGR_OPTION_LABEL_SMOOTHING, &given));
    if (!given && smoothing > 0) LIBRARY(tgr_config_set_f64(config, TGR_OPTION_LABEL_SMOOTHING, smoothing));
done:
    return result;
}

/* Where images never change (there is no augmentation), the teacher need not see them again. */
static int plan_cache(tgr_config *config, const tool_run *run) {
    int result = 0;
    const tgr_config *teacher = NULL;
    int64_t width = 0, side = 0, patch = 0, layers = 0;
    if (!run->backbone) goto done;
    TRY(check_guidable(config));
    if (augment_changes(&run->state.augment)) goto done;
    LIBRARY(tgr_model_config(run->backbone, &teacher));
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
