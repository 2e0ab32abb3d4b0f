/* SPDX-License-Identifier: MIT */
/* The tensors and texts of a safetensors file, printed. */
#ifndef TOOL_COMMANDS_INFO_SAFETENSORS_H
#define TOOL_COMMANDS_INFO_SAFETENSORS_H

#include <tgrmoe/tgrmoe.h>

int info_safetensors(tgr_context *context, const char *path);

#endif
