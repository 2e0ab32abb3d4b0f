/* SPDX-License-Identifier: MIT */
/* CRC-32. */
#include "models/checksum.h"

#include <zlib.h>

#include "failure.h"

int model_checksum(tgr_model *model, int64_t *checksum) {
    int result = 0;
    tgr_parameters *parameters = NULL;
    int64_t count = 0;
    uLong sum = crc32_z(0, NULL, 0);
    LIBRARY(tgr_model_parameters(model, &parameters));
    LIBRARY(tgr_parameters_count(parameters, &count));
    for (int64_t i = 0; i < count; i++) {
        const int64_t *dims = NULL;
        float *value = NULL;
        int ndim = 0;
        LIBRARY(tgr_parameters_describe(parameters, i, NULL, &ndim, &dims));
        LIBRARY(tgr_parameters_value(parameters, i, &value));
        size_t numbers = 1;
        for (int k = 0; k < ndim; k++) numbers *= (size_t)dims[k];
        sum = crc32_z(sum, (const unsigned char *)value, numbers * sizeof *value);
    }
    *checksum = (int64_t)sum;
done:
    return result;
}
