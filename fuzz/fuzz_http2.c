// HTTP/2: the first byte chooses what the handlers do and how bytes are cut, the rest are frames, after a
// preface and settings that are as they should be.
#include "http_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    if (n < 1 || n > 8192)
        return 0;
    struct http_limits l = http_limits_default;
    l.header_bytes = 2048;
    l.header_count = 12;
    l.target_bytes = 128;
    l.streams = 8;
    l.stream_window = 65535;
    l.conn_window = 100000;
    struct fuzz_server s;
    server_start(&s, &l, data[0]);
    server_take(&s, slice_of(preface, sizeof preface), SIZE_MAX, SIZE_MAX);
    server_take(&s, slice_of(data + 1, n - 1), data[0] & 32 ? 5 : SIZE_MAX, data[0] & 64 ? 1000 : SIZE_MAX);
    if (data[0] & 16)
        http_conn_shutdown(s.c, s.now_ms);
    if (data[0] & 128)
        http_conn_eof(s.c, s.now_ms);
    pull_events(&s);
    send_all(&s, SIZE_MAX);
    server_end(&s);
    return 0;
}
