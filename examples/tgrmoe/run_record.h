/* SPDX-License-Identifier: MIT */
/* A run as train --json recorded it. */
#ifndef TOOL_RUN_RECORD_H
#define TOOL_RUN_RECORD_H

#include <stdint.h>

typedef struct run_record {
    char name[96]; /* of the file, without folder and ending */
    char method[32];
    int64_t seed, epochs;
    int ended;                            /* whether the final line is there */
    double top1;                          /* percent, at the end */
    double *adjacent;                     /* [epochs], NAN where there is none */
    double *final_consistency;            /* [epochs], NAN where there is none */
    double images_per_second;             /* mean over epochs */
    double parameters, active_parameters; /* NAN unless ended */
} run_record;

int run_record_read(run_record *out, const char *path);
void run_record_free(run_record *run);
/* The mean of the numbers that are there, or NAN. */
double mean_of(const double *values, int64_t count);

#endif
