/* SPDX-License-Identifier: MIT */
/* How operands are laid out for instructions that multiply pairs of bfloat16 numbers and sum in float32.
 *
 * A float32 is exactly the sum of three bfloat16 numbers: the 8 leading bits of its significand, the next 8 and the
 * last 8. Of the nine products of two such sums the six largest make a float32 product; the rest is below 2^-23 of it.
 * One part instead of three is plain bfloat16.
 *
 * A tile is 16 lanes (rows of A, columns of B) by 32 steps of the sum, 1 KiB. Steps l and l + 16 make
 * a pair: the order within a tile is free as long as both operands use the same, and this one needs no shuffle. A panel
 * is two tiles of lanes wide: panel[step / 32][part][tile of lanes][1 KiB]. */
#ifndef TGR_KERNELS_AVX512_PAIR_PACK_H
#define TGR_KERNELS_AVX512_PAIR_PACK_H

#include <stdint.h>

enum {
    TGR_PAIR_LANES = 16,
    TGR_PAIR_STEPS = 32,
    TGR_PAIR_TILE = 512,      /* numbers in a tile */
    TGR_PAIR_PANEL_TILES = 2, /* tiles of lanes in a panel */
    TGR_PAIR_MOST_PARTS = 3,
};

/* Up to `lanes` lanes of a matrix, packed into one panel after another. */
typedef struct tgr_pair_packing {
    int parts;          /* 1 or 3 */
    int64_t lanes;      /* of all panels */
    int64_t tile_lanes; /* lanes in a tile, up to 16 */
    int64_t k;          /* steps; up to the next multiple of 32 is filled with zeros */
    const float *from;
    int64_t from_lane, from_k;
    uint16_t *to;    /* aligned to 64 bytes */
    uint32_t *flags; /* for each panel, a bit for each lane with an infinity, a NaN or a number that rounds to infinity,
                        which cannot be split in three; such lanes are packed as zeros. With one part there are none. */
} tgr_pair_packing;

/* Rows of A: a tile has a row for each lane. */
void tgr_pair_pack_a(const tgr_pair_packing *packing);
/* Columns of B: a tile has a row for each pair of steps. */
void tgr_pair_pack_b(const tgr_pair_packing *packing);

/* Numbers in a packed panel. */
static inline int64_t tgr_pair_panel_size(int parts, int64_t k) {
    return (k + TGR_PAIR_STEPS - 1) / TGR_PAIR_STEPS * parts * TGR_PAIR_PANEL_TILES * TGR_PAIR_TILE;
}

#endif
