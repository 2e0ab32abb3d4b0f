/* SPDX-License-Identifier: MIT */
/* Failures of the operating system's file functions. */
#ifndef TGR_CHECKPOINT_FILE_ERROR_H
#define TGR_CHECKPOINT_FILE_ERROR_H

#include <errno.h>
#include <string.h>

#include "base/status.h"

/* Fails with "'path' what: reason", the reason being that of errno; a long path is truncated. */
#define tgr_file_fail(path, what) tgr_fail(TGR_ERROR_FILE, "'%.300s' %s: %s", (path), (what), strerror(errno))

#endif
