/* SPDX-License-Identifier: MIT */
/* CRC-32. */
#include "models/checksum.h"

#include <zlib.h>

#include "failure.h"

int model_checksum(tgr_model *model, int64_t *checksum) {
    int result = 0;
    uLong sum = crc32_z(0, NULL, 0);
    tgr_parameters *parameters = tgr_model_parameters(model);
    for (int64_t i = 0; i < tgr_parameters_count(parameters); i++) {
        tgr_parameter_description tensor = {.struct_size = sizeof tensor};
        float *value = NULL;
        LIBRARY(tgr_parameters_describe(parameters, i, &tensor));
        LIBRARY(tgr_parameters_value(parameters, i, &value));
        sum = crc32_z(sum, (const unsigned char *)value, (size_t)tensor.count * sizeof *value);
    }
    *checksum = (int64_t)sum;
done:
    return result;
}
