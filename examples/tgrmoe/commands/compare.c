/* SPDX-License-Identifier: MIT */
/* Performs the runs that are not done yet, and rewrites the report after each. */
#include "commands/compare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands/compare_rows.h"
#include "commands/compare_run.h"
#include "failure.h"
#include "report/csv.h"
#include "report/html.h"
#include "report/markdown.h"
#include "report/results.h"

static int check_arguments(const tool_arguments *arguments) {
    if (arguments->file_count > 0) return fail_usage("compare: '%s' is not a flag", arguments->files[0]);
    if (!arguments->data) return fail_usage("compare: --data is missing");
    if (!arguments->out) return fail_usage("compare: --out is missing");
    if (arguments->epochs == UNSET) return fail_usage("compare: --epochs is missing");
    for (int i = 0; i < arguments->setting_count; i++) {
        if (strcmp(arguments->settings[i].key, "method") == 0)
            return fail_usage("compare: --methods names the methods");
    }
    return 0;
}

static int make_folder(const char *path) {
    struct stat status;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))) return 0;
    return fail_with("--out %s: %s", path, strerror(errno));
}

static int make_folders(const char *out) {
    char path[COMPARE_PATH];
    const int result = make_folder(out);
    snprintf(path, sizeof path, "%s/runs", out);
    return result != 0 ? result : make_folder(path);
}

/* Reads the records of all runs that have ended. */
static int write_reports(const comparison *compared) {
    int result = 0;
    compare_results results = {0};
    char path[COMPARE_PATH];
    TRY(compare_results_read(&results, compared));
    snprintf(path, sizeof path, "%s/report.csv", compared->out);
    TRY(csv_report_write(&results, path));
    snprintf(path, sizeof path, "%s/report.md", compared->out);
    TRY(markdown_report_write(&results, path));
    snprintf(path, sizeof path, "%s/report.html", compared->out);
    TRY(html_report_write(&results, path));
done:
    compare_results_free(&results);
    return result;
}

int command_compare(const tool_arguments *arguments) {
    int result = 0;
    compare_plan plan = {0};
    TRY(check_arguments(arguments));
    TRY(compare_plan_make(&plan, arguments));
    TRY(make_folders(arguments->out));
    for (int i = 0; i < plan.compared.run_count; i++) {
        TRY(compare_run_execute(&plan, i));
        TRY(write_reports(&plan.compared));
    }
    printf("%d runs, compared in %s/report.html (.csv, .md)\n", plan.compared.run_count, arguments->out);
done:
    compare_plan_free(&plan);
    return result;
}
