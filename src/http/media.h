// Media types (RFC 9110 8.3.1) as Content-Type names one, and lists of them as Accept does (12.5.1), in the
// form that PS3.18 8.7.5 to 8.7.8 uses: parameters type=, transfer-syntax=, charset=, boundary=, quoted or
// bare. A bare value may hold what a token must not, like '/' in type=application/dicom, because senders do
// that.
//
// All slices point into the text that was parsed. Nothing here knows which media types there are.
#ifndef HTTP_MEDIA_H
#define HTTP_MEDIA_H

#include "base/slice.h"

enum { MEDIA_PARAMETERS_MAX = 8, ACCEPT_MAX = 32 };

struct media_parameter {
    struct slice name, value; // without quotes; a value with '\' in it is refused
};

struct media_type {
    struct slice type, subtype; // "*" in ranges
    size_t count;
    struct media_parameter parameter[MEDIA_PARAMETERS_MAX]; // q is not among them
};

bool media_parse(struct slice text, struct media_type *ret_media); // the whole text; no wildcards
bool media_is(const struct media_type *m, const char *name);       // "image/jpeg", case aside
// The value of a parameter, its name in lower case; p is NULL when it is absent.
struct slice media_parameter(const struct media_type *m, const char *name);
bool media_slice_is(struct slice s, const char *lower); // compares text, case aside

struct accept_range {
    struct media_type media;
    unsigned q; // 0 to 1000
};

// What a client takes, most wanted first: by q, then what is named before what is a wildcard, then as listed.
// Those with q=0 are last.
struct accept {
    size_t count;
    struct accept_range range[ACCEPT_MAX];
};

// Accept, or the value of the query parameter of that name (PS3.18 8.3.3.1). What is no media type is left
// out, as are entries after the first ACCEPT_MAX.
void accept_parse(struct slice text, struct accept *ret_accept);
// Does the range hold this type ("*/*", "image/*", "image/jpeg")? Parameters are not looked at.
bool accept_holds(const struct accept_range *r, const char *name);
// How much a type is wanted, by the range that names it most exactly (RFC 9110 12.5.1); 0: it is not.
// Parameters are not looked at.
unsigned accept_quality(const struct accept *a, const char *name);

#endif
