// Vector instructions that Swift cannot say, on eight or sixteen lanes. Compiled anew for the instruction set of each target that calls
// them: AVX2, AVX-512, or what the compiler makes of it elsewhere.
#ifndef VECTORSHIMS_H
#define VECTORSHIMS_H

#include <stdint.h>

// SIMD8<Float>, SIMD8<UInt32>, SIMD16<Float>, SIMD16<UInt32>, SIMD8<UInt64> and SIMD4<Float> in Swift.
typedef float relaxed_float8 __attribute__((vector_size(32)));
typedef uint32_t relaxed_word8 __attribute__((vector_size(32)));
typedef float relaxed_float16 __attribute__((vector_size(64)));
typedef uint32_t relaxed_word16 __attribute__((vector_size(64)));
typedef unsigned long long relaxed_block4 __attribute__((vector_size(64)));
typedef float relaxed_float4 __attribute__((vector_size(16)));
typedef uint16_t relaxed_half16 __attribute__((vector_size(32)));  // SIMD16<UInt16>

#define RELAXED_VECTOR static inline __attribute__((always_inline))

/// The nearest whole numbers, ties to even, of values in 0 ..< 2^31; 2^31 for a NaN.
RELAXED_VECTOR relaxed_word8 relaxed_round8(relaxed_float8 v) {
#if defined(__AVX__)
    return (relaxed_word8)__builtin_ia32_cvtps2dq256(v);
#else
    relaxed_word8 result;
    for (int i = 0; i < 8; i++) result[i] = v[i] == v[i] ? (uint32_t)(int64_t)__builtin_rintf(v[i]) : 0x80000000u;
    return result;
#endif
}
RELAXED_VECTOR relaxed_word16 relaxed_round16(relaxed_float16 v) {
#if defined(__AVX512F__)
    return (relaxed_word16)__builtin_ia32_cvtps2dq512_mask(v, (int32_t __attribute__((vector_size(64)))){0}, 0xFFFF, 4);
#else
    const relaxed_word8 low = relaxed_round8(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7));
    const relaxed_word8 high = relaxed_round8(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
}

/// Values in 0 ..< 2^31 without their fractions.
RELAXED_VECTOR relaxed_word16 relaxed_truncate16(relaxed_float16 v) {
    return (relaxed_word16)__builtin_convertvector(v, int32_t __attribute__((vector_size(64))));
}

/// Whole numbers in 0 ..< 2^31 as floats.
RELAXED_VECTOR relaxed_float8 relaxed_float_of8(relaxed_word8 v) {
    return __builtin_convertvector((int32_t __attribute__((vector_size(32))))v, relaxed_float8);
}
RELAXED_VECTOR relaxed_float16 relaxed_float_of16(relaxed_word16 v) {
    return __builtin_convertvector((int32_t __attribute__((vector_size(64))))v, relaxed_float16);
}

/// One round of AES encryption (see relaxed_aes_round) on each of four blocks, whose keys may differ.
#if defined(__VAES__) && defined(__AVX512F__)
RELAXED_VECTOR relaxed_block4 relaxed_aes_round4(relaxed_block4 state, relaxed_block4 key) {
    typedef long long signed_block4 __attribute__((vector_size(64)));
    return (relaxed_block4)__builtin_ia32_aesenc512((signed_block4)state, (signed_block4)key);
}
#endif

