// Children that ended, and what follows from it.
#include "supervisor.h"

#include "os/clock.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static bool is_crash(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM;
}

static struct child *find_child(struct supervisor *s, pid_t pid) {
    struct child *c = s->children;
    while (c && c->pid != pid)
        c = c->next;
    return c;
}

// The address layout that the attacker may know by now is given up with the template.
static void replace_template(struct supervisor *s, enum os_role role) {
    struct fault f = {0};
    if (spawn_template(s, role, &f) != OK)
        os_log_fault(OS_LOG_ERROR, "a template cannot be replaced", &f);
}

static void log_crash(const struct child *c, int status, int64_t wait_ms) {
    const struct session *session = c->session;
    os_log(OS_LOG_ERROR, "a worker crashed", OS_LOG_TEXT("role", os_role_name(c->role)),
           OS_LOG_TEXT("signal", strsignal(WTERMSIG(status))),
           OS_LOG_TEXT("from", session ? session->from : "(spare)"),
           OS_LOG_TEXT("peer", session ? session->peer : ""), OS_LOG_NUM("waits_s", wait_ms / 1000));
}

static void on_child(struct supervisor *s, struct child *c, int status) {
    enum os_role role = c->role;
    struct session *session = c->session;
    bool crashed = is_crash(status), dropped = c->dropped;
    int64_t wait_ms = 0;
    if (crashed && session && session->counted)
        wait_ms = penalty_crash(s->penalties, session->source, os_clock_ms());
    if (crashed) {
        s->crashes++;
        log_crash(c, status, wait_ms);
    }
    session_child_gone(s, c);
    if (crashed && !s->draining)
        replace_template(s, role);
    if (!session && !dropped) // a spare that ends by itself: not again at once
        spawn_template_of(s, role)->retry_at_ms = os_clock_ms() + 1000;
}

static void log_end(const char *what, int status) {
    if (WIFSIGNALED(status))
        os_log(OS_LOG_ERROR, what, OS_LOG_TEXT("signal", strsignal(WTERMSIG(status))));
    else
        os_log(OS_LOG_ERROR, what, OS_LOG_NUM("exit_status", WEXITSTATUS(status)));
}

static void on_exit_of(struct supervisor *s, pid_t pid, int status) {
    struct child *c = find_child(s, pid);
    if (c) {
        on_child(s, c, status);
    } else if (pid == s->archive_pid) {
        s->archive_pid = 0;
        if (!s->draining || !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
            log_end("the archive ended", status);
        archive_is_gone(s);
    } else if (pid == s->auth_pid) {
        s->auth_pid = 0;
        if (!s->draining && s->archive_ready)
            log_end("auth ended", status);
        s->auth_retry_at_ms = os_clock_ms() + 1000;
    } else if (pid == s->fetch_pid) {
        log_end("fetch ended", status);
        fetch_gone(s);
    } else {
        for (unsigned i = 0; i < TEMPLATES; i++)
            if (pid == s->templates[i].pid && !s->draining) {
                log_end("a template ended", status);
                s->templates[i].pid = 0;
                replace_template(s, s->templates[i].role);
            }
    }
}

void reap(struct supervisor *s) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        on_exit_of(s, pid, status);
}
