// galena-fetch: asks the sign-in provider what auth wants to know, over HTTPS. Started by the supervisor
// only when there is a provider, with its own socket (3), auth's channel (4), and the certificates by which
// the provider is known (5; empty: the system's).
//
// It holds no keys and sees no images; what the provider sends it passes on unread, up to FETCH_BODY_MAX.
// No redirects, no cookies, no proxies, nothing kept from one request to the next but connections.
#include "base/buf.h"
#include "ipc/ipc.h"
#include "os/fd.h"
#include "os/log.h"
#include "os/proc.h"
#include "os/sandbox.h"
#include "os/template.h"
#include "url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

enum { CTL_FD = OS_TEMPLATE_CTL, AUTH_FD = 4, CERTIFICATES_FD = 5 };
enum {
    FDS_MAX = 128,
    TRANSFERS_MAX = 32,
    FETCH_BODY_MAX = 256 * 1024,
    CERTIFICATES_MAX = 1024 * 1024,
    CONNECT_MS = 5000,
    WHOLE_MS = 15000,
    PART_BYTES = 57344,
};

struct transfer {
    CURL *easy; // NULL: free
    uint64_t request;
    bool plain; // http: to this machine alone
    struct curl_slist *headers;
    struct buf body, form;
};

static struct {
    CURLM *multi;
    struct transfer transfer[TRANSFERS_MAX];
    struct buf certificates; // empty: the system's
    uint8_t message[IPC_MAX_BYTES];
} g;

static void log_to_supervisor(void *ctx, enum os_log_level level, struct slice text) {
    (void)ctx;
    struct ipc_fetch_log m = {.level = (uint8_t)level, .text = text};
    (void)ipc_send(CTL_FD, IPC_FETCH_LOG, &m, NULL, 0);
}

static void answer(uint64_t request, enum err error, long status, struct slice body) {
    do {
        struct slice part = slice_sub(body, 0, PART_BYTES);
        body = slice_sub(body, part.n, body.n);
        struct ipc_fetched m = {.request = request,
                                .error = (uint16_t)error,
                                .status = (uint16_t)(status > 0 && status < 1000 ? status : 0),
                                .last = body.n == 0,
                                .body = part};
        if (ipc_send(AUTH_FD, IPC_FETCHED, &m, NULL, 0) != OK)
            _exit(0);
    } while (body.n > 0);
    ipc_forget_sent();
}

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->n);
    buf_fini(b);
}

static void transfer_end(struct transfer *t) {
    if (t->easy) {
        curl_multi_remove_handle(g.multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    wipe(&t->body);
    wipe(&t->form);
    *t = (struct transfer){.easy = NULL};
}

static size_t on_bytes(char *p, size_t size, size_t n, void *ctx) {
    struct transfer *t = ctx;
    buf_append(&t->body, p, size * n);
    return buf_ok(&t->body) ? size * n : 0; // 0: too long, it ends
}

// The address is known now: plain HTTP goes to this machine and nowhere else, whatever its name says.
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address) {
    const struct transfer *t = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN || (t->plain && !url_is_loopback(&address->addr)))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void add_header(struct transfer *t, const char *text) {
    struct curl_slist *longer = curl_slist_append(t->headers, text);
    t->headers = longer ? longer : t->headers;
}

static void set_common(struct transfer *t) {
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, t->plain ? "http" : "https");
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
    curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE, (long)FETCH_BODY_MAX);
    curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, NULL); // nothing packed: it would unpack it here
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "Galena/" GALENA_VERSION);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
}

static void set_certificates(struct transfer *t) {
    struct curl_blob blob = {g.certificates.p, g.certificates.n, CURL_BLOB_NOCOPY};
    if (g.certificates.n > 0)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_request(struct transfer *t, const struct ipc_auth_fetch *m) {
    char authorization[2100];
    add_header(t, "Accept: application/json");
    if (m->authorization.n > 0) {
        snprintf(authorization, sizeof authorization, "Authorization: %.*s", SLICE_FMT(m->authorization));
        add_header(t, authorization);
        explicit_bzero(authorization, sizeof authorization);
    }
    if (m->body.n > 0) {
        buf_append_slice(&t->form, m->body);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->form.p);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)t->form.n);
        add_header(t, "Content-Type: application/x-www-form-urlencoded");
        add_header(t, "Expect:");
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static struct transfer *transfer_new(uint64_t request) {
    for (struct transfer *t = g.transfer; t < g.transfer + TRANSFERS_MAX; t++)
        if (!t->easy && (t->easy = curl_easy_init())) {
            t->request = request;
            t->body = BUF_INIT(FETCH_BODY_MAX);
            t->form = BUF_INIT(16384);
            return t;
        }
    return NULL;
}