/// Whether all lanes are zero. Said with an instruction, since a reduction in plain C tempts the compiler to take loops apart by lanes.
RELAXED_VECTOR int relaxed_is_zero8(relaxed_word8 v) {
#if defined(__AVX__)
    typedef long long signed_block2 __attribute__((vector_size(32)));
    return __builtin_ia32_ptestz256((signed_block2)v, (signed_block2)v);
#else
    return __builtin_reduce_or(v) == 0;
#endif
}
RELAXED_VECTOR int relaxed_is_zero16(relaxed_word16 v) {
    return relaxed_is_zero8(
        __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) | __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

/// a * b + c with one rounding, and shifts by a number of bits below 32: Swift's go lane by lane.
RELAXED_VECTOR relaxed_float8 relaxed_fma8(relaxed_float8 a, relaxed_float8 b, relaxed_float8 c) {
    return __builtin_elementwise_fma(a, b, c);
}
RELAXED_VECTOR relaxed_float16 relaxed_fma16(relaxed_float16 a, relaxed_float16 b, relaxed_float16 c) {
    return __builtin_elementwise_fma(a, b, c);
}
RELAXED_VECTOR relaxed_word8 relaxed_shift_left8(relaxed_word8 v, uint32_t bits) { return v << bits; }
RELAXED_VECTOR relaxed_word8 relaxed_shift_right8(relaxed_word8 v, uint32_t bits) { return v >> bits; }
RELAXED_VECTOR relaxed_word16 relaxed_shift_left16(relaxed_word16 v, uint32_t bits) { return v << bits; }
RELAXED_VECTOR relaxed_word16 relaxed_shift_right16(relaxed_word16 v, uint32_t bits) { return v >> bits; }

/// The smaller one of each lane, or the larger.
RELAXED_VECTOR relaxed_word8 relaxed_min_words8(relaxed_word8 a, relaxed_word8 b) { return __builtin_elementwise_min(a, b); }
RELAXED_VECTOR relaxed_word8 relaxed_max_words8(relaxed_word8 a, relaxed_word8 b) { return __builtin_elementwise_max(a, b); }
RELAXED_VECTOR relaxed_word16 relaxed_min_words16(relaxed_word16 a, relaxed_word16 b) { return __builtin_elementwise_min(a, b); }
RELAXED_VECTOR relaxed_word16 relaxed_max_words16(relaxed_word16 a, relaxed_word16 b) { return __builtin_elementwise_max(a, b); }
RELAXED_VECTOR relaxed_half16 relaxed_max_halves16(relaxed_half16 a, relaxed_half16 b) { return __builtin_elementwise_max(a, b); }

/// Bit i says whether lane i is not zero.
RELAXED_VECTOR uint32_t relaxed_nonzero_lanes16(relaxed_float16 v) {
    typedef _Bool flags __attribute__((ext_vector_type(16)));
    const flags nonzero = __builtin_convertvector(v != 0, flags);
    uint16_t bits;
    __builtin_memcpy(&bits, &nonzero, 2);
    return bits;
}

/// The larger one of each byte, or of each half, of the words.
RELAXED_VECTOR relaxed_word16 relaxed_max_word_bytes16(relaxed_word16 a, relaxed_word16 b) {
    typedef uint8_t bytes __attribute__((vector_size(64)));
    return (relaxed_word16)__builtin_elementwise_max((bytes)a, (bytes)b);
}
RELAXED_VECTOR relaxed_word16 relaxed_max_word_halves16(relaxed_word16 a, relaxed_word16 b) {
    typedef uint16_t halves __attribute__((vector_size(64)));
    return (relaxed_word16)__builtin_elementwise_max((halves)a, (halves)b);
}

/// The smaller one of each lane, or the larger; b where one of the two is a NaN.
RELAXED_VECTOR relaxed_float16 relaxed_min16(relaxed_float16 a, relaxed_float16 b) {
    typedef float lanes __attribute__((ext_vector_type(16)));
    const lanes x = (lanes)a, y = (lanes)b;
    return (relaxed_float16)(x < y ? x : y);
}
RELAXED_VECTOR relaxed_float16 relaxed_max16(relaxed_float16 a, relaxed_float16 b) {
    typedef float lanes __attribute__((ext_vector_type(16)));
    const lanes x = (lanes)a, y = (lanes)b;
    return (relaxed_float16)(x > y ? x : y);
}

/// The smallest lane, or the largest; no lane is a NaN.
RELAXED_VECTOR float relaxed_smallest16(relaxed_float16 v) {
    typedef float lanes __attribute__((ext_vector_type(16)));
    const lanes a = (lanes)v;
    const __typeof__(a.lo) b = a.lo < a.hi ? a.lo : a.hi;
    const __typeof__(b.lo) c = b.lo < b.hi ? b.lo : b.hi;
    const __typeof__(c.lo) d = c.lo < c.hi ? c.lo : c.hi;
    return d.x < d.y ? d.x : d.y;
}
RELAXED_VECTOR float relaxed_largest16(relaxed_float16 v) {
    typedef float lanes __attribute__((ext_vector_type(16)));
    const lanes a = (lanes)v;
    const __typeof__(a.lo) b = a.lo > a.hi ? a.lo : a.hi;
    const __typeof__(b.lo) c = b.lo > b.hi ? b.lo : b.hi;
    const __typeof__(c.lo) d = c.lo > c.hi ? c.lo : c.hi;
    return d.x > d.y ? d.x : d.y;
}

/// All ones in the lanes where a < b, and zero in the others.
RELAXED_VECTOR relaxed_word16 relaxed_less16(relaxed_word16 a, relaxed_word16 b) { return (relaxed_word16)(a < b); }

/// Bit 16 of each lane as 0 or 1. The compiler must not look inside: it would go on in 16 bits, with far more instructions.
RELAXED_VECTOR relaxed_word16 relaxed_bit_16_of16(relaxed_word16 v) {
    const relaxed_word16 bit = v >> 16 & 1;
#if defined(__AVX2__) && !defined(__AVX512F__)
    relaxed_word8 low = __builtin_shufflevector(bit, bit, 0, 1, 2, 3, 4, 5, 6, 7);
    relaxed_word8 high = __builtin_shufflevector(bit, bit, 8, 9, 10, 11, 12, 13, 14, 15);
    __asm__("" : "+x"(low), "+x"(high));
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    return bit;
#endif
}

/// Words below 2^16 as halves, and halves as words.
RELAXED_VECTOR relaxed_half16 relaxed_narrow16(relaxed_word16 v) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    // The instruction packs within each half of a register.
    typedef int32_t word8 __attribute__((vector_size(32)));
    typedef long long block2 __attribute__((vector_size(32)));
    const block2 packed = (block2)__builtin_ia32_packusdw256(
        (word8)__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7),
        (word8)__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
    return (relaxed_half16)__builtin_shufflevector(packed, packed, 0, 2, 1, 3);
#else
    return __builtin_convertvector(v, relaxed_half16);
#endif
}
RELAXED_VECTOR relaxed_word16 relaxed_widen16(relaxed_half16 v) { return __builtin_convertvector(v, relaxed_word16); }

