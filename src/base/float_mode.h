/* SPDX-License-Identifier: MIT */
/* A thread's floating-point mode: rounding, subnormal numbers taken for zero or not, traps. It is the host's to choose
 * (-ffast-math alone changes it in some compilers), and no result may depend on it: between these two it is the C
 * default. Threads enter it where the host calls (TGR_ENTER), where a task runs on a thread of the host's, and where a
 * thread of the pool's begins. */
#ifndef TGR_BASE_FLOAT_MODE_H
#define TGR_BASE_FLOAT_MODE_H

#if defined(__x86_64__)

#include <xmmintrin.h>

/* The C library goes by the x87 unit's rounding when it reads and writes decimal numbers. */
typedef struct tgr_float_mode {
    unsigned sse;       /* MXCSR */
    unsigned short x87; /* its control word */
} tgr_float_mode;

/* Of MXCSR: all but the flags of what happened, which are no mode. */
#define TGR_FLOAT_MODE_BITS 0xffc0u
/* To nearest, subnormal numbers as they are, no traps; x87 with all its digits. */
#define TGR_FLOAT_MODE_DEFAULT ((tgr_float_mode){.sse = 0x1f80, .x87 = 0x037f})

/* Writing costs ten times what reading does, and mostly there is nothing to write. */
static inline void tgr_float_mode_change(tgr_float_mode from, tgr_float_mode to) {
    if ((from.sse & TGR_FLOAT_MODE_BITS) != (to.sse & TGR_FLOAT_MODE_BITS)) _mm_setcsr(to.sse);
    if (from.x87 != to.x87) __asm__ volatile("fldcw %0" : : "m"(to.x87) : "memory");
}

/* Returns the mode that was. */
static inline tgr_float_mode tgr_float_mode_enter(void) {
    tgr_float_mode before = {.sse = _mm_getcsr()};
    __asm__ volatile("fnstcw %0" : "=m"(before.x87));
    tgr_float_mode_change(before, TGR_FLOAT_MODE_DEFAULT);
    return before;
}

static inline void tgr_float_mode_leave(tgr_float_mode before) {
    tgr_float_mode_change(TGR_FLOAT_MODE_DEFAULT, before);
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