static bool is_header_value(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return true;
}

static void on_request(const struct ipc_auth_fetch *m) {
    char url[2049];
    enum url_kind kind = slice_to_cstr(m->url, url, sizeof url) ? url_kind(url) : URL_REFUSED;
    struct transfer *t =
        kind != URL_REFUSED && is_header_value(m->authorization) ? transfer_new(m->request) : NULL;
    if (!t) {
        answer(m->request, kind == URL_REFUSED ? ERR_DENIED : ERR_BUSY, 0, slice_of(NULL, 0));
        return;
    }
    t->plain = kind == URL_HTTP;
    set_common(t);
    set_certificates(t);
    set_request(t, m);
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    if (curl_multi_add_handle(g.multi, t->easy) == CURLM_OK)
        return;
    answer(m->request, ERR_BUSY, 0, slice_of(NULL, 0));
    transfer_end(t);
}

static void on_auth(void) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(AUTH_FD, IPC_AUTH_TO_FETCH, 0, g.message, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e != OK)
        _exit(0); // auth has ended: another one gets another of us
    on_request(&m.u.auth_fetch);
    explicit_bzero(g.message, sizeof g.message);
}

static void finish(struct transfer *t, CURLcode result) {
    long status = 0;
    char *host = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &host);
    if (result != CURLE_OK) {
        struct slice place = slice_str(host ? host : "?"); // without what may be in a query
        place = slice_split(place, '?', &(struct slice){NULL, 0});
        os_log(OS_LOG_WARN, "the sign-in provider does not answer", OS_LOG_SLICE("url", place),
               OS_LOG_TEXT("why", curl_easy_strerror(result)));
    }
    answer(t->request, result == CURLE_OK ? OK : ERR_IO, status, buf_slice(&t->body));
    transfer_end(t);
}

static void finish_all(void) {
    int left;
    const CURLMsg *m;
    while ((m = curl_multi_info_read(g.multi, &left))) {
        struct transfer *t = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        if (m->msg == CURLMSG_DONE && t)
            finish(t, m->data.result);
    }
}

static _Noreturn void loop(void) {
    for (;;) {
        int running;
        struct curl_waitfd extra[2] = {{.fd = AUTH_FD, .events = CURL_WAIT_POLLIN},
                                       {.fd = CTL_FD, .events = CURL_WAIT_POLLIN}};
        curl_multi_perform(g.multi, &running);
        finish_all();
        if (curl_multi_poll(g.multi, extra, 2, 60000, NULL) != CURLM_OK)
            _exit(1);
        if (extra[1].revents)
            _exit(0); // the supervisor says nothing but that it is over
        if (extra[0].revents)
            on_auth();
    }
}

static enum err start(struct fault *f) {
    g.certificates = BUF_INIT(CERTIFICATES_MAX);
    enum err e = os_proc_harden(FDS_MAX, f);
    if (e == OK)
        e = os_fd_read_all(CERTIFICATES_FD, &g.certificates, f);
    if (e != OK)
        return e;
    close(CERTIFICATES_FD);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(g.multi = curl_multi_init()))
        return fault_set(f, ERR_NO_MEMORY, "libcurl");
    curl_multi_setopt(g.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)TRANSFERS_MAX);
    e = os_sandbox_enter(OS_ROLE_FETCH, -1, f);
    if (e == OK)
        e = os_sandbox_selftest(OS_ROLE_FETCH, f);
    return e == OK ? os_template_say_ready(CTL_FD, f) : e;
}

int main(void) {
    struct fault f = {0};
    os_log_init("fetch", NULL, NULL);
    if (start(&f) != OK) {
        os_log_fault(OS_LOG_ERROR, "fetch cannot start", &f);
        return 1;
    }
    os_log_init("fetch", log_to_supervisor, NULL);
    loop();
}
