#include "http/conn_int.h"

bool h2_start(struct http_conn *c) {
    http_conn_over(c, ERR_UNSUPPORTED, "HTTP/2");
    return false;
}
void h2_free(struct http_conn *c) {
    (void)c;
}
void h2_feed(struct http_conn *c, struct slice bytes) {
    (void)c, (void)bytes;
}
void h2_want(struct http_conn *c, struct http_stream *s) {
    (void)c, (void)s;
}
void h2_consumed(struct http_conn *c, struct http_stream *s, size_t n) {
    (void)c, (void)s, (void)n;
}
enum err h2_respond(struct http_conn *c, struct http_stream *s, const struct http_response *r) {
    (void)c, (void)s, (void)r;
    return ERR_UNSUPPORTED;
}
void h2_resume(struct http_conn *c, struct http_stream *s) {
    (void)c, (void)s;
}
void h2_reset(struct http_conn *c, struct http_stream *s) {
    (void)c, (void)s;
}
void h2_pull(struct http_conn *c) {
    (void)c;
}
void h2_shutdown(struct http_conn *c) {
    (void)c;
}
void h2_timeout(struct http_conn *c, const char *detail) {
    http_conn_over(c, OK, detail);
}
