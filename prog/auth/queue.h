// Passwords that wait to be worked out. Argon2id takes its time on purpose, so it is shared fairly: whoever
// sends many gets them answered one by one, in turn with all others; and what one source may have waiting
// is bounded.
//
// A lane is who is served in turn: a source, or a device with a valid proof (device.h). The latter get
// every second turn and places of their own, so that no flood of strangers keeps known browsers out.
#ifndef AUTH_QUEUE_H
#define AUTH_QUEUE_H

#include "secrets.h"
#include "throttle.h"

enum {
    QUEUE_MAX = 1024,
    QUEUE_KEPT = 128,    // of these, places for known devices
    QUEUE_OF_LANE = 4,   // waiting at once, from the web
    QUEUE_OF_PEER = 256, // the same, of a DICOM peer: all its associations begin with one
    QUEUE_LANES = 4096,
    QUEUE_NAME_MAX = 256,
    QUEUE_PASSWORD_MAX = 1024,
};

enum job_kind { JOB_CHECK, JOB_SIGN_IN, JOB_PROVE };

struct job {
    enum job_kind kind;
    uint64_t request, lane, order;
    bool device; // shown and valid; or a session asks
    int64_t due_ms;
    struct throttle_who who;
    size_t user_n, password_n, code_n, source_n;
    uint8_t user[QUEUE_NAME_MAX], password[QUEUE_PASSWORD_MAX], code[16], source[80];
    size_t replaces_n;
    uint8_t replaces[DIGEST_SHA256_BYTES]; // the session that ends with this sign-in
};

struct queue {
    struct job *v; // QUEUE_MAX, unordered
    size_t n;
    uint64_t order, turns;
    uint64_t served[QUEUE_LANES]; // the turn in which a lane was last served; lanes may share one
    bool device_last;
};

bool queue_init(struct queue *q);
bool queue_has_room(const struct queue *q, uint64_t lane, bool device, size_t of_lane);
void queue_put(struct queue *q, const struct job *job); // there must be room
// The next one whose time has come, copied to *ret_job and gone from the queue (wipe it); false: none, and
// when to look again (INT64_MAX: not before another is put).
bool queue_take(struct queue *q, int64_t now_ms, struct job *ret_job, int64_t *ret_next_ms);

#endif
