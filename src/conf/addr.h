// Network addresses as an administrator writes them: "127.0.0.1:2762", "[::1]:11112",
// "ct1.example.org:104", and networks: "10.1.0.0/16", "192.0.2.7", "fe80::/10".
//
// Not a resolver: a host name stays a name; only literal addresses become a sockaddr.
#ifndef CONF_ADDR_H
#define CONF_ADDR_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/slice.h"

enum { CONF_HOST_MAX = 253, CONF_ADDR_TEXT_MAX = CONF_HOST_MAX + 9 }; // with [ ] : port and NUL

struct conf_addr {
    char host[CONF_HOST_MAX + 1]; // an IPv6 literal stands without its brackets; "" = not set
    uint16_t port;
};

struct conf_cidr {
    sa_family_t family; // AF_INET or AF_INET6
    uint8_t bits;       // length of the prefix
    uint8_t ip[16];     // network byte order; the bits behind the prefix are zero
};

static inline bool conf_addr_is_set(const struct conf_addr *a) {
    return a->host[0] != '\0';
}
enum err conf_addr_parse(struct slice text, struct conf_addr *ret_addr, struct fault *f);
void conf_addr_format(const struct conf_addr *a, char ret_text[CONF_ADDR_TEXT_MAX]);

// True when host is a literal IPv4 or IPv6 address, which is then in *ret_sa.
bool conf_addr_to_sockaddr(const struct conf_addr *a, struct sockaddr_storage *ret_sa,
                           socklen_t *ret_len);

// Literal addresses that the internet does not route to: loopback, RFC 1918, link-local, fc00::/7.
bool conf_addr_is_loopback(const struct conf_addr *a);
bool conf_addr_is_private(
    const struct conf_addr *a); // includes loopback; not the wildcard 0.0.0.0 or ::

enum err conf_cidr_parse(struct slice text, struct conf_cidr *ret_cidr, struct fault *f);
void conf_cidr_format(const struct conf_cidr *c, char ret_text[64]);
// Wider than anyone can name: less than /8 (IPv4) or /16 (IPv6).
bool conf_cidr_is_too_wide(const struct conf_cidr *c);
// An IPv4 address that arrives mapped into IPv6 (::ffff:a.b.c.d) matches IPv4 networks.
bool conf_cidr_contains(const struct conf_cidr *c, const struct sockaddr *sa);

#endif
