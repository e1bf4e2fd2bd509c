// galena-web: the template of the web workers, and one worker a connection.
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dicom/charset.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/template.h"
#include "site.h"
#include "web.h"

enum {
    FDS_MAX = 128,
    // Descriptors the supervisor gives the template after its own socket (os/template.h); /dev/null: none.
    SITE_FD = 4,
    VIEWER_FD = 5,
};

static void archive_gone(void *owner) {
    (void)owner;
    exit(0);
}

static void take_settings(struct web *w, const struct ipc_connect *c, struct http_limits *limits) {
    (void)slice_to_cstr(c->source, w->source, sizeof w->source);
    (void)slice_to_cstr(c->name, w->name, sizeof w->name);
    (void)slice_to_cstr(c->ae_title, w->ae_title, sizeof w->ae_title);
    (void)slice_to_cstr(c->url, w->origin, sizeof w->origin);
    (void)slice_to_cstr(c->proxies, w->proxies, sizeof w->proxies);
    (void)slice_to_cstr(c->private_classes, w->private_classes, sizeof w->private_classes);
    (void)slice_to_cstr(c->provider, w->oidc_name, sizeof w->oidc_name);
    w->upload_max_bytes = c->upload_max;
    limits->header_ms = c->header_ms;
    limits->idle_ms = c->keep_alive_ms;
    limits->body_idle_ms = c->body_idle_ms;
    limits->send_idle_ms = c->body_idle_ms;
    limits->streams = WEB_TASKS_MAX;
    limits->error_field = answer_standing_fields;
    limits->error_field_count = answer_standing_count;
    limits->wall_ms = os_clock_wall_ms() - os_clock_ms();
}

// Waits for the connection; false when there will be none.
static bool await_connect(struct web *w, struct http_limits *limits) {
    struct ipc_msg m;
    CLEANUP_FREE uint8_t *message = malloc(IPC_MAX_BYTES);
    if (!message || ipc_recv(w->ctl, IPC_SUPERVISOR_TO_CHILD, 0, message, &m, NULL) != OK || m.fd_count > 3)
        return false;
    take_settings(w, &m.u.connect, limits);
    int stream = ipc_msg_take_fd(&m, 0), shared = ipc_msg_take_fd(&m, 2);
    if (os_stream_open(&w->client, stream, shared, OS_STREAM_WORKER, NULL) != OK)
        return false;
    return channel_open(&w->control, ipc_msg_take_fd(&m, 1), IPC_ARCHIVE_TO_WEB, archive_gone, w, NULL) == OK;
}

static int work(int ctl) {
    static struct web w;
    static struct request requests[WEB_TASKS_MAX];
    struct http_limits limits = http_limits_default;
    w.ctl = ctl;
    w.requests = requests;
    if (!await_connect(&w, &limits))
        return 0;
    w.http = http_conn_new(&limits, os_clock_ms());
    if (!w.http)
        return 0;
    web_serve(&w);
    const struct fault *f = http_conn_fault(w.http);
    if (f->code != OK)
        web_log(&w, OS_LOG_WARN, "a web client broke the protocol: %s: %s", err_text(f->code), f->detail);
    http_conn_free(w.http);
    os_stream_close(&w.client);
    return 0;
}

int main(void) {
    struct fault f = {0};
    int ctl = -1;
    os_log_init("web", NULL, NULL);
    enum err e = os_proc_harden(FDS_MAX, &f);
    if (e == OK)
        e = dicom_charset_preload(&f);
    if (e == OK)
        e = incoming_preload(&f);
    if (e == OK)
        e = site_load(SITE_FD, VIEWER_FD, &f);
    if (e == OK)
        e = os_sandbox_enter_template(OS_ROLE_WEB, &f);
    if (e == OK)
        e = os_template_serve(OS_ROLE_WEB, OS_TEMPLATE_CTL, &ctl, &f);
    if (e != OK) {
        os_log_fault(OS_LOG_ERROR, "the web worker cannot start", &f);
        return 1;
    }
    return work(ctl);
}
