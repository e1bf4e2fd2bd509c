#include "web.h"
int request_accepts(struct request *rq, const char *const *offers, int count) {
    struct slice a = request_header(rq, "accept");
    (void)count;
    (void)offers;
    if (!a.p) {
        answer_error(rq, 406, "accept", "Say in Accept what you can take.");
        return -1;
    }
    if (memmem(a.p, a.n, "xml", 3))
        return 2;
    return 0;
}

int request_accepts_syntax(struct request *rq, const char *const *offers, int count, char *wanted,
                           size_t cap) {
    struct slice a = request_header(rq, "accept");
    (void)offers;
    wanted[0] = 0;
    if (!a.p) {
        answer_error(rq, 406, "accept", "Say in Accept what you can take.");
        return -1;
    }
    uint8_t *p = memmem(a.p, a.n, "transfer-syntax=", 16);
    if (p) {
        struct slice v = slice_sub(a, (size_t)(p - a.p) + 16, a.n), rest;
        v = slice_trim(slice_split(slice_split(v, ',', &rest), ';', &rest), " \"");
        (void)slice_to_cstr(v, wanted, cap);
    }
    if (count > 1 && !memmem(a.p, a.n, "multipart", 9) && memmem(a.p, a.n, "application/", 12))
        return 1;
    return 0;
}
