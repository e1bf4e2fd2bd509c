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
