// Clients that do not speak TLS to the TLS port are told apart, so that the log says what to do.
#include "gate.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { LOOK_BYTES = 4, LOOK_AGAIN_MS = 20 };

static const struct {
    uint8_t bytes[LOOK_BYTES];
    size_t n;
    const char *says;
} strangers[] = {
    {{0x01, 0x00}, 2,
     "DICOM without TLS on the TLS port: turn TLS on at the sender, or let it use the plain port "
     "(galena peer add --plain)"},
    {{'G', 'E', 'T', ' '}, 4, "a web browser or scanner on the DICOM TLS port: HTTP is not spoken here"},
    {{'H', 'E', 'A', 'D'}, 4, "a web browser or scanner on the DICOM TLS port: HTTP is not spoken here"},
    {{'P', 'O', 'S', 'T'}, 4, "a web client on the DICOM TLS port: HTTP is not spoken here"},
    {{'P', 'R', 'I', ' '}, 4, "a web client on the DICOM TLS port: HTTP is not spoken here"},
    {{'S', 'S', 'H', '-'}, 4, "an SSH client on the DICOM TLS port"},
};

static const char *name_stranger(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (n >= strangers[i].n && memcmp(p, strangers[i].bytes, strangers[i].n) == 0)
            return strangers[i].says;
    return "what came is not TLS: check the sender's port and TLS setting";
}

// Looks without taking, until it is clear; the number of bytes seen, 0 when none came in time.
static size_t look(struct gate *g, uint8_t p[LOOK_BYTES]) {
    for (;;) {
        ssize_t n = recv(g->client, p, LOOK_BYTES, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return 0;
        if (n == LOOK_BYTES || (n > 0 && p[0] == 0x16))
            return (size_t)n;
        int64_t left_ms = g->handshake_deadline_ms - os_clock_ms();
        if (left_ms <= 0)
            return n > 0 ? (size_t)n : 0;
        // With a few bytes there, waiting for input would end at once: look again a little later.
        struct pollfd wait = {.fd = g->client, .events = (short)(n > 0 ? POLLRDHUP : POLLIN)};
        int woken = poll(&wait, 1, n > 0 ? LOOK_AGAIN_MS : (int)left_ms);
        if (woken > 0 && n > 0)
            return (size_t)n; // it sends no more
    }
}

bool gate_is_tls(struct gate *g) {
    uint8_t p[LOOK_BYTES] = {0};
    size_t n = look(g, p);
    if (n == 0)
        return false; // came and went, a port scan or a health check: not worth a line
    if (p[0] == 0x16) // a TLS handshake record, RFC 8446 5.1
        return true;
    os_log(OS_LOG_WARN, name_stranger(p, n));
    return false;
}
