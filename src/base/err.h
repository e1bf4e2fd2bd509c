// Every error Galena can report, in one table: its name, the DIMSE status a peer gets for it
// (PS3.7 Annex C; PS3.4 B.2.3 for C-STORE), the HTTP status, and what it says.
//
// Three fates: the peer's fault → a status; the surroundings' fault (disk, memory) → a status
// that asks to try again; our own fault → bug(), which ends the process.
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

// clang-format off
#define ERR_TABLE(X)                                                                              \
    /* id                 DIMSE   HTTP  text                                                  */  \
    X(OK,                 0x0000, 200, "success")                                                 \
    X(ERR_TRUNCATED,      0xC000, 400, "ends before it is complete")                              \
    X(ERR_SYNTAX,         0xC000, 400, "cannot be understood")                                    \
    X(ERR_LIMIT,          0xC000, 413, "exceeds a limit")                                         \
    X(ERR_DEPTH,          0xC000, 400, "is nested too deeply")                                    \
    X(ERR_UID,            0xC000, 400, "holds an invalid UID")                                    \
    X(ERR_CHARSET,        0xC000, 400, "names an unknown character set")                          \
    X(ERR_INFLATE,        0xC000, 400, "deflated data are damaged")                               \
    X(ERR_MISMATCH,       0xA900, 409, "data set does not match SOP class or request")            \
    X(ERR_UNSUPPORTED,    0x0122, 415, "is not supported")                                        \
    X(ERR_DENIED,         0x0124, 403, "is not authorised")                                       \
    X(ERR_NO_SUCH_OBJECT, 0x0112, 404, "does not exist")                                          \
    X(ERR_PROTOCOL,       0x0211, 400, "breaks the protocol")                                     \
    X(ERR_CANCELLED,      0xFE00, 499, "was cancelled")                                           \
    X(ERR_TIMEOUT,        0xA700, 408, "took too long")                                           \
    X(ERR_NO_SPACE,       0xA700, 507, "the storage is full")                                     \
    X(ERR_NO_MEMORY,      0xA700, 503, "not enough memory")                                       \
    X(ERR_IO,             0xA700, 503, "input or output failed")                                  \
    X(ERR_BUSY,           0xA700, 503, "too busy, try again")                                     \
    X(ERR_CORRUPT,        0xA700, 500, "stored data are damaged")                                 \
    X(ERR_DESTINATION,    0xA801, 400, "the move destination is unknown")                         \
    X(ERR_PEER_GONE,      0xA700, 503, "the peer closed the connection")                          \
    X(ERR_CONFIG,         0xA700, 500, "the configuration is wrong")
// clang-format on

enum err {
#define X(id, dimse, http, text) id,
    ERR_TABLE(X)
#undef X
        ERR_COUNT_
};

const char *err_name(enum err e);
const char *err_text(enum err e);
bool err_of_machine(enum err e); // disk or memory: says nothing about what was asked for or read
uint16_t err_dimse_status(enum err e);
unsigned err_http_status(enum err e);

// An error with its detail, written once, where it is found: which tag path, which byte
// offset. Never patient data, never a secret. A zeroed fault is no fault.
struct fault {
    enum err code;
    char detail[192];
};

// Records the first fault only (later ones are consequences) and returns its code.
enum err fault_set(struct fault *f, enum err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum err fault_set_v(struct fault *f, enum err code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
enum err fault_errno(struct fault *f, const char *what); // from errno: ENOSPC, EDQUOT, ENOMEM, else ERR_IO

// Our own mistake: says where and aborts. A worker that gets here takes one connection along.
_Noreturn void bug_at(const char *file, int line, const char *what);
#define bug(what) bug_at(__FILE__, __LINE__, what)
#define bug_unless(cond)                                                                                     \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            bug("broken: " #cond);                                                                           \
    } while (0)

#endif
