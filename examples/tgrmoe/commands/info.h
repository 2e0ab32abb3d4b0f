/* SPDX-License-Identifier: MIT */
/* What tgrmoe info prints of one kind of file. */
#ifndef TOOL_COMMANDS_INFO_H
#define TOOL_COMMANDS_INFO_H

#include <tgrmoe/tgrmoe.h>

/* The tensors and texts of a safetensors file. */
int info_safetensors(tgr_context *context, const char *path);

#endif
