#include "progress.h"

#include "os/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 40, EVERY_MS = 100 };

static int64_t shown_ms;
static bool there;

void progress_show(size_t done, size_t total, const char *unit) {
    int64_t now = os_clock_ms();
    if (!isatty(STDERR_FILENO) || (there && done < total && now - shown_ms < EVERY_MS))
        return;
    char bar[WIDTH + 1];
    size_t full = total ? done * WIDTH / total : 0;
    memset(bar, '.', WIDTH);
    memset(bar, '#', full < WIDTH ? full : WIDTH);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %zu/%zu %s", bar, done, total, unit);
    fflush(stderr);
    shown_ms = now;
    there = true;
}

void progress_clear(void) {
    if (there)
        fputs("\r\033[K", stderr);
    there = false;
}
