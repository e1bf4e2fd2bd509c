// An object on its way in, whatever the protocol: its data set goes byte for byte into the shared memory
// (and, when it is larger, to the archive part by part), attributes are picked out of the passing stream.
//
//   incoming_begin → incoming_space / incoming_take … → incoming_commit, or incoming_abort
//
// Success of incoming_commit means that the object is durable. The picked attributes travel decoded (UTF-8)
// and, where the comparable form differs (names folded, dates and times completed), in that form too
// (std/index_attr.h).
#ifndef WORKER_INCOMING_H
#define WORKER_INCOMING_H

#include "worker/channel.h"

// Reader, summary and buffers, for one object at a time; they are used again for the next.
struct incoming_tools;
struct incoming_tools *incoming_tools_new(void); // NULL: no memory

// The first tools and their tables, which every worker forked later shares; once, in the template.
enum err incoming_preload(struct fault *f);
struct incoming_tools *incoming_tools_preloaded(void);

// What the object must be; NULL: whatever its data set says.
struct incoming_claim {
    const char *sop_class, *sop_instance, *study;
};

struct incoming {
    struct channel *archive;
    struct incoming_tools *tools;
    struct incoming_claim claim;
    const char *transfer; // UID, must live as long
    size_t at;            // where in the body area the next byte goes
    size_t part_from;     // where the part not yet handed over begins
    bool streaming;       // parts have been handed over
    unsigned unacknowledged;
};

// ERR_UNSUPPORTED: a transfer syntax whose data sets are not read.
enum err incoming_begin(struct incoming *in, struct channel *archive, struct incoming_tools *tools,
                        const struct incoming_claim *claim, const char *transfer, struct fault *f);
// Where the next bytes belong, and how many have room there. More are known to come.
enum err incoming_space(struct incoming *in, uint8_t **ret_at, size_t *ret_room, struct fault *f);
enum err incoming_take(struct incoming *in, struct slice bytes, struct fault *f);
enum err incoming_commit(struct incoming *in, struct fault *f); // OK: durable; else it was aborted
// The same, but returns when the archive has taken it, so that the next can come while the disk works: OK
// promises nothing yet. A STORE_DONE comes for each, in their order: aside (worker/channel.h), or by
// channel_receive(). No more than INCOMING_WAITING_MAX may be outstanding.
enum { INCOMING_WAITING_MAX = 8 };
enum err incoming_commit_early(struct incoming *in, struct fault *f);
void incoming_abort(struct incoming *in);

// A UID of the object as far as it has passed, trimmed; empty when there is none (yet). attr: enum
// index_attr of kind UID. Valid until the next incoming_begin() with these tools.
struct slice incoming_uid(const struct incoming *in, int attr);

#endif
