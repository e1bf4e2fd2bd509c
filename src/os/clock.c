#include "os/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t os_clock_ms(void) {
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t os_clock_wall_ms(void) {
    return read_us(CLOCK_REALTIME) / 1000;
}

void os_clock_text(int64_t wall_ms, char dst[OS_CLOCK_TEXT]) {
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t;
    gmtime_r(&s, &t);
    char date[OS_CLOCK_TEXT];
    if (strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &t) == 0 || t.tm_year > 8099)
        snprintf(date, sizeof date, "0000-00-00T00:00:00");
    snprintf(dst, OS_CLOCK_TEXT, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000) % 1000);
}
