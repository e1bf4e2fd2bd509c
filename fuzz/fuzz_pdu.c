// A-ASSOCIATE-RQ and -AC bodies: whatever decodes must encode, and then decode to the same bytes again.
#include "fuzz.h"

#include "ul/pdu.h"

static void again(enum ul_pdu_type type, const struct ul_associate *a, struct buf *ret_bytes) {
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_associate copy;
    struct buf second = BUF_INIT(2 * UL_ASSOCIATE_BYTES_MAX);
    if (ul_associate_encode(type, a, ret_bytes, NULL) == OK && ret_bytes->n <= UL_ASSOCIATE_BYTES_MAX) {
        struct slice body = slice_sub(buf_slice(ret_bytes), UL_PDU_HEADER_BYTES, ret_bytes->n);
        FUZZ_CHECK(ul_associate_decode(type, body, &arena, &copy, NULL) == OK);
        FUZZ_CHECK(ul_associate_encode(type, &copy, &second, NULL) == OK);
        FUZZ_CHECK(slice_eq(buf_slice(ret_bytes), buf_slice(&second)));
    }
    buf_fini(&second);
    arena_fini(&arena);
}

static void try_type(enum ul_pdu_type type, struct slice body) {
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_associate a;
    struct fault f = {OK, ""};
    struct buf bytes = BUF_INIT(2 * UL_ASSOCIATE_BYTES_MAX);
    enum err e = ul_associate_decode(type, body, &arena, &a, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    if (e == OK)
        again(type, &a, &bytes);
    buf_fini(&bytes);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    try_type(UL_PDU_ASSOCIATE_RQ, slice_of(data, n));
    try_type(UL_PDU_ASSOCIATE_AC, slice_of(data, n));
    return 0;
}
