/* SPDX-License-Identifier: MIT */
/* The names of the parts of this tool's checkpoints, and reading those that are plain bytes. */
#ifndef TOOL_MODELS_PART_H
#define TOOL_MODELS_PART_H

#include <stdint.h>

#define PART_MODEL         "model"
#define PART_OPTIMIZER     "optimizer"
#define PART_TEACHER       "teacher"       /* the teacher routers */
#define PART_RUN           "host"          /* a run_state */
#define PART_PROBE         "probe"         /* routing, run after run */
#define PART_PREPROCESSING "preprocessing" /* of images in files */
#define PART_CLASSES       "classes"       /* their names */

/* The size of the part in bytes; 0 if there is none of that name. */
int part_size(uint64_t *size, const char *path, const char *name);
/* Fails unless the part has exactly that size. */
int part_load(void *bytes, uint64_t size, const char *path, const char *name);

#endif
