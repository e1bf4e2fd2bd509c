// What a proxy in front of us says of its client: Forwarded (RFC 7239), else X-Forwarded-For, -Proto and
// -Host. Only for requests from a proxy that the administrator trusts: anybody can write these fields. What
// counts is what the nearest proxy added, the last entry; those before it come from where it does not know
// either.
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/http.h"

enum { FORWARDED_ADDRESS_MAX = 46, FORWARDED_HOST_MAX = 262 };

struct forwarded {
    char address[FORWARDED_ADDRESS_MAX]; // IPv4 or IPv6, without port and brackets; "": not said, or hidden
    char host[FORWARDED_HOST_MAX];       // "": not said
    bool https;
    bool http;
};

// False: none of the fields is there, or what they say cannot be understood.
bool forwarded_read(const struct http_request *r, struct forwarded *ret_forwarded);

#endif
