#include "url.h"

#include <netinet/in.h>

enum url_kind url_kind(const char *url) {
    for (const char *c = url; *c; c++)
        if (*c <= 0x20 || *c >= 0x7f || strchr("@\\", *c))
            return URL_REFUSED;
    if (strncmp(url, "https://", 8) == 0)
        return URL_HTTPS;
    return strncmp(url, "http://", 7) == 0 ? URL_HTTP : URL_REFUSED;
}

bool url_is_loopback(const struct sockaddr *address) {
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}
