// The C macros, variadic system calls and instructions that Swift cannot import or say. Header only: everything here is
// static inline and inlines into Swift.
#ifndef CPLATFORMSHIMS_H
#define CPLATFORMSHIMS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// The compiler that read this header, which is the one inside the Swift toolchain, with its revision.
static inline const char *shims_compiler(void) { return __VERSION__; }

#endif
