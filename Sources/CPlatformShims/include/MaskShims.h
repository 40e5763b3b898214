// Comparisons and choices of sixteen lanes, which Swift takes lane by lane. Compiled anew for the instruction set of each target that
// calls them.
#ifndef MASKSHIMS_H
#define MASKSHIMS_H

#include "VectorShims.h"

// SIMD8<Double> in Swift.
typedef double relaxed_double8 __attribute__((vector_size(64)));

/// All ones where a < b, or where a >= b, zero elsewhere and for a NaN.
RELAXED_VECTOR relaxed_word16 relaxed_below16(relaxed_float16 a, relaxed_float16 b) { return (relaxed_word16)(a < b); }
RELAXED_VECTOR relaxed_word16 relaxed_at_least16(relaxed_float16 a, relaxed_float16 b) { return (relaxed_word16)(a >= b); }

/// All ones where a > b as signed numbers, zero elsewhere.
RELAXED_VECTOR relaxed_word16 relaxed_above16(relaxed_word16 a, relaxed_word16 b) {
    typedef int32_t lanes __attribute__((vector_size(64)));
    return (relaxed_word16)((lanes)a > (lanes)b);
}

/// Lane i is minus where bit i is set, otherwise plus.
RELAXED_VECTOR relaxed_float16 relaxed_choose16(uint32_t bits, relaxed_float16 minus, relaxed_float16 plus) {
    typedef float lanes __attribute__((ext_vector_type(16)));
    typedef uint32_t words __attribute__((ext_vector_type(16)));
    const words places = {1,      2,      4,      8,      0x10,   0x20,   0x40,   0x80,
                                   0x100,  0x200,  0x400,  0x800,  0x1000, 0x2000, 0x4000, 0x8000};
    return (relaxed_float16)(((words)bits & places) != 0 ? (lanes)minus : (lanes)plus);
}

/// The first eight lanes, or the last, as doubles.
RELAXED_VECTOR relaxed_double8 relaxed_low_doubles(relaxed_float16 v) {
    return __builtin_convertvector(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), relaxed_double8);
}
RELAXED_VECTOR relaxed_double8 relaxed_high_doubles(relaxed_float16 v) {
    return __builtin_convertvector(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), relaxed_double8);
}

#if defined(__AVX2__) && !defined(__AVX512DQ__)
/// The top bits of four vectors in a row. Packing keeps signs and takes 128-bit halves in turns, which the shuffle puts right.
RELAXED_VECTOR uint64_t relaxed_top_bits32(relaxed_word8 a, relaxed_word8 b, relaxed_word8 c, relaxed_word8 d) {
    typedef int32_t words __attribute__((vector_size(32)));
    typedef short halves __attribute__((vector_size(32)));
    typedef char bytes __attribute__((vector_size(32)));
    const halves ab = __builtin_ia32_packssdw256((words)a, (words)b), cd = __builtin_ia32_packssdw256((words)c, (words)d);
    const words packed = (words)__builtin_ia32_packsswb256(ab, cd);
    return (uint32_t)__builtin_ia32_pmovmskb256((bytes)__builtin_shufflevector(packed, packed, 0, 4, 1, 5, 2, 6, 3, 7));
}
#define RELAXED_LOW(v) __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
#define RELAXED_HIGH(v) __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)
#endif

/// Bit i is the top bit of lane i of four vectors in a row: a sign, or the outcome of a comparison.
RELAXED_VECTOR uint64_t relaxed_top_bits64(relaxed_word16 a, relaxed_word16 b, relaxed_word16 c, relaxed_word16 d) {
#if defined(__AVX512DQ__)
    typedef int32_t words __attribute__((vector_size(64)));
    return (uint64_t)__builtin_ia32_cvtd2mask512((words)a) | (uint64_t)__builtin_ia32_cvtd2mask512((words)b) << 16 |
           (uint64_t)__builtin_ia32_cvtd2mask512((words)c) << 32 | (uint64_t)__builtin_ia32_cvtd2mask512((words)d) << 48;
#elif defined(__AVX2__)
    return relaxed_top_bits32(RELAXED_LOW(a), RELAXED_HIGH(a), RELAXED_LOW(b), RELAXED_HIGH(b)) |
           relaxed_top_bits32(RELAXED_LOW(c), RELAXED_HIGH(c), RELAXED_LOW(d), RELAXED_HIGH(d)) << 32;
#else
    uint64_t bits = 0;
    for (int i = 0; i < 16; i++) {
        bits |= (uint64_t)(a[i] >> 31) << i | (uint64_t)(b[i] >> 31) << (16 + i) | (uint64_t)(c[i] >> 31) << (32 + i) |
                (uint64_t)(d[i] >> 31) << (48 + i);
    }
    return bits;
#endif
}
#endif
