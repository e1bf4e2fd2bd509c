// What confined programs write to standard error (a bug's last words, an abort of the C library) comes
// through a pipe, so that a hostile one can neither forge log lines nor reach the terminal.
#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"

#include <fcntl.h>
#include <unistd.h>

enum { LINES_AT_ONCE = 200, LINES_PER_S = 20 };

enum err stderr_open(struct supervisor *s, struct fault *f) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return fault_errno(f, "pipe");
    s->stderr_fd = pair[1];
    enum err e = os_fd_set_nonblock(pair[0], true, f);
    if (e == OK)
        e = watch_add(s, &s->stderr_lines, WATCH_STDERR, pair[0], NULL, f);
    return e;
}

static bool allow_line(void) {
    static int64_t last_ms, tokens = LINES_AT_ONCE;
    int64_t now_ms = os_clock_ms();
    if (now_ms - last_ms >= 1000) {
        tokens += (now_ms - last_ms) / 1000 * LINES_PER_S;
        tokens = tokens < LINES_AT_ONCE ? tokens : LINES_AT_ONCE;
        last_ms = now_ms;
    }
    return tokens > 0 && tokens-- > 0;
}

void stderr_on_event(struct supervisor *s) {
    char bytes[4096];
    ssize_t n = read(s->stderr_lines.fd, bytes, sizeof bytes);
    struct slice rest = slice_of(bytes, n > 0 ? (size_t)n : 0);
    while (rest.p && rest.n > 0) {
        struct slice line = slice_split(rest, '\n', &rest);
        if (line.n > 0 && allow_line())
            os_log_relay(OS_LOG_WARN, "stderr", NULL, line);
    }
}
