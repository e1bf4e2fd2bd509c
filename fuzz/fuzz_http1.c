// HTTP/1: the first byte chooses what the handlers do, the rest is what the client sends. However the bytes
// are cut, and however the answers leave, the client sees the same.
#include "http_fuzz.h"

static struct http_limits limits(void) {
    struct http_limits l = http_limits_default;
    l.header_bytes = 2048;
    l.header_count = 12;
    l.target_bytes = 128;
    l.drain_bytes = 64;
    return l;
}

static struct buf run(uint8_t control, struct slice in, size_t step, size_t send_step) {
    struct http_limits l = limits();
    struct fuzz_server s;
    server_start(&s, &l, control);
    server_take(&s, in, step, send_step);
    struct buf seen = BUF_INIT(1 << 28);
    buf_append_slice(&seen, buf_slice(&s.out));
    if (control & 16)
        http_conn_eof(s.c, s.now_ms);
    pull_events(&s);
    send_all(&s, SIZE_MAX);
    server_end(&s);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1 || n > 4096)
        return 0;
    struct slice in = slice_of(data + 1, n - 1);
    if (in.n && in.p[0] == 'P' && in.n > 3 && in.p[1] == 'R' && in.p[2] == 'I') // the other target's
        return 0;
    struct buf whole = run(data[0], in, SIZE_MAX, SIZE_MAX);
    struct buf bytewise = run(data[0], in, 1, SIZE_MAX);
    struct buf pieces = run(data[0], in, 17, 1001);
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&bytewise)));
    FUZZ_CHECK(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_fini(&whole);
    buf_fini(&bytewise);
    buf_fini(&pieces);
    return 0;
}
