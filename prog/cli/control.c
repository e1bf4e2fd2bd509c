#include "control.h"

#include "cli.h"

#include "base/cleanup.h"
#include "os/fd.h"
#include "os/listen.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_WAIT_S = 10 };

enum control_result control_ask(const char *word, char *ret_answer, size_t cap) {
    CLEANUP_FD int fd = -1;
    ret_answer[0] = '\0';
    if (os_connect_unix("run/supervisor.sock", SOCK_STREAM, &fd, NULL) != OK)
        return CONTROL_NOT_RUNNING;
    struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    char line[64];
    snprintf(line, sizeof line, "%s\n", word);
    if (os_fd_write_full(fd, line, strlen(line), NULL) != OK)
        return CONTROL_FAILED;
    shutdown(fd, SHUT_WR);
    size_t n = 0;
    ssize_t got;
    while (n + 1 < cap && (got = read(fd, ret_answer + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    ret_answer[n] = '\0';
    return n > 0 ? CONTROL_OK : CONTROL_FAILED;
}

// "The old settings stay: …", or the old users, or certificates (prog/supervisor/reload.c).
bool control_was_refused(const char *answer) {
    return strncmp(answer, "the old ", strlen("the old ")) == 0;
}

int control_reload_and_say(const char *what) {
    char answer[512];
    switch (control_ask("reload", answer, sizeof answer)) {
    case CONTROL_OK:
        if (control_was_refused(answer)) {
            answer[strcspn(answer, "\n")] = '\0';
            return cli_fail("the running server does not know %s: %s; then galena reload", what, answer);
        }
        printf("The running server knows %s now.\n", what);
        return CLI_OK;
    case CONTROL_NOT_RUNNING:
        printf("The server is not running; it will know %s when it starts.\n", what);
        return CLI_OK;
    case CONTROL_FAILED:
        break;
    }
    return cli_fail("the running server did not answer; send it SIGHUP so that it knows %s", what);
}
