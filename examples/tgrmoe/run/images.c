/* SPDX-License-Identifier: MIT */
/* From flags, or from the files of models. */
#include "run/images.h"

#include <stdio.h>
#include <string.h>

#include "data/load.h"
#include "failure.h"
#include "models/class_names.h"
#include "models/file.h"
#include "models/saved_preprocessing.h"

static int read_held_out(folder_options *how, const tool_arguments *arguments) {
    int result = 0;
    if (!arguments->held_out) goto done;
    TRY(arguments_numbers("held-out", arguments->held_out, 1, &how->held_out));
    if (!(how->held_out > 0 && how->held_out < 1)) {
        TRY(fail_usage("--held-out is %s; it must be above 0 and below 1", arguments->held_out));
    }
done:
    return result;
}

/* How the flags say that classes are numbered: by an order, or as a list. */
static int read_order(folder_options *how, name_list *listed, const char *order) {
    int result = 0;
    if (!order || strcmp(order, "bytes") == 0) goto done;
    if (strcmp(order, "natural") == 0) {
        how->order = CLASS_ORDER_NATURAL;
        goto done;
    }
    if (class_order_read(listed, order) != 0) TRY(fail_usage("--class-order: %s", failure_message()));
    how->classes = listed;
done:
    return result;
}

/* A head that was trained on the same number of classes goes on with its own labels. */
static int keeps_head(const char *path, int64_t classes, int *keeps) {
    int result = 0;
    int64_t own = 0;
    tgr_context *context = NULL;
    tgr_config *config = NULL;
    const tgr_context_options options = {.struct_size = sizeof options, .threads = 1};
    LIBRARY(tgr_context_create(&context, &options));
    TRY(model_file_any_config(&config, context, path));
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_CLASSES, &own));
    *keeps = own == classes;
done:
    tgr_config_free(config);
    tgr_context_free(context);
    return result;
}

/* The head of a file without names may have been trained in either order, and it is another for these folders. */
static int check_order(const dataset *data, const char *path, int evaluated) {
    int result = 0, matters = 0, keeps = evaluated;
    TRY(class_order_matters(&data->names, &matters));
    if (matters && !evaluated) TRY(keeps_head(path, data->classes, &keeps));
    if (!matters || !keeps) goto done;
    TRY(
        fail_usage("%s does not name its classes, and folders are numbered otherwise by timm than by torchvision: say "
                   "--class-order natural (timm), bytes (torchvision), or a file with a name in each line",
                   path));
done:
    return result;
}

/* The folders are those of the model, in another order. */
static int same_names(const name_list *a, const name_list *b) {
    int same = a->count == b->count;
    for (int64_t i = 0; same && i < a->count; i++) same = name_list_find(b, a->names[i]) >= 0;
    return same;
}

/* Whose labels count: those of the model that is evaluated or goes on, else those of a head that the run begins with.
 */
static int load_data(dataset *data, const tool_arguments *arguments, int train, const char *trained,
                     folder_options *how) {
    int result = 0;
    name_list names = {0}, listed = {0};
    const char *source = trained ? trained : arguments->init;
    if (source) TRY(class_names_load(&names, source));
    if (trained && names.count > 0 && arguments->class_order) {
        TRY(fail_usage("--class-order: %s names its classes itself", trained));
    }
    TRY(read_order(how, &listed, arguments->class_order));
    if (trained && names.count > 0) how->classes = &names;
    TRY(dataset_load(data, arguments->data, arguments->dataset, train, how));
    if (data->kind != DATASET_FOLDER || arguments->class_order) goto done;
    if (source && names.count == 0) TRY(check_order(data, source, trained != NULL));
    if (!trained && names.unsorted && same_names(&names, &data->names)) {
        dataset_free(data);
        how->classes = &names;
        TRY(dataset_load(data, arguments->data, arguments->dataset, train, how));
    }
done:
    name_list_free(&names);
    name_list_free(&listed);
    return result;
}

int dataset_from_flags(dataset *data, const tool_arguments *arguments, int train, const char *trained) {
    int result = 0;
    int64_t first = 0, last = 0;
    folder_options how = {
        .held_out = FOLDER_HELD_OUT, .skip_damaged = arguments->skip_damaged, .threads = arguments_readers(arguments)};
    TRY(read_held_out(&how, arguments));
    if (arguments->labels) TRY(arguments_labels(arguments->labels, &first, &last));
    TRY(load_data(data, arguments, train, trained, &how));
    if (arguments->labels) TRY(dataset_keep_labels(data, first, last));
done:
    return result;
}

/* Two models that learned from images prepared otherwise cannot both be right about one image. */
static int compare_teacher(const preprocessing *how, const tool_arguments *arguments) {
    int result = 0;
    preprocessing others;
    preprocessing_text own[PREPROCESSING_TEXTS], theirs[PREPROCESSING_TEXTS];
    if (!arguments->teacher) goto done;
    TRY(model_file_preprocessing(&others, arguments->teacher, arguments));
    preprocessing_write(how, own);
    preprocessing_write(&others, theirs);
    for (int i = 0; i < PREPROCESSING_TEXTS; i++) {
        if (theirs[i].assumed || strcmp(own[i].key, "orientation") == 0 || strcmp(own[i].text, theirs[i].text) == 0)
            continue;
        fprintf(stderr, "--teacher %s: learned from images of %s %s; here it sees them with %s\n", arguments->teacher,
                theirs[i].key, theirs[i].text, own[i].text);
    }
done:
    return result;
}

int run_find_preprocessing(tool_run *run) {
    int result = 0;
    const tool_arguments *arguments = run->arguments;
    const char *source = arguments->init ? arguments->init : arguments->teacher;
    preprocessing *how = &run->images;
    preprocessing_defaults(how);
    if (source) TRY(model_file_preprocessing(how, source, arguments));
    if (source && how->assumed == ASSUMED_ALL && arguments->teacher) {
        source = arguments->teacher;
        TRY(model_file_preprocessing(how, source, arguments));
    }
    TRY(preprocessing_from_flags(how, arguments));
    if (source) preprocessing_say_assumed(how, source);
    how->assumed = 0; /* of the model that this run makes it will be true */
    TRY(compare_teacher(how, arguments));
done:
    return result;
}

int run_saved_preprocessing(tool_run *run) {
    int result = 0, found = 0;
    const char *path = run->arguments->resume;
    preprocessing given;
    preprocessing_defaults(&run->images);
    memcpy(run->images.mean, run->state.mean, sizeof run->images.mean);
    memcpy(run->images.deviation, run->state.deviation, sizeof run->images.deviation);
    if (!run->data.train.root) goto done;
    TRY(preprocessing_load(&run->images, path, &found));
    if (!found) TRY(fail_with("%s: does not say how its images were prepared", path));
    given = run->images;
    TRY(preprocessing_from_flags(&given, run->arguments));
    if (!preprocessing_equal(&given, &run->images)) {
        TRY(fail_with(
            "--mean, --std, --crop, --interpolation or --orientation is new; it must be as the run to resume had it"));
    }
done:
    return result;
}

int run_fit_images(tool_run *run, const tgr_config *config) {
    int result = 0;
    int64_t size = 0;
    if (!run->data.train.root) goto done;
    if (!config) config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get_i64(config, TGR_OPTION_IMAGE_SIZE, &size));
    run->data.train.size = size;
    run->data.test.size = size;
done:
    return result;
}

reading run_reading(const tool_run *run, const image_set *set) {
    return (reading){
        .set = set, .how = &run->images, .batch = run->state.batch, .threads = arguments_readers(run->arguments)};
}
