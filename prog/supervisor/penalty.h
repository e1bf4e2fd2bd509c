// How many connections a source address may have, and how long it waits after it crashed a worker.
//
// An engine without I/O: time is an argument. Sources are texts as os_addr_source() gives them
// (an IPv4 address, an IPv6 /64).
#ifndef SUPERVISOR_PENALTY_H
#define SUPERVISOR_PENALTY_H

#include "base/err.h"
#include "base/slice.h"

struct penalty_limits {
    uint32_t per_source;          // connections at once
    uint32_t unproven_per_source; // of these, such as have not shown who they are
    int64_t first_ms;             // after the first crash; doubles with each further one …
    int64_t most_ms;              // … up to this; 0: nobody ever waits
};

enum { PENALTY_FORGET_MS = 300000 }; // without a crash: one doubling is forgiven

enum penalty_verdict {
    PENALTY_ADMIT, // and counted
    PENALTY_TOO_MANY,
    PENALTY_TOO_MANY_UNPROVEN,
    PENALTY_WAITS,
    PENALTY_NO_MEMORY,
};

struct penalties;
struct penalties *penalties_new(const struct penalty_limits *limits); // NULL: no memory
void penalties_free(struct penalties *p);
void penalties_set_limits(struct penalties *p, const struct penalty_limits *limits);

enum penalty_verdict penalty_admit(struct penalties *p, const char *source, int64_t now_ms);
void penalty_proven(struct penalties *p, const char *source);
void penalty_leave(struct penalties *p, const char *source, bool proven, int64_t now_ms);
int64_t penalty_crash(struct penalties *p, const char *source, int64_t now_ms); // how long it waits from now

// True once for each wait or excess, so that it is logged once and not with each attempt.
bool penalty_is_news(struct penalties *p, const char *source);
size_t penalties_count(const struct penalties *p); // sources remembered

#endif
