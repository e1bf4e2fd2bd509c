// The DICOM worker: serves one association, knows no files, no keys, no rights of its own.
//
// Straight-line, blocking code: worker_next() returns the next event of the association (reading
// and writing the stream as needed), channel_call() asks the archive and waits for its answer.
// Each C-service is a file and a row in the table of services.c.
#ifndef DIMSE_WORKER_H
#define DIMSE_WORKER_H

#include "os/log.h"
#include "os/stream.h"
#include "ul/assoc.h"
#include "ul/command.h"
#include "ul/negotiate.h"
#include "worker/channel.h"

enum {
    WORKER_INPUT_BYTES = 32 * 1024,     // of the receive buffer; the rest of an object is read into the ring
    IDENTIFIER_MAX_BYTES = 1024 * 1024, // C-FIND, C-MOVE, C-GET identifiers
};

// One stream and the association on it: the client's, or one we opened to a C-MOVE destination.
struct link {
    struct os_stream stream;
    struct ul_assoc *assoc;
    uint8_t *input;    // WORKER_INPUT_BYTES
    struct slice tail; // of what was read, not yet given to the engine
    uint8_t *into;     // where data set bytes may be read to directly; NULL: nowhere
    size_t into_room;
    bool tcp;          // TCP itself, no gate between: worth acknowledging at once
    bool gone;         // the transport is closed or failed
    bool answered;     // we have just sent something: what comes next is worth waiting for
    struct ul_assoc_event end; // ABORTED or CLOSED, once it has happened
    struct ul_assoc_event held; // a request that came while another was served; its turn is next
    bool holds;
};

struct worker {
    int ctl;     // to the supervisor: log lines
    struct channel archive;
    uint64_t session;
    enum ipc_lane lane;
    char source[81];
    char peer[65]; // the archive's name for who is there; "" before the association
    char calling[UL_AE_MAX + 1];
    uint32_t rights;
    struct ul_timers timers;
    uint32_t max_pdu;
    bool no_retired, prefer_uncompressed;
    struct slice private_classes[256];
    size_t private_class_count;
    char private_text[16641];
    struct link client;
    uint64_t stored, retrieved, queries;
};

// --- io.c: streams
// take_shm_fd: -1, or what a gate shares with us (os/stream.h).
bool link_open(struct link *l, int take_fd, int take_shm_fd, struct ul_assoc *take_assoc);
void link_close(struct link *l);
// The next event; false when the association is over and the stream is closed. Waits, minding the timers.
bool link_next(struct link *l, struct ul_assoc_event *ret_event);
// An event that is there already, without waiting (a C-CANCEL between two answers); false: none.
bool link_peek(struct link *l, struct ul_assoc_event *ret_event);
// Gives a peeked request back: link_next() returns it again, link_peek() nothing before that.
void link_hold(struct link *l, const struct ul_assoc_event *event);
bool link_flush(struct link *l); // sends all output; false: the stream is gone
// Sends one piece of a data set from where it lies, behind the output.
bool link_send_piece(struct link *l, uint8_t context, struct slice piece, bool last);

// --- serve.c
void worker_serve(struct worker *w); // the client's link is open; returns when it is over

// --- associate.c
bool associate(struct worker *w, const struct ul_assoc_event *ev); // false: refused

// --- services.c: one row a service
void serve_command(struct worker *w, const struct ul_assoc_event *ev);
bool reply(struct worker *w, uint8_t context, const struct dimse_command *rsp);
bool reply_status(struct worker *w, const struct ul_assoc_event *ev, uint16_t status, const char *comment);
// Swallows the data set that follows a command; false when the association ended instead.
bool drain_data_set(struct worker *w);
// Collects it whole (identifiers); ERR_LIMIT past IDENTIFIER_MAX_BYTES, the rest drained.
enum err collect_data_set(struct worker *w, struct buf *ret_bytes);

// Has the requestor sent a C-CANCEL for this message (or gone away)? Looks without waiting.
bool cancelled(struct worker *w, uint16_t message_id);

void c_echo(struct worker *w, const struct ul_assoc_event *ev);
void c_store(struct worker *w, const struct ul_assoc_event *ev);
void c_find(struct worker *w, const struct ul_assoc_event *ev);
void c_get(struct worker *w, const struct ul_assoc_event *ev);
void c_move(struct worker *w, const struct ul_assoc_event *ev);

// --- log.c
void worker_log(struct worker *w, enum os_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
