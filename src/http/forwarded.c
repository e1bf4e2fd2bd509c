#include "http/forwarded.h"

#include "http/authority.h"
#include "http/media.h"

#include <arpa/inet.h>

// The last entry of a list; commas may stand within quotes.
static struct slice last_entry(struct slice list) {
    size_t from = 0;
    bool quoted = false;
    for (size_t i = 0; i < list.n; i++) {
        quoted ^= list.p[i] == '"';
        if (list.p[i] == ',' && !quoted)
            from = i + 1;
    }
    return slice_trim(slice_sub(list, from, list.n), " \t");
}

static bool is_address(struct slice s, char dst[FORWARDED_ADDRESS_MAX]) {
    uint8_t binary[16];
    if (!slice_to_cstr(s, dst, FORWARDED_ADDRESS_MAX))
        return false;
    return inet_pton(AF_INET, dst, binary) == 1 || inet_pton(AF_INET6, dst, binary) == 1;
}

// node, RFC 7239 6: an address, perhaps with a port; "unknown" and names of the proxy's own hide it.
static bool take_node(struct slice s, char dst[FORWARDED_ADDRESS_MAX]) {
    char address[FORWARDED_ADDRESS_MAX];
    if (media_slice_is(s, "unknown") || (s.n && s.p[0] == '_')) {
        dst[0] = 0;
        return true;
    }
    struct slice port, host = s;
    if (s.n && s.p[0] == '[') {
        host = slice_split(slice_sub(s, 1, s.n), ']', &port);
        if (!port.p || (port.n && port.p[0] != ':'))
            return false;
    } else if (!is_address(s, address)) {
        host = slice_split(s, ':', &port);
    }
    if (!is_address(host, address))
        return false;
    memcpy(dst, address, sizeof address);
    return true;
}

static bool take_proto(struct slice s, struct forwarded *f) {
    f->https = media_slice_is(s, "https");
    f->http = media_slice_is(s, "http");
    return f->https || f->http;
}

static bool take_host(struct slice s, struct forwarded *f) {
    return http_authority_valid(s) && slice_to_cstr(s, f->host, sizeof f->host);
}

static bool take_pair(struct slice pair, struct forwarded *f) {
    struct slice value, name = slice_split(pair, '=', &value);
    if (!value.p || name.n == 0)
        return false;
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = slice_sub(value, 1, value.n - 2);
    if (memchr(value.p, '"', value.n) || memchr(value.p, '\\', value.n))
        return false;
    if (media_slice_is(name, "for"))
        return take_node(value, f->address);
    if (media_slice_is(name, "proto"))
        return take_proto(value, f);
    if (media_slice_is(name, "host"))
        return take_host(value, f);
    return true; // by, and what is to come
}

static bool read_forwarded(struct slice list, struct forwarded *f) {
    struct slice rest = last_entry(list);
    while (rest.n)
        if (!take_pair(slice_trim(slice_split(rest, ';', &rest), " \t"), f))
            return false;
    return true;
}

bool forwarded_read(const struct http_request *r, struct forwarded *ret_forwarded) {
    struct forwarded f = {.https = false};
    struct slice all = http_header(r, "forwarded"), from = http_header(r, "x-forwarded-for");
    struct slice proto = http_header(r, "x-forwarded-proto"), host = http_header(r, "x-forwarded-host");
    if (all.p) {
        if (!read_forwarded(all, &f))
            return false;
    } else {
        if (!from.p && !proto.p && !host.p)
            return false;
        if ((from.p && !take_node(last_entry(from), f.address)) ||
            (proto.p && !take_proto(last_entry(proto), &f)) || (host.p && !take_host(last_entry(host), &f)))
            return false;
    }
    *ret_forwarded = f;
    return true;
}
