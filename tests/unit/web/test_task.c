// Tasks: they take turns, keep what is on their stacks, and are used again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../prog/web/task.h"

#include <stdio.h>
#include <string.h>

struct counter {
    struct task *task;
    int from, to;
    char *log;
};

static void count(void *arg) {
    struct counter *c = arg;
    char here[4096];
    memset(here, c->from, sizeof here);
    for (int i = c->from; i < c->to; i++) {
        sprintf(c->log + strlen(c->log), "%d ", i);
        assert_ptr_equal(task_current(), c->task);
        task_wait();
        for (size_t k = 0; k < sizeof here; k++)
            assert_int_equal(here[k], c->from);
    }
}

static void tasks_take_turns(void **state) {
    (void)state;
    char log[200] = "";
    struct counter a = {task_new(), 1, 4, log}, b = {task_new(), 11, 13, log};
    task_start(a.task, count, &a);
    task_start(b.task, count, &b);
    assert_null(task_current());
    while (!task_ended(a.task) || !task_ended(b.task)) {
        if (!task_ended(b.task))
            task_resume(b.task);
        if (!task_ended(a.task))
            task_resume(a.task);
    }
    assert_string_equal(log, "1 11 12 2 3 ");
    task_free(a.task);
    task_free(b.task);
}

static void a_task_is_used_again(void **state) {
    (void)state;
    char log[200] = "";
    struct counter c = {task_new(), 1, 2, log};
    for (int i = 0; i < 3; i++) {
        assert_true(task_ended(c.task));
        task_start(c.task, count, &c);
        assert_false(task_ended(c.task));
        task_resume(c.task);
    }
    assert_true(task_ended(c.task));
    assert_string_equal(log, "1 1 1 ");
    task_free(c.task);
}

static void fill(void *arg) {
    volatile uint8_t much[TASK_STACK_BYTES - 32 * 1024];
    for (size_t i = 0; i < sizeof much; i += 512)
        much[i] = (uint8_t)i;
    *(bool *)arg = much[512] == 0;
}

static void a_stack_has_the_room_it_says(void **state) {
    (void)state;
    bool done = false;
    struct task *t = task_new();
    task_start(t, fill, &done);
    assert_true(task_ended(t));
    assert_true(done);
    task_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_take_turns),
        cmocka_unit_test(a_task_is_used_again),
        cmocka_unit_test(a_stack_has_the_room_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
