// An object on its way in: bytes into the ring (and, when it is larger, to the archive part by
// part), attributes out of the passing stream.
#ifndef DIMSE_INCOMING_H
#define DIMSE_INCOMING_H

#include "worker.h"

struct incoming {
    struct worker *w;
    const struct dimse_command *command;
    const char *transfer;
    size_t at;        // where in the body area the next byte goes
    size_t part_from; // where the part not yet handed over begins
    bool streaming;   // parts have been handed over
    unsigned unacknowledged;
};

// Tables and memory that every worker forked later shares; once, in the template.
enum err incoming_preload(struct fault *f);

enum err incoming_begin(struct incoming *in, struct worker *w, const struct dimse_command *command,
                        const char *transfer, struct fault *f);
// Where the next bytes belong, and how many have room there. More are known to come.
enum err incoming_space(struct incoming *in, uint8_t **ret_at, size_t *ret_room, struct fault *f);
enum err incoming_take(struct incoming *in, struct slice bytes, struct fault *f);
enum err incoming_commit(struct incoming *in, struct fault *f); // OK: durable
void incoming_abort(struct incoming *in);

#endif
