/* SPDX-License-Identifier: MIT */
/* A thread's floating-point mode: rounding, subnormal numbers taken for zero or not, traps. It is the host's to choose
 * (compilers' -ffast-math alone changes it), and no result may depend on it: between these two it is the C default. */
#ifndef TGR_BASE_FLOAT_MODE_H
#define TGR_BASE_FLOAT_MODE_H

#if defined(__x86_64__)

#include <xmmintrin.h>

/* Of MXCSR: all but the flags of what happened, which are no mode. */
#define TGR_FLOAT_MODE_BITS 0xffc0u
/* To nearest, subnormal numbers as they are, no traps. */
#define TGR_FLOAT_MODE_DEFAULT 0x1f80u

typedef unsigned tgr_float_mode;

/* Writing costs ten times what reading does, and mostly there is nothing to write. */
static inline void tgr_float_mode_write(tgr_float_mode from, tgr_float_mode to) {
    if ((from & TGR_FLOAT_MODE_BITS) != (to & TGR_FLOAT_MODE_BITS)) _mm_setcsr(to);
}

/* Returns the mode that was. */
static inline tgr_float_mode tgr_float_mode_enter(void) {
    const tgr_float_mode before = _mm_getcsr();
    tgr_float_mode_write(before, TGR_FLOAT_MODE_DEFAULT);
    return before;
}

static inline void tgr_float_mode_leave(tgr_float_mode before) {
    tgr_float_mode_write(TGR_FLOAT_MODE_DEFAULT, before);
}

#else

#include <fenv.h>

typedef fenv_t tgr_float_mode;

static inline tgr_float_mode tgr_float_mode_enter(void) {
    tgr_float_mode before;
    (void)fegetenv(&before);
    (void)fesetenv(FE_DFL_ENV);
    return before;
}

static inline void tgr_float_mode_leave(tgr_float_mode before) {
    (void)fesetenv(&before);
}

#endif

#endif
