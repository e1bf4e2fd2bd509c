// One connection from its first byte to its last.
#include <poll.h>
#include <sys/socket.h>

#include "os/clock.h"
#include "worker.h"

// What speaks to a plain DICOM port without speaking DICOM gets named for the administrator.
static bool is_stranger(struct worker *w) {
    uint8_t first[4] = {0};
    if (w->lane != IPC_LANE_PLAIN)
        return false;
    ssize_t n = recv(w->client.stream.fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (n < 3)
        return false;
    if (first[0] == 0x16 && first[1] == 0x03) {
        worker_log(w, OS_LOG_WARN,
                   "a TLS client spoke to the plain port: let it use the TLS port, or turn its TLS off");
        return true;
    }
    if (n == 4 && (memcmp(first, "GET ", 4) == 0 || memcmp(first, "POST", 4) == 0)) {
        worker_log(w, OS_LOG_WARN, "a web client spoke to the DICOM port");
        return true;
    }
    return false;
}

static void log_end(struct worker *w) {
    const struct ul_assoc_event *ev = &w->client.end;
    const char *who = w->peer[0] ? w->peer : "a stranger";
    if (ev->kind == UL_EV_ABORTED && ev->ours && ev->fault)
        worker_log(w, OS_LOG_WARN, "association with %s aborted: %s: %s", who, err_text(ev->fault->code),
                   ev->fault->detail);
    else if (ev->kind == UL_EV_ABORTED)
        worker_log(w, OS_LOG_WARN, "association aborted by %s: %s", who, ul_abort_text(ev->refusal));
    else if (ev->kind == UL_EV_CLOSED && w->peer[0])
        worker_log(w, OS_LOG_WARN, "%s closed the connection without a release", who);
}

static void serve(struct worker *w) {
    struct ul_assoc_event ev;
    while (link_next(&w->client, &ev)) {
        switch (ev.kind) {
        case UL_EV_ASSOCIATE_RQ:
            (void)associate(w, &ev);
            break;
        case UL_EV_COMMAND:
            serve_command(w, &ev);
            // Who asked for the release in the middle of it gets the answer now; else this does nothing.
            ul_assoc_release_reply(w->client.assoc, os_clock_ms());
            break;
        case UL_EV_RELEASE_RQ:
            ul_assoc_release_reply(w->client.assoc, os_clock_ms());
            break;
        case UL_EV_ABORTED:
        case UL_EV_CLOSED:
        case UL_EV_NONE:
        case UL_EV_ASSOCIATED:
        case UL_EV_REJECTED:
        case UL_EV_DATA:
        case UL_EV_RELEASED:
            break;
        }
    }
}

static void farewell(struct worker *w) {
    if (w->stored + w->retrieved + w->queries > 0)
        worker_log(w, OS_LOG_INFO, "association with %s ended: %llu stored, %llu sent, %llu queries", w->peer,
                   (unsigned long long)w->stored, (unsigned long long)w->retrieved,
                   (unsigned long long)w->queries);
}

void worker_serve(struct worker *w) {
    struct pollfd p;
    if (!os_stream_wait(&w->client.stream, true, false, &p)) {
        (void)poll(&p, 1, (int)w->timers.artim_ms);
        os_stream_polled(&w->client.stream, p.revents);
    }
    if (!is_stranger(w))
        serve(w);
    log_end(w);
    farewell(w);
}
