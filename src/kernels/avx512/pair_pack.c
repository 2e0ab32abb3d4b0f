/* SPDX-License-Identifier: MIT */
/* Packing for products of bfloat16 pairs: split, pair, transpose where needed. */
#include "kernels/avx512/isa.h"

#include "kernels/avx512/pair_pack.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/avx512/transpose.h"

enum { LANES = TGR_PAIR_LANES, STEPS = TGR_PAIR_STEPS, TILE = TGR_PAIR_TILE };

static inline __mmask16 first_lanes(int64_t count) {
    return (__mmask16)(count >= LANES ? 0xffffu : count <= 0 ? 0 : (1u << count) - 1);
}

static inline __mmask16 not_numbers(__m512 x) {
    return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
}

/* Rounds to the 8 bits of a bfloat16 significand, away from zero at a tie. */
static inline __m512 leading_part(__m512 x) {
    __m512i rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000)));
}

/* To the nearest bfloat16, ties to even; NaN stays NaN. */
static inline __m512 nearest_bfloat16(__m512 x) {
    const __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    rounded = _mm512_mask_or_epi32(rounded, not_numbers(x), bits, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000)));
}

/* The upper halves of two vectors become one vector of pairs. (The lower halves are zero except for denormals.) */
static inline __m512i pair(__m512 first, __m512 second) {
    const __mmask32 upper_halves = 0xaaaaaaaa;
    return _mm512_mask_blend_epi16(upper_halves, _mm512_srli_epi32(_mm512_castps_si512(first), 16),
                                   _mm512_castps_si512(second));
}

/* A vector of pairs for each part, the parts `stride` numbers apart. Adds the lowest parts to *lowest, where a number
 * that cannot be split in three gives NaN. */
static inline __attribute__((always_inline)) void store_parts(const int parts, __m512 first, __m512 second,
                                                              uint16_t *to, int64_t stride, __m512 *lowest) {
    if (parts == 1) {
        _mm512_store_si512(to, pair(nearest_bfloat16(first), nearest_bfloat16(second)));
        return;
    }
    __m512 high_first = leading_part(first), high_second = leading_part(second);
    _mm512_store_si512(to, pair(high_first, high_second));
    first = _mm512_sub_ps(first, high_first);
    second = _mm512_sub_ps(second, high_second);
    __m512 middle_first = leading_part(first), middle_second = leading_part(second);
    _mm512_store_si512(to + stride, pair(middle_first, middle_second));
    first = _mm512_sub_ps(first, middle_first);
    second = _mm512_sub_ps(second, middle_second);
    _mm512_store_si512(to + 2 * stride, pair(first, second));
    *lowest = _mm512_add_ps(*lowest, _mm512_add_ps(first, second));
}

/* The source of one tile: up to 16 lanes and 32 steps. */
typedef struct source {
    const float *from;
    int64_t from_lane, from_k;
    int64_t lanes, k;
} source;

/* to[c · to_row + r] = from[r · from_row + c] for 16 × 16 numbers; zero where r ≥ rows or c ≥ columns. */
static void transpose_block(const float *from, int64_t from_row, int64_t rows, int64_t columns, float *to,
                            int64_t to_row) {
    __m512 x[LANES];
    for (int64_t r = 0; r < LANES; r++) {
        __mmask16 mask = r < rows ? first_lanes(columns) : 0;
        x[r] = _mm512_maskz_loadu_ps(mask, from + (mask ? r * from_row : 0));
    }
    tgr_transpose_avx512(x);
    for (int64_t r = 0; r < LANES; r++) _mm512_store_ps(to + r * to_row, x[r]);
}

static void copy_scattered(const source *s, float *to, int64_t to_lane, int64_t to_k) {
    for (int64_t lane = 0; lane < LANES; lane++)
        for (int64_t l = 0; l < STEPS; l++) {
            int inside = lane < s->lanes && l < s->k;
            to[lane * to_lane + l * to_k] = inside ? s->from[lane * s->from_lane + l * s->from_k] : 0.0f;
        }
}

