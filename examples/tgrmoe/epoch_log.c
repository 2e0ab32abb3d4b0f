/* SPDX-License-Identifier: MIT */
/* JSON lines by cJSON. A number that does not exist is null. */
#include "epoch_log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "failure.h"

static int write_line(FILE *log, const cJSON *object) {
    char *text = cJSON_PrintUnformatted(object);
    if (!text) return fail_with("no memory for a line of --json");
    const int written = fprintf(log, "%s\n", text);
    cJSON_free(text);
    if (written < 0 || fflush(log) != 0) return fail_with("--json: cannot write: %s", strerror(errno));
    return 0;
}

static int line_epoch(const char *line) {
    cJSON *object = cJSON_Parse(line);
    const cJSON *epoch = cJSON_GetObjectItemCaseSensitive(object, "epoch");
    const int number = cJSON_IsNumber(epoch) ? epoch->valueint : 0;
    cJSON_Delete(object);
    return number;
}

/* The lines of epochs 1 … keep, as one text in new memory; "" when there is no such file. */
static int read_kept(const char *path, int64_t keep, char **text) {
    int result = 0;
    char *line = NULL, *kept = NULL;
    size_t room = 0, size = 0;
    FILE *file = keep > 0 ? fopen(path, "r") : NULL;
    FILE *memory = open_memstream(&kept, &size);
    if (!memory) TRY(fail_with("no memory to read %s", path));
    while (file && getline(&line, &room, file) > 0) {
        const int epoch = line_epoch(line);
        if (epoch >= 1 && epoch <= keep) fputs(line, memory);
    }
done:
    if (memory) fclose(memory);
    if (file) fclose(file);
    free(line);
    *text = kept;
    return result;
}

int epoch_log_open(FILE **out, const char *path, int64_t keep) {
    int result = 0;
    char *kept = NULL;
    FILE *log = NULL;
    TRY(read_kept(path, keep, &kept));
    log = fopen(path, "w");
    if (!log || fputs(kept, log) < 0 || fflush(log) != 0) TRY(fail_with("--json %s: %s", path, strerror(errno)));
    *out = log;
    log = NULL;
done:
    if (log) fclose(log);
    free(kept);
    return result;
}

/* Shares of the probe's tokens, by layer and expert. */
static void add_load(cJSON *object, const tool_evaluation *seen) {
    cJSON *layers = cJSON_AddArrayToObject(object, "load");
    for (int64_t layer = 0; layer < seen->layers; layer++) {
        const int64_t *load = seen->load + layer * seen->experts;
        int64_t sum = 0;
        for (int64_t e = 0; e < seen->experts; e++) sum += load[e];
        cJSON *shares = cJSON_CreateArray();
        for (int64_t e = 0; e < seen->experts; e++) {
            cJSON_AddItemToArray(shares, cJSON_CreateNumber(sum > 0 ? (double)load[e] / (double)sum : 0));
        }
        cJSON_AddItemToArray(layers, shares);
    }
}

static void add_routing(cJSON *object, const tool_epoch *epoch, const tool_evaluation *seen) {
    const int sparse = seen->layers > 0;
    cJSON_AddNumberToObject(object, "adjacent_consistency", epoch->adjacent_consistency);
    add_load(object, seen);
    cJSON_AddNumberToObject(object, "load_cv", sparse ? seen->load_cv : NAN);
    cJSON_AddNumberToObject(object, "entropy", sparse ? seen->entropy : NAN);
    cJSON_AddNumberToObject(object, "dropped", sparse ? seen->dropped : NAN);
    cJSON_AddNumberToObject(object, "dead_experts", sparse ? (double)seen->dead : NAN);
}

int epoch_log_write(FILE *log, const tool_session *session, const tool_epoch *epoch, const tool_evaluation *seen) {
    static const char *const terms[LOSS_TERM_COUNT] = {LOSS_TERMS};
    int result = 0;
    const tgr_config *config = NULL;
    char method[64], name[64];
    cJSON *object = cJSON_CreateObject();
    LIBRARY(tgr_model_config(session->model, &config));
    LIBRARY(tgr_config_get(config, "method", method, sizeof method));
    cJSON_AddStringToObject(object, "method", method);
    cJSON_AddNumberToObject(object, "seed", (double)session->state.seed);
    cJSON_AddNumberToObject(object, "epoch", (double)epoch->number);
    cJSON_AddNumberToObject(object, "step", (double)session->state.step);
    cJSON_AddNumberToObject(object, "loss", epoch->loss);
    for (int i = 0; i < LOSS_TERM_COUNT; i++) {
        snprintf(name, sizeof name, "loss_%s", terms[i]);
        cJSON_AddNumberToObject(object, name, epoch->terms[i]);
    }
    cJSON_AddNumberToObject(object, "top1", seen->top1);
    add_routing(object, epoch, seen);
    cJSON_AddNumberToObject(object, "img_per_s", epoch->images_per_second);
    cJSON_AddNumberToObject(object, "sec", epoch->seconds);
    TRY(write_line(log, object));
done:
    cJSON_Delete(object);
    return result;
}

int epoch_log_finish(FILE *log, const tool_session *session, double top1, const double *consistency, int64_t epochs) {
    int result = 0;
    int64_t total = 0, active = 0;
    struct rusage usage = {0};
    cJSON *object = cJSON_CreateObject();
    LIBRARY(tgr_model_parameter_counts(session->model, &total, &active));
    getrusage(RUSAGE_SELF, &usage);
    cJSON_AddBoolToObject(object, "final", 1);
    cJSON_AddNumberToObject(object, "top1", top1);
    cJSON_AddItemToObject(object, "final_consistency", cJSON_CreateDoubleArray(consistency, (int)epochs));
    cJSON_AddNumberToObject(object, "params", (double)total);
    cJSON_AddNumberToObject(object, "active_params", (double)active);
    cJSON_AddNumberToObject(object, "peak_rss_mb", (double)usage.ru_maxrss / 1024);
    TRY(write_line(log, object));
done:
    cJSON_Delete(object);
    return result;
}
