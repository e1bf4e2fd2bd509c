// What the client takes (Accept, or the parameter of that name: PS3.18 8.3.3.1, 8.7.5 to 8.7.8) against
// what a resource offers.
#ifndef WEB_ACCEPTS_H
#define WEB_ACCEPTS_H

#include "base/uid.h"
#include "http/media.h"
#include "web.h"

struct accepted {
    int offer;
    char type[64];     // of the range, or of its parts; "" for any, or with a wildcard: "image/*"
    char transfer[UID_MAX + 1]; // its transfer-syntax: a UID, "*", or "": none was named
    const struct accept *accept; // of a multipart: all that the client said, in the request's arena
};

// Offers are media types; of a multipart with the type of its parts, "*" for any: `multipart/related;
// type="…"`. How much an offer is wanted says the range that names it most exactly (RFC 9110 12.5.1); the
// most wanted range decides, and among offers of which it has the say the first. False: 406, or 400 where
// types of the DICOM and the rendered category are mixed (8.7.4), is out.
bool request_accepts(struct request *rq, const char *const *offers, size_t count,
                     struct accepted *ret_accepted);

// Is this media type among those that the range, or what it says of its parts, means? Not, if it is refused
// in another one.
bool accepted_takes(const struct accepted *a, const char *media);
// `multipart/related; type="image/jpeg"; q=0` beside something that holds it, too.
bool accepted_refuses(const struct accepted *a, const char *media);

// All forms that the client takes, most wanted first, for a resource that has to look which of them it can
// be had in. 0: none; the answer is out.
enum { ACCEPTED_MAX = 32 };
size_t request_accepts_some(struct request *rq, const char *const *offers, size_t count,
                            struct accepted ret_accepted[ACCEPTED_MAX]);

#endif
