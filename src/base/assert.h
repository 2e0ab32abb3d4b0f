/* SPDX-License-Identifier: MIT */
/* What the code takes for granted, checked while tests run.
 *
 * An assertion is for what cannot be otherwise unless this library has a fault: what a caller inside it has checked,
 * what a loop leaves behind. What a host or a file may get wrong is a status (TGR_REQUIRE). */
#ifndef TGR_BASE_ASSERT_H
#define TGR_BASE_ASSERT_H

/* In builds for tests (TGR_ASSERTIONS is defined): where `condition` is false, file, line and condition go to stderr
 * and the process aborts. In the library that is installed: nothing, and `condition` is compiled but never evaluated.
 * So it may have no side effects. */
#ifdef TGR_ASSERTIONS
#define TGR_ASSERT(condition) ((condition) ? (void)0 : tgr_assertion_failed(#condition, __FILE__, __LINE__))
#else
#define TGR_ASSERT(condition) ((void)sizeof(!(condition)))
#endif

_Noreturn void tgr_assertion_failed(const char *condition, const char *file, int line);

#endif
