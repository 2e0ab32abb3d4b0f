/* SPDX-License-Identifier: MIT */
/* The parts of a checkpoint that this tool saves, and those of them that are bytes of its own. */
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

/* How many bytes the part has; 0 when there is none of that name. */
int part_size(uint64_t *size, const char *path, const char *name);
/* Reads so many, no less and no more. */
int part_load(void *bytes, uint64_t size, const char *path, const char *name);

#endif
