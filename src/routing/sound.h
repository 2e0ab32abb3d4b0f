/* SPDX-License-Identifier: MIT */
/* What is true of the decisions of every method, for assertions (base/assert.h): not in a library without them. */
#ifndef TGR_ROUTING_SOUND_H
#define TGR_ROUTING_SOUND_H

#include "routing/router.h"

/* Each token has K different experts. */
int tgr_choices_are_sound(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices);
/* The fields of slots agree with each other and with the choices. */
int tgr_slots_are_sound(const tgr_layer_router *router, const tgr_routing_pass *pass, const tgr_choices *choices,
                        const tgr_slots *slots);

#endif
