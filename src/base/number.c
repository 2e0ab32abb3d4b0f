/* SPDX-License-Identifier: MIT */
/* The C library reads and writes real numbers with the locale's decimal point; here it is replaced by a point and back.
 */
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* What this thread's locale writes between 1 and 5: a byte or a few. Determined by writing a number, since localeconv()
 * is not safe when other threads call it. Returns its length. */
static size_t decimal_point(char point[TGR_NUMBER_BYTES]) {
    const int length = snprintf(point, TGR_NUMBER_BYTES, "%.1f", 1.5);
    TGR_ASSERT(length >= 3);
    const size_t size = (size_t)length - 2;
    memmove(point, point + 1, size);
    point[size] = '\0';
    return size;
}

int tgr_number_parse(const char *text, double *value) {
    char point[TGR_NUMBER_BYTES], local[2 * TGR_NUMBER_BYTES];
    const size_t length = strlen(text), point_size = decimal_point(point), whole = strcspn(text, ".");
    /* Only decimal numbers: no spaces, hexadecimals, infinities, nor the locale's own point. */
    if (length == 0 || length >= TGR_NUMBER_BYTES || strspn(text, "0123456789+-.eE") != length) return 0;
    memcpy(local, text, length + 1);
    if (whole < length) {
        memcpy(local + whole, point, point_size);
        memcpy(local + whole + point_size, text + whole + 1, length - whole);
    }
    char *end = NULL;
    *value = strtod(local, &end);
    return *end == '\0';
}

void tgr_number_write(double value, char text[TGR_NUMBER_BYTES]) {
    double read = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, TGR_NUMBER_BYTES, "%.*g", digits, value);
        char *end = NULL;
        read = strtod(text, &end);
        if (read >= value && read <= value) break;
    }
    TGR_ASSERT(!isfinite(value) || (read >= value && read <= value));
    char point[TGR_NUMBER_BYTES];
    const size_t size = decimal_point(point);
    char *found = strstr(text, point);
    if (found) {
        *found = '.';
        memmove(found + 1, found + size, strlen(found + size) + 1);
    }
}
