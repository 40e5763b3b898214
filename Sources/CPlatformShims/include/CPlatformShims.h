// The C macros, variadic system calls and instructions that Swift cannot import or say. Header only: everything here is
// static inline and inlines into Swift.
#ifndef CPLATFORMSHIMS_H
#define CPLATFORMSHIMS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Asks for the cache line of an address that will be read soon; never faults.
static inline void relaxed_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

#endif