/// Floats rounded to the nearest float16, ties to even, and floats of float16.
RELAXED_VECTOR relaxed_half16 relaxed_fp16_of16(relaxed_float16 v) {
#if defined(__AVX512F__)
    typedef short half16 __attribute__((vector_size(32)));
    return (relaxed_half16)__builtin_ia32_vcvtps2ph512_mask(v, 0, (half16){0}, 0xFFFF);
#elif defined(__F16C__)
    typedef short half8 __attribute__((vector_size(16)));
    const half8 low = __builtin_ia32_vcvtps2ph256(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), 0);
    const half8 high = __builtin_ia32_vcvtps2ph256(__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), 0);
    return (relaxed_half16)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    typedef _Float16 float16x16 __attribute__((vector_size(32)));
    return (relaxed_half16)__builtin_convertvector(v, float16x16);
#endif
}
RELAXED_VECTOR relaxed_float16 relaxed_float_of_fp16(relaxed_half16 v) {
#if defined(__AVX512F__)
    typedef short half16 __attribute__((vector_size(32)));
    return __builtin_ia32_vcvtph2ps512_mask((half16)v, (relaxed_float16){0}, 0xFFFF, 4);
#elif defined(__F16C__)
    typedef short half8 __attribute__((vector_size(16)));
    const relaxed_float8 low = __builtin_ia32_vcvtph2ps256((half8)__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7));
    const relaxed_float8 high =
        __builtin_ia32_vcvtph2ps256((half8)__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    typedef _Float16 float16x16 __attribute__((vector_size(32)));
    return __builtin_convertvector((float16x16)v, relaxed_float16);
#endif
}

/// Stores past the caches; the address is a multiple of 16. relaxed_store_fence before others read.
RELAXED_VECTOR void relaxed_stream4(float *to, relaxed_float4 v) { __builtin_nontemporal_store(v, (relaxed_float4 *)to); }

#endif
