/* SPDX-License-Identifier: MIT */
/* report.csv: all numbers. */
#ifndef TOOL_REPORT_CSV_H
#define TOOL_REPORT_CSV_H

#include "report/results.h"

/* Writes the whole file. */
int csv_report_write(const compare_results *results, const char *path);

#endif