/* The source with the steps of a lane contiguous, copied to `buffer` [16, 32] if necessary. */
static source with_rows_of_steps(source s, float *buffer) {
    if (s.from_k == 1) return s;
    if (s.from_lane == 1) {
        for (int64_t l = 0; l < STEPS; l += LANES)
            transpose_block(s.from + l * s.from_k, s.from_k, s.k - l, s.lanes, buffer + l, STEPS);
    } else {
        copy_scattered(&s, buffer, STEPS, 1);
    }
    return (source){.from = buffer, .from_lane = STEPS, .from_k = 1, .lanes = s.lanes, .k = s.k};
}

/* The source with the lanes of a step contiguous, copied to `buffer` [32, 16] if necessary. */
static source with_rows_of_lanes(source s, float *buffer) {
    if (s.from_lane == 1) return s;
    if (s.from_k == 1) {
        for (int64_t l = 0; l < STEPS; l += LANES)
            transpose_block(s.from + l, s.from_lane, s.lanes, s.k - l, buffer + l * LANES, LANES);
    } else {
        copy_scattered(&s, buffer, 1, LANES);
    }
    return (source){.from = buffer, .from_lane = 1, .from_k = LANES, .lanes = s.lanes, .k = s.k};
}

/* `k` steps of one lane become rows of tiles. Returns 1 if one of its numbers cannot be split in three. */
static inline __attribute__((always_inline)) uint32_t pack_lane(const int parts, const float *from, int64_t k,
                                                                uint16_t *to) {
    const int64_t stride = TGR_PAIR_PANEL_TILES * TILE; /* from part to part */
    __m512 lowest = _mm512_setzero_ps();
    for (; k > 0; k -= STEPS, from += STEPS, to += parts * stride) {
        __mmask16 first_half = first_lanes(k), second_half = first_lanes(k - LANES);
        __m512 first = _mm512_maskz_loadu_ps(first_half, from);
        __m512 second = _mm512_maskz_loadu_ps(second_half, second_half ? from + LANES : from);
        store_parts(parts, first, second, to, stride, &lowest);
    }
    return parts > 1 && not_numbers(lowest) != 0;
}

/* A row of the tile for each lane. Returns a bit for each lane with a number that cannot be split in three. */
static inline __attribute__((always_inline)) uint32_t pack_lanes(const int parts, source s, uint16_t *to) {
    float buffer[TILE] __attribute__((aligned(64)));
    uint32_t flags = 0;
    s = with_rows_of_steps(s, buffer);
    for (int64_t lane = 0; lane < s.lanes; lane++)
        flags |= pack_lane(parts, s.from + lane * s.from_lane, s.k, to + lane * STEPS) << lane;
    return flags;
}

/* A row of the tile for each pair of steps. */
static inline __attribute__((always_inline)) uint32_t pack_pairs(const int parts, source s, uint16_t *to) {
    float buffer[TILE] __attribute__((aligned(64)));
    const int64_t stride = TGR_PAIR_PANEL_TILES * TILE;
    const __mmask16 all = first_lanes(s.lanes);
    __m512 lowest = _mm512_setzero_ps();
    s = with_rows_of_lanes(s, buffer);
    for (int64_t l = 0; l < LANES; l++, to += STEPS) {
        __mmask16 has_first = l < s.k ? all : 0, has_second = l + LANES < s.k ? all : 0;
        __m512 first = _mm512_maskz_loadu_ps(has_first, s.from + (has_first ? l * s.from_k : 0));
        __m512 second = _mm512_maskz_loadu_ps(has_second, s.from + (has_second ? (l + LANES) * s.from_k : 0));
        store_parts(parts, first, second, to, stride, &lowest);
    }
    return parts > 1 ? not_numbers(lowest) : 0;
}

/* Sets the flagged lanes of a packed panel to zero. */
static void clear_lanes(const tgr_pair_packing *packing, uint16_t *panel, uint32_t flags, int lane_is_row) {
    int64_t tiles = tgr_pair_panel_size(packing->parts, packing->k) / TILE;
    for (int64_t tile = 0; tile < tiles; tile++) {
        uint16_t *to = panel + tile * TILE;
        int64_t first = tile % TGR_PAIR_PANEL_TILES * packing->tile_lanes;
        for (int64_t lane = 0; lane < packing->tile_lanes; lane++) {
            if ((flags >> (first + lane) & 1) == 0) continue;
            for (int64_t l = 0; l < STEPS; l++)
                to[lane_is_row ? lane * STEPS + l : l / 2 * STEPS + 2 * lane + l % 2] = 0;
        }
    }
}

