/* SPDX-License-Identifier: MIT */
/* JSON lines by cJSON. A number that does not exist (NAN) is written as null. */
#include "run/epoch_log.h"

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

/* The lines of epochs 1 … keep as one allocated text; "" if there is no such file. */
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

/* The lines to keep are in a new file before it replaces the old one, so that none is lost if the run is killed. */
static int replace_log(FILE **out, const char *path, const char *kept) {
    int result = 0;
    char *fresh = NULL;
    FILE *log = NULL;
    if (asprintf(&fresh, "%s.new", path) < 0) {
        fresh = NULL;
        TRY(fail_with("no memory for a file name"));
    }
    log = fopen(fresh, "w");
    if (!log || fputs(kept, log) < 0 || fflush(log) != 0 || rename(fresh, path) != 0) {
        TRY(fail_with("--json %s: %s", path, strerror(errno)));
    }
    *out = log;
    log = NULL;
done:
    if (log) fclose(log);
    free(fresh);
    return result;
}

int epoch_log_open(FILE **out, const char *path, int64_t keep) {
    int result = 0;
    char *kept = NULL;
    TRY(read_kept(path, keep, &kept));
    if (*kept) {
        TRY(replace_log(out, path, kept));
    } else {
        *out = fopen(path, "w");
        if (!*out) TRY(fail_with("--json %s: %s", path, strerror(errno)));
    }
done:
    free(kept);
    return result;
}

/* Each expert's share of the probe's tokens in that run, [layers, experts]. */
static int add_load(cJSON *object, const tgr_probe *probe, int64_t run) {
    int result = 0;
    cJSON *rows = cJSON_AddArrayToObject(object, "load");
    tgr_probe_description sizes = {.struct_size = sizeof sizes};
    double *shares = NULL;
    if (!probe) goto done;
    LIBRARY(tgr_probe_describe(probe, &sizes));
    shares = calloc((size_t)sizes.experts, sizeof *shares);
    if (!shares) TRY(fail_with("no memory for the loads of %lld experts", (long long)sizes.experts));
    for (int64_t layer = 0; layer < sizes.layers; layer++) {
        LIBRARY(tgr_probe_load(probe, layer, run, shares));
        cJSON_AddItemToArray(rows, cJSON_CreateDoubleArray(shares, (int)sizes.experts));
    }
done:
    free(shares);
    return result;
}

static int add_routing(cJSON *object, const tgr_probe *probe, const tool_epoch *epoch) {
    int result = 0;
    const int64_t runs = tgr_probe_run_count(probe);
    tgr_routing_measures measures = {.struct_size = sizeof measures, .entropy = NAN, .dropped = NAN, .margin = NAN};
    if (probe) LIBRARY(tgr_probe_measure(probe, -1, runs - 1, &measures));
    cJSON_AddNumberToObject(object, "adjacent_consistency", epoch->adjacent_consistency);
    TRY(add_load(object, probe, runs - 1));
    cJSON_AddNumberToObject(object, "load_cv", epoch->load_cv);
    cJSON_AddNumberToObject(object, "entropy", measures.entropy);
    cJSON_AddNumberToObject(object, "dropped", measures.dropped);
    cJSON_AddNumberToObject(object, "dead_experts", probe ? (double)measures.dead : NAN);
    cJSON_AddNumberToObject(object, "margin", measures.margin);
done:
    return result;
}

int epoch_log_write(FILE *log, const tool_run *run, const tool_epoch *epoch) {
    static const char *const terms[LOSS_TERM_COUNT] = {LOSS_TERMS};
    int result = 0;
    char method[64], name[64];
    cJSON *object = cJSON_CreateObject();
    const tgr_config *config = tgr_model_config(run->model);
    LIBRARY(tgr_config_get(config, "method", method, sizeof method));
    cJSON_AddStringToObject(object, "method", method);
    cJSON_AddNumberToObject(object, "seed", (double)run->state.seed);
    cJSON_AddNumberToObject(object, "epoch", (double)epoch->number);
    cJSON_AddNumberToObject(object, "step", (double)run->state.step);
    cJSON_AddNumberToObject(object, "loss", epoch->loss);
    for (int i = 0; i < LOSS_TERM_COUNT; i++) {
        snprintf(name, sizeof name, "loss_%s", terms[i]);
        cJSON_AddNumberToObject(object, name, epoch->terms[i]);
    }
    cJSON_AddNumberToObject(object, "top1", epoch->top1);
    TRY(add_routing(object, run->probe, epoch));
    cJSON_AddNumberToObject(object, "img_per_s", epoch->images_per_second);
    cJSON_AddNumberToObject(object, "sec", epoch->seconds);
    TRY(write_line(log, object));
done:
    cJSON_Delete(object);
    return result;
}

/* How far each epoch's routing agrees with the final one, and the share of tokens that still change expert after it. */
static int add_consistency(cJSON *object, const tool_run *run, int64_t epochs) {
    int result = 0;
    const tgr_probe *probe = run->probe;
    double share = NAN;
    cJSON *agreements = cJSON_AddArrayToObject(object, "final_consistency");
    cJSON *curve = cJSON_AddArrayToObject(object, "fluctuating");
    if (!probe) goto done;
    int64_t runs = tgr_probe_run_count(probe);
    for (int64_t i = 0; i < epochs; i++) {
        LIBRARY(tgr_probe_agreement(probe, -1, run->state.first_run + i, runs - 1, &share));
        cJSON_AddItemToArray(agreements, cJSON_CreateNumber(share));
        LIBRARY(tgr_probe_fluctuating(probe, -1, run->state.first_run + i, &share));
        cJSON_AddItemToArray(curve, cJSON_CreateNumber(share));
    }
    if (run->state.first_run == 0) goto done;
    LIBRARY(tgr_probe_agreement(probe, -1, 0, runs - 1, &share));
    cJSON_AddNumberToObject(object, "init_consistency", share);
done:
    return result;
}

int epoch_log_finish(FILE *log, const tool_run *run, double top1, int64_t epochs) {
    int result = 0;
    tgr_model_description sizes = {.struct_size = sizeof sizes};
    struct rusage usage = {0};
    cJSON *object = cJSON_CreateObject();
    LIBRARY(tgr_model_describe(run->model, &sizes));
    getrusage(RUSAGE_SELF, &usage);
    cJSON_AddBoolToObject(object, "final", 1);
    cJSON_AddNumberToObject(object, "top1", top1);
    TRY(add_consistency(object, run, epochs));
    cJSON_AddNumberToObject(object, "params", (double)sizes.parameters);
    cJSON_AddNumberToObject(object, "active_params", (double)sizes.active_parameters);
    cJSON_AddNumberToObject(object, "peak_rss_mb", (double)usage.ru_maxrss / 1024);
    TRY(write_line(log, object));
done:
    cJSON_Delete(object);
    return result;
}

int json_write_final(const char *path, const char *const *keys, const double *values, int count) {
    int result = 0;
    FILE *file = NULL;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddBoolToObject(object, "final", 1);
    for (int i = 0; i < count; i++) cJSON_AddNumberToObject(object, keys[i], values[i]);
    file = fopen(path, "w");
    if (!file) TRY(fail_with("--json %s: %s", path, strerror(errno)));
    TRY(write_line(file, object));
done:
    cJSON_Delete(object);
    if (file) fclose(file);
    return result;
}
