/* SPDX-License-Identifier: MIT */
/* The names of sections, and paths of files. */
#include "report/comparison.h"

#include <stdio.h>
#include <stdlib.h>

const char compare_methods[] = "methods", compare_sweep[] = "sweep";

void compare_path(char path[COMPARE_PATH], const comparison *of, int run, const char *ending) {
    snprintf(path, COMPARE_PATH, "%s/runs/%s.%s", of->out, of->run_names[run], ending);
}

void comparison_free(comparison *of) {
    free(of->run_names);
    free(of->rows);
    free(of->row_runs);
    *of = (comparison){0};
}
