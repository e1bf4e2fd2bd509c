#include "task.h"

#include "base/err.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef GALENA_SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif

struct task {
    ucontext_t here, back; // the task's own place, and that of whoever runs it
    void *stack;           // with the guard page
    void (*fn)(void *arg);
    void *arg;
    bool running;           // begun and not ended
    const void *back_stack; // for the address sanitizer
    size_t back_stack_bytes;
    void *fake_stack;
};

static struct task *current;

static size_t guard_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

// The address sanitizer must know which stack is in use.
static void switch_begins(void **fake_stack, const void *bottom, size_t bytes) {
#ifdef GALENA_SANITIZED
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
#else
    (void)fake_stack, (void)bottom, (void)bytes;
#endif
}

static void switch_ended(void *fake_stack, const void **bottom, size_t *bytes) {
#ifdef GALENA_SANITIZED
    __sanitizer_finish_switch_fiber(fake_stack, bottom, bytes);
#else
    (void)fake_stack, (void)bottom, (void)bytes;
#endif
}

struct task *task_new(void) {
    struct task *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    size_t bytes = TASK_STACK_BYTES + guard_bytes();
    t->stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t->stack == MAP_FAILED) {
        free(t);
        return NULL;
    }
    bug_unless(mprotect(t->stack, guard_bytes(), PROT_NONE) == 0);
    return t;
}

void task_free(struct task *t) {
    if (!t)
        return;
    bug_unless(!t->running);
    munmap(t->stack, TASK_STACK_BYTES + guard_bytes());
    free(t);
}

static void *stack_bottom(const struct task *t) {
    return (char *)t->stack + guard_bytes();
}

static void enter(void) {
    struct task *t = current;
    switch_ended(NULL, &t->back_stack, &t->back_stack_bytes);
    t->fn(t->arg);
    t->running = false;
    switch_begins(NULL, t->back_stack, t->back_stack_bytes); // NULL: this stack is left for good
    setcontext(&t->back);
    abort();
}

void task_resume(struct task *t) {
    bug_unless(t->running && !current);
    void *fake_stack = NULL;
    current = t;
    switch_begins(&fake_stack, stack_bottom(t), TASK_STACK_BYTES);
    bug_unless(swapcontext(&t->back, &t->here) == 0);
    switch_ended(fake_stack, NULL, NULL);
    current = NULL;
}

void task_start(struct task *t, void (*fn)(void *arg), void *arg) {
    bug_unless(!t->running && getcontext(&t->here) == 0);
    t->fn = fn;
    t->arg = arg;
    t->running = true;
    t->here.uc_stack.ss_sp = stack_bottom(t);
    t->here.uc_stack.ss_size = TASK_STACK_BYTES;
    t->here.uc_link = NULL;
    makecontext(&t->here, enter, 0);
    task_resume(t);
}

bool task_ended(const struct task *t) {
    return !t->running;
}

void task_wait(void) {
    struct task *t = current;
    bug_unless(t != NULL);
    switch_begins(&t->fake_stack, t->back_stack, t->back_stack_bytes);
    bug_unless(swapcontext(&t->here, &t->back) == 0);
    switch_ended(t->fake_stack, &t->back_stack, &t->back_stack_bytes);
}

struct task *task_current(void) {
    return current;
}
