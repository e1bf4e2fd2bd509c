// Tasks: requests of one connection that are served at the same time, each on a stack of its own, so that a
// handler reads from top to bottom and waits where it has to. One thread; a task runs until it waits or ends,
// and nothing else runs meanwhile.
//
// Stacks are mapped with a guard page below them and used again. A signal handler, a thread or a longjmp
// across tasks has no place here.
#ifndef WEB_TASK_H
#define WEB_TASK_H

#include <stdbool.h>
#include <stddef.h>

enum { TASK_STACK_BYTES = 256 * 1024 };

struct task;

// A task that is not running yet. NULL: no memory.
struct task *task_new(void);
void task_free(struct task *t); // not while it is in the midst of something

// Runs fn(arg) on the task's stack until it first waits or returns.
void task_start(struct task *t, void (*fn)(void *arg), void *arg);
// Goes on where it waited. Returns when it waits again or its fn has returned.
void task_resume(struct task *t);
bool task_ended(const struct task *t); // true also before the first start

// From within a task: back to whoever started or resumed it.
void task_wait(void);
struct task *task_current(void); // NULL outside of any

#endif
