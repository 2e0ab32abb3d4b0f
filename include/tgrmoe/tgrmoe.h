/* SPDX-License-Identifier: MIT */
/**
 * @file tgrmoe.h
 * All of libtgrmoe. See docs/guide.md for the training loop, step by step.
 */
#ifndef TGRMOE_TGRMOE_H
#define TGRMOE_TGRMOE_H

#include "tgrmoe/checkpoint.h"
#include "tgrmoe/common.h"
#include "tgrmoe/context.h"
#include "tgrmoe/exchange.h"
#include "tgrmoe/loss.h"
#include "tgrmoe/measure.h"
#include "tgrmoe/model.h"
#include "tgrmoe/optimizer.h"
#include "tgrmoe/options.h"
#include "tgrmoe/parameters.h"
#include "tgrmoe/probe.h"
#include "tgrmoe/routing.h"
#include "tgrmoe/safetensors.h"
#include "tgrmoe/session.h"
#include "tgrmoe/teacher.h"

#endif
