// Import and export are two processes each. The outer one has the caller's rights: it opens files and
// connections, prints, and parses nothing. The inner one is confined before it sees the first byte of a
// file: it parses and speaks DICOM, on descriptors it is handed.
//
// They talk over a SEQPACKET pair in native structs: same machine, same build. The inner half is not
// trusted: what it says is text to show, numbers, and (of a DICOMDIR) names that are opened beneath its
// folder only.
#ifndef CLI_HALVES_H
#define CLI_HALVES_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

enum { HALVES_TEXT_MAX = 1024 };

enum order_kind {
    ORDER_FILE,   // import: a file to store, with its descriptor
    ORDER_GO,     // import: these were the files of a batch
    ORDER_ANSWER, // to REPORT_CONNECT, REPORT_CREATE: with a descriptor, or without when it failed
    ORDER_END,
};
struct order {
    uint32_t kind, index;
    uint32_t named; // ORDER_FILE: the caller named this file, it was not found in a folder
};

enum report_kind {
    REPORT_AT,        // import: begins with file `index`; series 1: to store it, 0: to see what it is
    REPORT_RESULT,    // one object: outcome, text says why (and which one, in a ZIP)
    REPORT_REFERENCE, // import: a DICOMDIR names `text`, components separated by '/'
    REPORT_CONNECT,   // wants a connection to the archive
    REPORT_CREATE,    // export: wants file `index` of series `series`; 0, 0: the DICOMDIR
    REPORT_DONE,      // the batch, or all of it, is done
    REPORT_FAILED,    // cannot go on; text says why
};
enum outcome { OUTCOME_STORED, OUTCOME_REFUSED, OUTCOME_NOT_DICOM, OUTCOME_UNREADABLE, OUTCOME_COUNT_ };
struct report {
    uint32_t kind, index, series, outcome;
    char text[HALVES_TEXT_MAX];
};

// Forks the inner half: hardened and confined, it runs `inner(channel, ctx)` and exits with its result.
enum err halves_fork(int (*inner)(int channel, void *ctx), void *ctx, int *ret_channel, pid_t *ret_pid,
                     struct fault *f);
int halves_end(int *channel, pid_t pid); // closes the channel and waits; -1: it died

// ret_fd may be NULL where no descriptor may come; -1: none came.
enum err order_send(int channel, const struct order *o, int fd, struct fault *f);
enum err order_recv(int channel, struct order *ret_order, int *ret_fd, struct fault *f);
enum err report_send(int channel, const struct report *r, struct fault *f);
// Its text is a string of printable characters afterwards, whatever was sent.
enum err report_recv(int channel, struct report *ret_report, struct fault *f);

// The inner half asks and waits for the descriptor; ERR_PEER_GONE when it did not get one.
enum err halves_ask_fd(int channel, const struct report *r, int *ret_fd, struct fault *f);

#endif
