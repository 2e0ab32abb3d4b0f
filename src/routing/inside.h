/* SPDX-License-Identifier: MIT */
/* The inside of a MoE layer, for moe_layer.c and for tests. */
#ifndef TGR_ROUTING_INSIDE_H
#define TGR_ROUTING_INSIDE_H

#include "routing/experts.h"
#include "routing/moe_layer.h"
#include "routing/shared_experts.h"
#include "routing/work.h"

struct tgr_moe_layer {
    tgr_context *context;
    tgr_layer_router router;
    tgr_experts experts;       /* count 0 without experts */
    tgr_shared_experts shared; /* hidden 0 without */
    uint32_t layer;
    double init_std;
    /* Of the last batch: */
    tgr_routing_pass pass;
    tgr_routing routing;
    tgr_routing_work work;
};

#endif
