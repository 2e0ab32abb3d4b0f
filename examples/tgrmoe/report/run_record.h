/* SPDX-License-Identifier: MIT */
/* A run, as train --json recorded it. */
#ifndef TOOL_REPORT_RUN_RECORD_H
#define TOOL_REPORT_RUN_RECORD_H

#include <stdint.h>

/* The numbers that are recorded for each epoch. */
typedef enum record_series {
    RECORD_TOP1, /* percent */
    RECORD_ADJACENT,
    RECORD_LOAD_CV,
    RECORD_DROPPED,
    RECORD_ENTROPY,
    RECORD_DEAD,
    RECORD_MARGIN,
    RECORD_SPEED, /* images per second */
    RECORD_SECONDS,
    RECORD_FINAL,       /* agreement with the final routing */
    RECORD_FLUCTUATING, /* share of tokens that still change expert after this epoch */
    RECORD_SERIES
} record_series;

typedef struct run_record {
    char name[96]; /* name of the file, without folder and extension */
    char method[32];
    int64_t seed, epochs;
    int ended;                            /* whether it has its final line */
    double top1;                          /* percent, at the end */
    double *series[RECORD_SERIES];        /* [epochs] each, NAN where there is none */
    int64_t layers, experts;              /* 0 for a dense model */
    double *load;                         /* [layers, experts], shares of the last epoch */
    double parameters, active_parameters; /* NAN unless ended */
    double init_consistency;              /* agreement of the final routing with that before fine-tuning, or NAN */
} run_record;

/* The key of a series in the JSON lines. */
const char *record_key(record_series series);
int run_record_read(run_record *out, const char *path);
void run_record_free(run_record *run);
/* The mean of those values that are finite, or NAN. */
double mean_of(const double *values, int64_t count);
/* The last value of a series, or NAN. */
double last_of(const run_record *run, record_series series);

#endif
