// The site's own files and the viewer's, out of their packs.
#include "identity.h"
#include "pack.h"
#include "route.h"
#include "site.h"

#include "base/hex.h"
#include "http/encoding.h"
#include "http/target.h"
#include "os/sandbox.h"

static struct pack site_pack, viewer_pack;

// OHIF needs more than our own pages: WebAssembly for its codecs, and styles in attributes. The rest is as
// strict; its pages are made to live with it (tools/get_viewer.sh).
static const char viewer_policy[] =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

enum err site_load(int take_site_fd, int take_viewer_fd, struct fault *f) {
    enum err e = pack_map(take_site_fd, &site_pack, f);
    enum err other = pack_map(take_viewer_fd, &viewer_pack, f);
    os_sandbox_allow_memory(site_pack.bytes.n + viewer_pack.bytes.n); // shared by all workers
    return e == OK ? other : e;
}

static void put_file(struct request *rq, const struct pack_file *file, bool viewer) {
    char type[128], etag[40];
    struct answer a = {.status = 200, .type = type, .etag = etag, .cacheable = true};
    if (!slice_to_cstr(file->type, type, sizeof type))
        strcpy(type, "application/octet-stream");
    // A weak one, as it is the same with gzip and without (RFC 9110 8.8.1).
    strcpy(hex_encode(file->sha256, 16, stpcpy(etag, "W/\"")), "\"");
    if (viewer) {
        a.no_policy = true;
        answer_header(&a, "content-security-policy", SLICE_LIT(viewer_policy));
    }
    answer_header(&a, "vary", SLICE_LIT("accept-encoding"));
    if (answer_not_modified(rq, &a))
        return;
    struct slice body = file->plain;
    if (file->gzip.n > 0 && gzip_wanted(request_header(rq, "accept-encoding"))) {
        body = file->gzip;
        answer_header(&a, "content-encoding", SLICE_LIT("gzip"));
    }
    a.length = (int64_t)body.n;
    if (answer_begin(rq, &a))
        (void)answer_body(rq, body, true);
}

static bool ends_with_slash(struct slice path) {
    return path.n > 0 && path.p[path.n - 1] == '/';
}

void site_page(struct request *rq) {
    struct pack_file file;
    struct slice path = rq->http->path;
    struct slice wanted = ends_with_slash(path) ? SLICE_LIT("/index.html") : path;
    if (pack_find(&site_pack, wanted, &file) && (!ends_with_slash(path) || path.n == 1))
        put_file(rq, &file, false);
    else
        answer_error(rq, 404, "not_found", "There is nothing here.");
}

// A name with an extension is a file; anything else is a place within the viewer, which its one page shows.
static bool names_a_file(struct slice path) {
    for (size_t i = path.n; i-- > 0 && path.p[i] != '/';)
        if (path.p[i] == '.')
            return true;
    return false;
}

static void send_to_sign_in(struct request *rq) {
    struct buf b = BUF_INIT(32 * 1024);
    buf_append_str(&b, "/?return=");
    target_escape(rq->http->path, &b);
    if (rq->http->query.n > 0) {
        buf_append_str(&b, "%3F");
        target_escape(rq->http->query, &b);
    }
    if (buf_ok(&b))
        answer_redirect(rq, buf_slice(&b));
    else
        answer_error(rq, 414, "too_long", "The address is too long.");
    buf_fini(&b);
}

void site_viewer(struct request *rq) {
    struct pack_file file;
    struct slice path = rq->http->path;
    if (viewer_pack.count == 0) {
        answer_error(rq, 404, "no_viewer", "The viewer is not installed: see the administration manual.");
        return;
    }
    bool is_file = names_a_file(path);
    if (is_file ? !pack_find(&viewer_pack, path, &file)
                : !pack_find(&viewer_pack, SLICE_LIT("/viewer/index.html"), &file)) {
        answer_error(rq, 404, "not_found", "There is nothing here.");
        return;
    }
    if (is_file || request_is_known(rq))
        put_file(rq, &file, true);
    else if (!rq->answered)
        send_to_sign_in(rq);
}
