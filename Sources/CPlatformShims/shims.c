// SwiftPM asks a C target for one source file; the shims themselves are header only, but for stacks where there is no assembly.
#include "CPlatformShims.h"

#if !defined(__x86_64__)

#include <ucontext.h>

// makecontext passes numbers only.
static _Thread_local void (*start_body)(void *);
static _Thread_local void *start_argument;

static void start(void) { start_body(start_argument); }

void relaxed_start_stack(void **save, void *bottom, void *top, void (*body)(void *), void *argument) {
    ucontext_t here, there;
    getcontext(&there);
    there.uc_stack.ss_sp = bottom;
    there.uc_stack.ss_size = (size_t)((char *)top - (char *)bottom);
    there.uc_link = NULL;
    start_body = body;
    start_argument = argument;
    makecontext(&there, start, 0);
    *save = &here;
    swapcontext(&here, &there);
}

void relaxed_switch_stack(void **save, void *target) {
    ucontext_t here;
    *save = &here;
    swapcontext(&here, target);
}

#endif
