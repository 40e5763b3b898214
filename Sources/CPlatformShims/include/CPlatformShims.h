// The C macros, variadic system calls and instructions that Swift cannot import or say. Header only: everything here is
// static inline and inlines into Swift, but for stacks where
// there is no assembly.
#ifndef CPLATFORMSHIMS_H
#define CPLATFORMSHIMS_H

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "MaskShims.h"
#include "StackShims.h"
#include "VectorShims.h"
#if defined(__aarch64__) && defined(__ARM_FEATURE_AES)
#include <arm_neon.h>
#endif

// Neither time.h nor immintrin.h (which includes it): this module would claim C types such as timespec, which Swift
// then no longer finds in Glibc.

/// Tells the processor that this is a spin loop.
static inline void relaxed_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/// Sleeps while *word == expected; a negative time is no limit. Returns 0, or errno (ETIMEDOUT, EAGAIN, EINTR).
static inline int relaxed_futex_wait(const void *word, uint32_t expected, int64_t nanoseconds) {
    const long limit[2] = {nanoseconds / 1000000000, nanoseconds % 1000000000};  // a struct timespec
    long result = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nanoseconds < 0 ? NULL : limit, NULL, 0);
    return result == 0 ? 0 : errno;
}

/// Wakes up to count threads that sleep on word.
static inline void relaxed_futex_wake(const void *word, int count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/// Keeps the compiler from moving an access to memory across this place; no instruction.
static inline void relaxed_compiler_barrier(void) { __asm__ volatile("" ::: "memory"); }

/// Lets this process use relaxed_fence_all_threads. Returns 0 or errno.
static inline int relaxed_register_fence_all_threads(void) {
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0 ? errno : 0;
}

/// A full fence on every thread of this process, some microseconds; only once registered.
static inline void relaxed_fence_all_threads(void) { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

/// Adds to the bytes that the calling thread has mapped, less those it has given back; returns their sum.
static inline int64_t relaxed_count_mapped(int64_t more) {
    static _Thread_local int64_t bytes;
    return bytes += more;
}

/// Moves a mapping to one of another size without copying. Returns NULL where the kernel refuses.
static inline void *relaxed_mremap_maymove(void *old, size_t old_bytes, size_t new_bytes) {
    long result = syscall(SYS_mremap, old, old_bytes, new_bytes, 1 /* MREMAP_MAYMOVE */, NULL);
    return result == -1 ? NULL : (void *)result;
}

/// Fills mask with the calling thread's affinity. Returns 0 or errno.
static inline int relaxed_get_affinity(uint64_t *mask, size_t bytes) {
    return syscall(SYS_sched_getaffinity, 0, bytes, mask) < 0 ? errno : 0;
}

/// Sets the calling thread's affinity. Returns 0 or errno.
static inline int relaxed_set_affinity(const uint64_t *mask, size_t bytes) {
    return syscall(SYS_sched_setaffinity, 0, bytes, mask) < 0 ? errno : 0;
}

/// The CPU and the memory node on which the calling thread runs now. Returns 0 or errno.
static inline int relaxed_getcpu(uint32_t *cpu, uint32_t *node) {
    return syscall(SYS_getcpu, cpu, node, NULL) < 0 ? errno : 0;
}

/// Names the calling thread; the kernel keeps 15 bytes.
static inline void relaxed_name_thread(const char *name) { syscall(SYS_prctl, 15 /* PR_SET_NAME */, name, 0, 0, 0); }

/// Lets the calling thread's timers be late by so many nanoseconds only; the kernel's default is 50,000.
static inline void relaxed_set_timer_slack(unsigned long nanoseconds) {
    syscall(SYS_prctl, 29 /* PR_SET_TIMERSLACK */, nanoseconds, 0, 0, 0);
}

/// Asks for the cache line of an address that will be read soon; never faults.
static inline void relaxed_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Asks for the cache line of an address that will be written soon, so that reading it first costs no second transfer.
static inline void relaxed_prefetch_for_writing(const void *address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
    __builtin_prefetch(address, 1, 3);
#endif
}

/// Orders stores that went around the caches before all later ones.
static inline void relaxed_store_fence(void) {
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

/// Whether this processor has what the hot targets are compiled for: on x86-64 AVX2, FMA, BMI2 (x86-64-v3) and AES.
static inline int relaxed_has_compiled_instructions(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("aes");
#else
    return 1;
#endif
}

/// Whether this processor, and the system, have what the wide kernels are compiled for: x86-64-v4, VBMI2 and VAES.
static inline int relaxed_has_avx512(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return relaxed_has_compiled_instructions() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("vaes");
#else
    return 0;
#endif
}

/// Whether the time-stamp counter runs at one rate whatever the processor does (CPUID 0x80000007, EDX bit 8).
static inline int relaxed_has_invariant_counter(void) {
#if defined(__x86_64__)
    uint32_t a = 0x80000000u, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (a < 0x80000007u) return 0;
    a = 0x80000007u;
    c = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d >> 8 & 1;
#else
    return 0;
#endif
}

/// The time-stamp counter at about this moment: the processor goes on with what comes before and after.
static inline uint64_t relaxed_counter(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/// The time-stamp counter once all earlier instructions have run, and `value` is known; memory accesses stay on their side of it.
static inline uint64_t relaxed_counter_after(float value) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high) : "x"(value) : "rcx", "memory");
    return (uint64_t)high << 32 | low;
#else
    (void)value;
    return 0;
#endif
}

/// Sixteen bytes in a register; SIMD2<UInt64> in Swift.
typedef unsigned long long relaxed_block __attribute__((vector_size(16)));

/// Whether relaxed_aes_round is an instruction here. A function, since the Swift compiler warns of a constant condition.
static inline int relaxed_has_aes_round(void) {
#if defined(__x86_64__) || (defined(__aarch64__) && defined(__ARM_FEATURE_AES))
    return 1;
#else
    return 0;
#endif
}

/// One round of AES encryption: ShiftRows, SubBytes, MixColumns, then xor with the key. Only where relaxed_has_aes_round.
#if defined(__x86_64__)
__attribute__((target("aes")))
#endif
static inline relaxed_block relaxed_aes_round(relaxed_block state, relaxed_block key) {
#if defined(__x86_64__)
    typedef long long signed_block __attribute__((vector_size(16)));
    return (relaxed_block)__builtin_ia32_aesenc128((signed_block)state, (signed_block)key);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_AES)
    return (relaxed_block)vaesmcq_u8(vaeseq_u8((uint8x16_t)state, vdupq_n_u8(0))) ^ key;
#else
    return state ^ key;
#endif
}

/// The compiler that read this header, which is the one inside the Swift toolchain, with its revision.
static inline const char *relaxed_compiler(void) { return __VERSION__; }

#endif
