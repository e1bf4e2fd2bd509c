#include "conf/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static bool host_char(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool host_valid(struct slice host, bool bracketed) {
    if (host.n == 0 || host.n > CONF_HOST_MAX || host.p[0] == '-' || host.p[0] == '.')
        return false;
    if (bracketed) {
        char text[CONF_HOST_MAX + 1];
        struct in6_addr ip;
        return slice_to_cstr(host, text, sizeof text) && inet_pton(AF_INET6, text, &ip) == 1;
    }
    for (size_t i = 0; i < host.n; i++)
        if (!host_char(host.p[i]))
            return false;
    return true;
}

// Finds where the host ends: at the ']' of "[…]:port", else at the only ':'.
static bool split(struct slice text, struct slice *ret_host, struct slice *ret_port,
                  bool *ret_bracketed) {
    if (text.n > 0 && text.p[0] == '[') {
        const uint8_t *close = memchr(text.p, ']', text.n);
        if (!close || close + 1 >= text.p + text.n || close[1] != ':')
            return false;
        *ret_host = slice_of(text.p + 1, (size_t)(close - text.p) - 1);
        *ret_port = slice_of(close + 2, (size_t)(text.p + text.n - close) - 2);
        *ret_bracketed = true;
        return true;
    }
    *ret_host = slice_split(text, ':', ret_port);
    *ret_bracketed = false;
    return ret_port->p != NULL;
}

enum err conf_addr_parse(struct slice text, struct conf_addr *ret_addr, struct fault *f) {
    struct slice host, port;
    bool bracketed;
    uint64_t number;
    if (!split(text, &host, &port, &bracketed))
        return fault_set(f, ERR_CONFIG, "write HOST:PORT, an IPv6 address as [ADDRESS]:PORT");
    if (!slice_to_u64(port, 65535, &number) || number == 0)
        return fault_set(f, ERR_CONFIG, "the port must be a number from 1 to 65535");
    if (!host_valid(host, bracketed))
        return fault_set(f, ERR_CONFIG, "the host must be a name or an address");
    struct conf_addr a = {.port = (uint16_t)number};
    if (!slice_to_cstr(host, a.host, sizeof a.host))
        return fault_set(f, ERR_CONFIG, "the host is too long");
    *ret_addr = a;
    return OK;
}

void conf_addr_format(const struct conf_addr *a, char ret_text[CONF_ADDR_TEXT_MAX]) {
    const char *form = strchr(a->host, ':') ? "[%s]:%u" : "%s:%u";
    // The format is one of the two literals above.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(ret_text, CONF_ADDR_TEXT_MAX, form, a->host, (unsigned)a->port);
#pragma GCC diagnostic pop
}

bool conf_addr_to_sockaddr(const struct conf_addr *a, struct sockaddr_storage *ret_sa,
                           socklen_t *ret_len) {
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;
    if (inet_pton(AF_INET, a->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(a->port);
        *ret_len = sizeof *v4;
    } else if (inet_pton(AF_INET6, a->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(a->port);
        *ret_len = sizeof *v6;
    } else {
        return false;
    }
    *ret_sa = sa;
    return true;
}

static bool in_networks(const struct conf_addr *a, const char *const *networks, size_t n) {
    struct sockaddr_storage sa;
    socklen_t len;
    if (!conf_addr_to_sockaddr(a, &sa, &len))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct conf_cidr c;
        if (conf_cidr_parse(slice_str(networks[i]), &c, NULL) == OK &&
            conf_cidr_contains(&c, (const struct sockaddr *)&sa))
            return true;
    }
    return false;
}

bool conf_addr_is_loopback(const struct conf_addr *a) {
    static const char *const networks[] = {"127.0.0.0/8", "::1"};
    return in_networks(a, networks, sizeof networks / sizeof *networks);
}

bool conf_addr_is_private(const struct conf_addr *a) {
    static const char *const networks[] = {
        "127.0.0.0/8",    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
        "169.254.0.0/16", "::1",        "fc00::/7",      "fe80::/10",
    };
    return in_networks(a, networks, sizeof networks / sizeof *networks);
}

// Clears the bits behind the prefix; true when there were none set.
static bool cidr_mask(struct conf_cidr *c, size_t ip_bytes) {
    bool clean = true;
    for (size_t i = 0; i < ip_bytes; i++) {
        unsigned kept = c->bits > 8 * i ? c->bits - (unsigned)(8 * i) : 0;
        uint8_t mask = (uint8_t)(kept >= 8 ? 0xFFu : 0xFF00u >> kept);
        clean = clean && (c->ip[i] & (uint8_t)~mask) == 0;
        c->ip[i] &= mask;
    }
    return clean;
}

enum err conf_cidr_parse(struct slice text, struct conf_cidr *ret_cidr, struct fault *f) {
    struct slice prefix, host = slice_split(text, '/', &prefix);
    struct conf_cidr c = {0};
    char ip[INET6_ADDRSTRLEN];
    if (!slice_to_cstr(host, ip, sizeof ip))
        return fault_set(f, ERR_CONFIG, "write a network as ADDRESS/BITS, such as 10.1.0.0/16");
    c.family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(c.family, ip, c.ip) != 1)
        return fault_set(f, ERR_CONFIG, "write a network as ADDRESS/BITS, such as 10.1.0.0/16");
    unsigned max = c.family == AF_INET ? 32 : 128;
    uint64_t bits = max;
    if (prefix.p && !slice_to_u64(prefix, max, &bits))
        return fault_set(f, ERR_CONFIG, "the prefix must be a number from 0 to %u", max);
    c.bits = (uint8_t)bits;
    if (!cidr_mask(&c, max / 8))
        return fault_set(f, ERR_CONFIG, "the address has bits set behind its /%u prefix",
                         (unsigned)c.bits);
    *ret_cidr = c;
    return OK;
}

void conf_cidr_format(const struct conf_cidr *c, char ret_text[64]) {
    char ip[INET6_ADDRSTRLEN] = "?";
    inet_ntop(c->family, c->ip, ip, sizeof ip);
    snprintf(ret_text, 64, "%s/%u", ip, (unsigned)c->bits);
}

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) & (uint8_t)(0xFF00u >> rest)) == 0;
}

bool conf_cidr_contains(const struct conf_cidr *c, const struct sockaddr *sa) {
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, sa, sizeof v4);
        return c->family == AF_INET && prefix_equal(c->ip, (const uint8_t *)&v4.sin_addr, c->bits);
    }
    if (sa->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, sa, sizeof v6);
    if (c->family == AF_INET)
        return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) &&
               prefix_equal(c->ip, v6.sin6_addr.s6_addr + 12, c->bits);
    return prefix_equal(c->ip, v6.sin6_addr.s6_addr, c->bits);
}

bool conf_cidr_is_too_wide(const struct conf_cidr *c) {
    return c->bits < (c->family == AF_INET ? 8 : 16);
}