/* One tile: lanes starting at `lane`, steps starting at `step`. */
static inline __attribute__((always_inline)) void pack_tile(const int parts, const int lane_is_row,
                                                            const tgr_pair_packing *p, int64_t lane, int64_t step) {
    const int64_t stride = TGR_PAIR_PANEL_TILES * TILE; /* from part to part */
    const int64_t panel = lane / (TGR_PAIR_PANEL_TILES * p->tile_lanes);
    const int64_t first = lane % (TGR_PAIR_PANEL_TILES * p->tile_lanes); /* within the panel */
    source s = {.from = p->from + lane * p->from_lane + step * p->from_k,
                .from_lane = p->from_lane,
                .from_k = p->from_k,
                .lanes = p->lanes - lane < p->tile_lanes ? p->lanes - lane : p->tile_lanes,
                .k = p->k - step < STEPS ? p->k - step : STEPS};
    uint16_t *to = p->to + panel * tgr_pair_panel_size(parts, p->k) + step / STEPS * parts * stride;
    to += first / p->tile_lanes * TILE;
    p->flags[panel] |= (lane_is_row ? pack_lanes(parts, s, to) : pack_pairs(parts, s, to)) << first;
}

/* Rows of A that are contiguous, one after the other. */
static inline __attribute__((always_inline)) void pack_contiguous_rows(const int parts, const tgr_pair_packing *p) {
    const int64_t height = TGR_PAIR_PANEL_TILES * p->tile_lanes;
    for (int64_t lane = 0; lane < p->lanes; lane++) {
        const int64_t panel = lane / height, first = lane % height, tile = first >= p->tile_lanes;
        const float *from = p->from + lane * p->from_lane;
        uint16_t *to = p->to + panel * tgr_pair_panel_size(parts, p->k) + tile * TILE;
        to += (first - tile * p->tile_lanes) * STEPS;
        p->flags[panel] |= pack_lane(parts, from, p->k, to) << first;
    }
}

/* In memory order of the source: where lanes are contiguous, all lanes of a few steps, then the next few. */
static inline __attribute__((always_inline)) void pack(const int parts, const int lane_is_row,
                                                       const tgr_pair_packing *p) {
    const int64_t height = TGR_PAIR_PANEL_TILES * p->tile_lanes;
    for (int64_t lane = 0; lane < p->lanes; lane += height) p->flags[lane / height] = 0;
    if (lane_is_row && p->from_k == 1) {
        pack_contiguous_rows(parts, p);
    } else if (p->from_lane == 1) {
        for (int64_t l = 0; l < p->k; l += STEPS)
            for (int64_t lane = 0; lane < p->lanes; lane += p->tile_lanes) pack_tile(parts, lane_is_row, p, lane, l);
    } else {
        for (int64_t lane = 0; lane < p->lanes; lane += p->tile_lanes)
            for (int64_t l = 0; l < p->k; l += STEPS) pack_tile(parts, lane_is_row, p, lane, l);
    }
    for (int64_t lane = 0; lane < p->lanes; lane += height) {
        uint32_t flags = p->flags[lane / height];
        uint16_t *panel = p->to + lane / height * tgr_pair_panel_size(parts, p->k);
        if (flags) clear_lanes(p, panel, flags, lane_is_row);
    }
}

void tgr_pair_pack_a(const tgr_pair_packing *packing) {
    if (packing->parts == 1)
        pack(1, 1, packing);
    else
        pack(3, 1, packing);
}

void tgr_pair_pack_b(const tgr_pair_packing *packing) {
    if (packing->parts == 1)
        pack(1, 0, packing);
    else
        pack(3, 0, packing);
}

#else
typedef int tgr_pair_pack_is_for_x86_64;
#endif
