/* SPDX-License-Identifier: MIT */
/* What concerns both sets. */
#include "data/dataset.h"

#include "failure.h"

int dataset_keep_labels(dataset *data, int64_t first, int64_t last) {
    const int has_training = data->train.count > 0;
    image_set_keep_labels(&data->train, first, last);
    image_set_keep_labels(&data->test, first, last);
    if (data->test.count > 0 && (data->train.count > 0 || !has_training)) return 0;
    return fail_with("there is no image with a label from %lld to %lld", (long long)first, (long long)last);
}

void dataset_free(dataset *data) {
    image_set_free(&data->train);
    image_set_free(&data->test);
    name_list_free(&data->names);
}
