// Time. Engines take it as an argument; only programs ask for it.
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t os_clock_ms(void);      // monotonic, does not stop while suspended (CLOCK_BOOTTIME)
int64_t os_clock_wall_ms(void); // since 1970-01-01 UTC

// "2026-11-23T21:59:05.123Z" (24 characters and a NUL) into dst.
enum { OS_CLOCK_TEXT = 25 };
void os_clock_text(int64_t wall_ms, char dst[OS_CLOCK_TEXT]);

#endif
