// Clients that do not speak TLS to the TLS port are told apart, so that the log says what to do.
#include "gate.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { LOOK_BYTES = 4, LOOK_AGAIN_MS = 20, LAST_WORDS_MS = 1000 };

struct stranger {
    uint8_t bytes[LOOK_BYTES];
    size_t n;
    const char *says;
};

static const struct stranger of_peers[] = {
    {{0x01, 0x00}, 2,
     "DICOM without TLS on the TLS port: turn TLS on at the sender, or let it use the plain port "
     "(galena peer add --plain)"},
    {{'G', 'E', 'T', ' '}, 4, "a web browser or scanner on the DICOM TLS port: HTTP is not spoken here"},
    {{'H', 'E', 'A', 'D'}, 4, "a web browser or scanner on the DICOM TLS port: HTTP is not spoken here"},
    {{'P', 'O', 'S', 'T'}, 4, "a web client on the DICOM TLS port: HTTP is not spoken here"},
    {{'P', 'R', 'I', ' '}, 4, "a web client on the DICOM TLS port: HTTP is not spoken here"},
    {{'S', 'S', 'H', '-'}, 4, "an SSH client on the DICOM TLS port"},
};

static const char http[] = "HTTP without TLS on the HTTPS port: its address begins with https://";

static const struct stranger of_web[] = {
    {{'G', 'E', 'T', ' '}, 4, http},
    {{'H', 'E', 'A', 'D'}, 4, http},
    {{'P', 'O', 'S', 'T'}, 4, http},
    {{'P', 'U', 'T', ' '}, 4, http},
    {{'O', 'P', 'T', 'I'}, 4, http},
    {{'D', 'E', 'L', 'E'}, 4, http},
    {{'P', 'R', 'I', ' '}, 4, http},
    {{0x01, 0x00}, 2, "DICOM on the HTTPS port: let the sender use the DICOM port"},
    {{'S', 'S', 'H', '-'}, 4, "an SSH client on the HTTPS port"},
};

static const char *name_stranger(const struct stranger *v, size_t count, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < count; i++)
        if (n >= v[i].n && memcmp(p, v[i].bytes, v[i].n) == 0)
            return v[i].says;
    return "what came is not TLS: check the sender's port and TLS setting";
}

// Someone who typed http:// sees why there is no page. No redirect: whoever could read the request can also
// answer it, and would rather send the user elsewhere.
static void answer_http(struct gate *g) {
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 61\r\n"
                               "Connection: close\r\n"
                               "\r\n"
                               "This port speaks HTTPS: begin the address with https:// here\n";
    (void)send(g->client, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(g->client, SHUT_WR);
    // Unread bytes would make the kernel send a reset, which may overtake the answer.
    uint8_t rest[4096];
    int64_t until_ms = os_clock_ms() + LAST_WORDS_MS;
    while (os_clock_ms() < until_ms) {
        struct pollfd p = {.fd = g->client, .events = POLLIN};
        if (poll(&p, 1, LAST_WORDS_MS) <= 0 || recv(g->client, rest, sizeof rest, 0) <= 0)
            return;
    }
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
    const char *says = g->web ? name_stranger(of_web, sizeof of_web / sizeof *of_web, p, n)
                              : name_stranger(of_peers, sizeof of_peers / sizeof *of_peers, p, n);
    os_log(OS_LOG_WARN, says);
    if (says == http)
        answer_http(g);
    return false;
}
