// Running functions on stacks of one's own and switching between them on one thread.
#ifndef STACKSHIMS_H
#define STACKSHIMS_H

#include <stddef.h>

// What a stack is left with lies on it, at the address that is stored in *save: the place to go on at, rbx and rbp on x86-64, a
// ucontext_t elsewhere. The other registers that a function keeps for its caller are declared as overwritten, so that the compiler
// saves those in use; not inlined, the functions look like any other call, before which all vector registers are saved.

#if defined(__x86_64__)

/// Leaves the running stack, to which relaxed_switch_stack(..., *save) comes back, and calls body(argument), which must not return, on
/// the stack between bottom and top, a multiple of 16.
static __attribute__((noinline, unused)) void relaxed_start_stack(
    void **save, void *bottom, void *top, void (*body)(void *), void *argument
) {
    (void)bottom;
    __asm__ volatile(
        "leaq -128(%%rsp), %%rsp\n\t"  // what leaf functions keep below their stack
        "pushq %%rbp\n\t"
        "pushq %%rbx\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "movq %%rsp, (%%rsi)\n\t"
        "movq %%rdx, %%rsp\n\t"
        "xorl %%ebp, %%ebp\n\t"
        "pushq $0\n\t"  // no caller: where whoever walks the stack stops
        "jmpq *%%rcx\n"
        "1:\tpopq %%rbx\n\t"
        "popq %%rbp\n\t"
        "leaq 128(%%rsp), %%rsp"
        : "+S"(save), "+d"(top), "+c"(body), "+D"(argument)
        :
        : "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

/// Leaves the running stack as relaxed_start_stack does and goes on where `target`, once stored in a *save, was left.
static __attribute__((noinline, unused)) void relaxed_switch_stack(void **save, void *target) {
    __asm__ volatile(
        "leaq -128(%%rsp), %%rsp\n\t"
        "pushq %%rbp\n\t"
        "pushq %%rbx\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "movq %%rsp, (%%rsi)\n\t"
        "movq %%rdi, %%rsp\n\t"
        "popq %%rax\n\t"
        "jmpq *%%rax\n"
        "1:\tpopq %%rbx\n\t"
        "popq %%rbp\n\t"
        "leaq 128(%%rsp), %%rsp"
        : "+S"(save), "+D"(target)
        :
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

#else

// In shims.c: ucontext.h would claim types that Swift then no longer finds in Glibc.
void relaxed_start_stack(void **save, void *bottom, void *top, void (*body)(void *), void *argument);
void relaxed_switch_stack(void **save, void *target);

#endif

// Defined where the program is linked with the sanitizer.
extern void __tsan_init(void) __attribute__((weak));
extern void __asan_init(void) __attribute__((weak));

/// Whether a sanitizer watches that knows only the stacks of threads.
static inline int relaxed_is_sanitized(void) { return &__tsan_init != NULL || &__asan_init != NULL; }

#endif
