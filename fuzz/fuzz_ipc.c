// What a worker may send the archive: whatever decodes must encode to the same bytes, and conditions
// must decode or be refused.
#include "fuzz.h"

#include "ipc/ipc.h"
#include "ipc/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    for (unsigned link = 1; link <= IPC_WEB_TO_ARCHIVE; link <<= 1) {
        struct ipc_msg m;
        struct fault f = {OK, ""};
        enum err e = ipc_decode(slice_of(data, n), (enum ipc_link)link, 0, &m, &f);
        FUZZ_CHECK((e == OK) == (f.code == OK));
        if (e != OK)
            continue;
        struct buf again = BUF_INIT(2 * IPC_MAX_BYTES);
        FUZZ_CHECK(ipc_encode(&again, m.type, &m.u) == OK);
        FUZZ_CHECK(slice_eq(buf_slice(&again), slice_of(data, n)));
        buf_fini(&again);
    }
    struct arena a = ARENA_INIT(4 << 20);
    struct query_condition *conditions;
    size_t count;
    if (query_get_all(slice_of(data, n), &a, &conditions, &count, NULL) == OK)
        FUZZ_CHECK(count <= QUERY_MAX_CONDITIONS);
    arena_fini(&a);
    return 0;
}
