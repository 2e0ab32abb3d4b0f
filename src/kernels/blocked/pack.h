/* SPDX-License-Identifier: MIT */
/* Template: how panels are packed, LANES lanes at a time. Included once by each gemm_<isa>.c, which first defines
 * LANES, AHEAD, `vector`, load (of the first `lanes` floats, zero beyond), store_vector and transpose. */
#ifndef TGR_KERNELS_BLOCKED_PACK_H
#define TGR_KERNELS_BLOCKED_PACK_H

/* Each lane is contiguous: LANES × LANES at a time. */
static void pack_transposed(const tgr_panel *panel, int64_t lane) {
    int64_t lanes = panel->lanes - lane < LANES ? panel->lanes - lane : LANES;
    const float *from = panel->from + lane * panel->from_lane;
    for (int64_t l = 0; l < panel->k; l += LANES) {
        int64_t steps = panel->k - l < LANES ? panel->k - l : LANES;
        vector x[LANES];
        for (int i = 0; i < LANES; i++)
            x[i] = load(from + (i < lanes ? i * panel->from_lane + l : 0), i < lanes ? steps : 0);
        transpose(x);
        float *to = panel->to + l * panel->to_row + lane;
        for (int i = 0; i < LANES; i++) {
            if (i < steps) store_vector(to + i * panel->to_row, x[i]);
        }
    }
}

/* The lanes are contiguous. */
static void pack_rows(const tgr_panel *panel, int64_t lane) {
    for (int64_t l = 0; l < panel->k; l++) {
        const float *from = panel->from + l * panel->from_k + lane;
        store_vector(panel->to + l * panel->to_row + lane, load(from, panel->lanes - lane));
        _mm_prefetch((const char *)(from + AHEAD * panel->from_k), _MM_HINT_T0);
    }
}

static void pack_any(const tgr_panel *panel, int64_t lane) {
    for (int64_t l = 0; l < panel->k; l++) {
        const float *from = panel->from + lane * panel->from_lane + l * panel->from_k;
        float *to = panel->to + l * panel->to_row + lane;
        for (int i = 0; i < LANES; i++) to[i] = lane + i < panel->lanes ? from[i * panel->from_lane] : 0.0f;
    }
}

static void pack(const tgr_panel *panel) {
    for (int64_t lane = 0; lane < panel->lanes; lane += LANES) {
        if (panel->from_lane == 1) {
            pack_rows(panel, lane);
        } else if (panel->from_k == 1) {
            pack_transposed(panel, lane);
        } else {
            pack_any(panel, lane);
        }
    }
}

#endif
