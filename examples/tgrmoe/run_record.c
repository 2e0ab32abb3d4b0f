/* SPDX-License-Identifier: MIT */
/* Reading the lines of a record, whatever they hold. */
#include "run_record.h"

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

static int append(double **values, int64_t count, double value) {
    double *larger = realloc(*values, (size_t)(count + 1) * sizeof **values);
    if (!larger) return fail_with("no memory for %lld epochs", (long long)count + 1);
    larger[count] = value;
    *values = larger;
    return 0;
}

static int take_epoch(run_record *run, const cJSON *object) {
    int result = 0;
    const cJSON *method = cJSON_GetObjectItemCaseSensitive(object, "method");
    const double seed = number_of(object, "seed"), speed = number_of(object, "img_per_s");
    TRY(append(&run->adjacent, run->epochs, number_of(object, "adjacent_consistency")));
    TRY(append(&run->final_consistency, run->epochs, NAN));
    if (cJSON_IsString(method)) snprintf(run->method, sizeof run->method, "%s", method->valuestring);
    if (isfinite(seed)) run->seed = (int64_t)seed;
    if (isfinite(speed)) run->images_per_second += speed;
    run->top1 = number_of(object, "top1");
    run->epochs++;
done:
    return result;
}

static void take_final(run_record *run, const cJSON *object) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "final_consistency");
    const cJSON *item = NULL;
    int64_t i = 0;
    run->ended = 1;
    run->top1 = number_of(object, "top1");
    run->parameters = number_of(object, "params");
    run->active_parameters = number_of(object, "active_params");
    cJSON_ArrayForEach(item, list) {
        if (i < run->epochs && cJSON_IsNumber(item)) run->final_consistency[i] = item->valuedouble;
        i++;
    }
}

static int take_line(run_record *run, const char *path, int number, const char *line) {
    int result = 0;
    cJSON *object = cJSON_Parse(line);
    if (!cJSON_IsObject(object)) TRY(fail_with("%s: line %d is no JSON object", path, number));
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
    run_record run = {.parameters = NAN, .active_parameters = NAN};
    char *line = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (!file) TRY(fail_with("%s: %s", path, strerror(errno)));
    take_name(&run, path);
    for (int number = 1; getline(&line, &room, file) > 0; number++) TRY(take_line(&run, path, number, line));
    if (run.epochs == 0) TRY(fail_with("%s: holds no epoch", path));
    run.images_per_second /= (double)run.epochs;
    *out = run;
    run = (run_record){0};
done:
    if (file) fclose(file);
    free(line);
    run_record_free(&run);
    return result;
}

void run_record_free(run_record *run) {
    free(run->adjacent);
    free(run->final_consistency);
    run->adjacent = NULL;
    run->final_consistency = NULL;
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
