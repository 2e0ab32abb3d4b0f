/* SPDX-License-Identifier: MIT */
/* Lines may hold anything; what is missing becomes NAN. */
#include "report/run_record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static double number_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static const char *const keys[RECORD_SERIES] = {
    [RECORD_TOP1] = "top1",
    [RECORD_ADJACENT] = "adjacent_consistency",
    [RECORD_LOAD_CV] = "load_cv",
    [RECORD_DROPPED] = "dropped",
    [RECORD_ENTROPY] = "entropy",
    [RECORD_DEAD] = "dead_experts",
    [RECORD_MARGIN] = "margin",
    [RECORD_SPEED] = "img_per_s",
    [RECORD_SECONDS] = "sec",
    [RECORD_FINAL] = "final_consistency",
    [RECORD_FLUCTUATING] = "fluctuating",
};

const char *record_key(record_series series) {
    return keys[series];
}

static int append(double **values, int64_t count, double value) {
    double *larger = realloc(*values, (size_t)(count + 1) * sizeof **values);
    if (!larger) return fail_with("no memory for %lld epochs", (long long)count + 1);
    larger[count] = value;
    *values = larger;
    return 0;
}

/* Lists of shares, one per layer. Each epoch's replace those before. */
static int take_load(run_record *run, const cJSON *rows) {
    const cJSON *row = NULL, *share = NULL;
    const int layers = cJSON_GetArraySize(rows), experts = cJSON_GetArraySize(cJSON_GetArrayItem(rows, 0));
    if (layers == 0 || experts == 0) return 0;
    double *load = calloc((size_t)layers * (size_t)experts, sizeof *load), *to = load;
    if (!load) return fail_with("no memory for the loads of %d experts", experts);
    cJSON_ArrayForEach(row, rows) {
        int e = 0;
        cJSON_ArrayForEach(share, row) {
            if (e < experts && cJSON_IsNumber(share)) to[e] = share->valuedouble;
            e++;
        }
        to += experts;
    }
    free(run->load);
    run->load = load;
    run->layers = layers;
    run->experts = experts;
    return 0;
}

static int take_epoch(run_record *run, const cJSON *object) {
    int result = 0;
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(object, "method");
    const double seed = number_of(object, "seed");
    for (int i = 0; i < RECORD_SERIES; i++) TRY(append(&run->series[i], run->epochs, number_of(object, keys[i])));
    TRY(take_load(run, cJSON_GetObjectItemCaseSensitive(object, "load")));
    if (cJSON_IsString(method)) snprintf(run->method, sizeof run->method, "%s", method->valuestring);
    if (isfinite(seed)) run->seed = (int64_t)seed;
    run->top1 = number_of(object, "top1");
    run->epochs++;
done:
    return result;
}

/* A list over all epochs, which only the final line has. */
static void take_list(run_record *run, const cJSON *object, record_series series) {
    const cJSON *item = NULL;
    int64_t i = 0;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, keys[series])) {
        if (i < run->epochs && cJSON_IsNumber(item)) run->series[series][i] = item->valuedouble;
        i++;
    }
}

static void take_final(run_record *run, const cJSON *object) {
    run->ended = 1;
    run->top1 = number_of(object, "top1");
    run->parameters = number_of(object, "params");
    run->active_parameters = number_of(object, "active_params");
    run->init_consistency = number_of(object, "init_consistency");
    take_list(run, object, RECORD_FINAL);
    take_list(run, object, RECORD_FLUCTUATING);
}

static int take_line(run_record *run, const char *path, int number, const char *line) {
    int result = 0;
    cJSON *object = cJSON_Parse(line);
    if (!cJSON_IsObject(object)) TRY(fail_with("%s: line %d is not a JSON object", path, number));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "final"))) {
        take_final(run, object);
    } else if (isfinite(number_of(object, "epoch"))) {
        TRY(take_epoch(run, object));
    } else {
        TRY(fail_with("%s: line %d is neither an epoch nor final", path, number));
    }
done:
    cJSON_Delete(object);
    return result;
}

static void take_name(run_record *run, const char *path) {
    const char *slash = strrchr(path, '/');
    snprintf(run->name, sizeof run->name, "%s", slash ? slash + 1 : path);
    char *dot = strrchr(run->name, '.');
    if (dot && dot != run->name) *dot = '\0';
}

int run_record_read(run_record *out, const char *path) {
    int result = 0;
    run_record run = {.top1 = NAN, .parameters = NAN, .active_parameters = NAN, .init_consistency = NAN};
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    take_name(&run, path);
    for (int number = 1; getline(&line, &room, file) > 0; number++) TRY(take_line(&run, path, number, line));
    if (run.epochs == 0 && !run.ended) TRY(fail_with("%s: holds no epoch", path));
    *out = run;
    run = (run_record){0};
done:
    if (file) fclose(file);
    free(line);
    run_record_free(&run);
    return result;
}

void run_record_free(run_record *run) {
    for (int i = 0; i < RECORD_SERIES; i++) free(run->series[i]);
    free(run->load);
    *run = (run_record){0};
}

double mean_of(const double *values, int64_t count) {
    double sum = 0;
    int64_t there = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        sum += values[i];
        there++;
    }
    return there > 0 ? sum / (double)there : NAN;
}

double last_of(const run_record *run, record_series series) {
    return run->epochs > 0 ? run->series[series][run->epochs - 1] : NAN;
}
