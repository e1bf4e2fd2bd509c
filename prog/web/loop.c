// The loop: the only place of the worker that reads, writes and waits for descriptors.
//
// What was read lies in one buffer, and the engine hands out body bytes that point into it. It says when
// the buffer may be written again; others go on answering while a task still works on such a piece.
#include "web.h"

#include "os/clock.h"
#include "os/fd.h"
#include "route.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    INPUT_BYTES = 128 * 1024,
    VECTOR_MAX = 128,
    FDS_MAX = WEB_TASKS_MAX + 2,
    REST_MS = 1000, // then memory is given back
};

static uint8_t input[INPUT_BYTES];

static struct request *request_of(struct web *w, uint32_t stream) {
    for (size_t i = 0; i < WEB_TASKS_MAX; i++)
        if (w->requests[i].busy && w->requests[i].stream == stream)
            return &w->requests[i];
    return NULL;
}

static struct request *free_request(struct web *w) {
    for (size_t i = 0; i < WEB_TASKS_MAX; i++)
        if (!w->requests[i].busy)
            return &w->requests[i];
    return NULL;
}

// --- a task's view

void request_wait_fd(struct request *rq, int fd) {
    rq->wait_fd = fd;
    task_wait();
    rq->wait_fd = -1;
}

static void run_request(void *arg) {
    struct request *rq = arg;
    route_serve(rq);
}

static void finish(struct request *rq) {
    struct web *w = rq->web;
    if (!rq->gone && !rq->answered)
        http_stream_reset(w->http, rq->stream, ERR_NO_MEMORY); // all else has words for it
    http_stream_done(w->http, rq->stream);
    arena_fini(&rq->arena);
    w->served++;
    rq->busy = false;
}

static void step(struct request *rq) {
    task_resume(rq->task);
    if (task_ended(rq->task))
        finish(rq);
}

static void start(struct web *w, uint32_t stream, const struct http_request *http) {
    struct request *rq = free_request(w);
    bug_unless(rq != NULL); // the engine hands out no more streams than there are tasks
    if (!rq->task && !(rq->task = task_new())) {
        http_stream_reset(w->http, stream, ERR_NO_MEMORY);
        http_stream_done(w->http, stream);
        return;
    }
    struct channel channel = rq->archive;
    struct incoming_tools *tools = rq->tools;
    struct task *task = rq->task;
    *rq = (struct request){.web = w,
                           .task = task,
                           .busy = true,
                           .stream = stream,
                           .http = http,
                           .arena = ARENA_INIT(REQUEST_ARENA_BYTES),
                           .archive = channel,
                           .tools = tools,
                           .body_ended = !http->has_body,
                           .wait_fd = -1};
    rq->archive.owner = rq;
    task_start(task, run_request, rq);
    if (task_ended(task))
        finish(rq);
}

// --- events of the engine

static void on_event(struct web *w, const struct http_event *ev) {
    if (ev->kind == HTTP_EV_REQUEST) {
        start(w, ev->stream, ev->request);
        return;
    }
    struct request *rq = request_of(w, ev->stream);
    if (!rq)
        return;
    if (ev->kind == HTTP_EV_BODY)
        rq->body = ev->data;
    else if (ev->kind == HTTP_EV_END)
        rq->body_ended = true;
    else if (ev->kind == HTTP_EV_GONE)
        rq->gone = true;
    if (rq->waits_for_body || (rq->gone && rq->waits_for_room))
        step(rq);
}

static void take_events(struct web *w) {
    struct http_event ev;
    while (http_conn_next(w->http, &ev))
        on_event(w, &ev);
}

// Tasks whose last piece is out go on.
static bool wake_senders(struct web *w) {
    bool any = false;
    for (size_t i = 0; i < WEB_TASKS_MAX; i++) {
        struct request *rq = &w->requests[i];
        if (rq->busy && rq->waits_for_room && (rq->gone || http_body_pending(w->http, rq->stream) == 0)) {
            any = true;
            step(rq);
        }
    }
    return any;
}

// --- the stream

static void lost(struct web *w) {
    http_conn_lost(w->http);
    take_events(w);
}

// Sends what there is as far as the stream takes it; true: something went out.
static bool send_some(struct web *w) {
    struct iovec v[VECTOR_MAX];
    bool any = false;
    for (;;) {
        int n = http_conn_output(w->http, v, VECTOR_MAX);
        if (n == 0)
            return any;
        ssize_t sent = os_stream_send(&w->client, v, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return any;
        if (sent < 0) {
            lost(w);
            return any;
        }
        http_conn_sent(w->http, (size_t)sent, os_clock_ms());
        any = true;
    }
}

static void read_some(struct web *w) {
    ssize_t n = os_stream_recv(&w->client, &(struct iovec){input, sizeof input}, 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        lost(w);
        return;
    }
    if (n == 0)
        http_conn_eof(w->http, os_clock_ms());
    else
        http_conn_feed(w->http, slice_of(input, (size_t)n), os_clock_ms());
    take_events(w);
}

static bool wants_input(const struct web *w) {
    return http_conn_wants_input(w->http);
}

static int timeout_ms(const struct web *w) {
    int64_t now = os_clock_ms(), deadline = http_conn_deadline(w->http);
    return deadline <= now ? 0 : deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

// The supervisor has closed its end: the server stops. What was begun is finished.
static void end_in_peace(struct web *w) {
    http_conn_shutdown(w->http, os_clock_ms());
    w->ending = true;
}

// Waits for the stream and for the answers that tasks wait for. One answer at a time, so that a task that
// ends or begins another call meanwhile cannot be mistaken.
static void wait_and_serve(struct web *w) {
    struct pollfd p[FDS_MAX];
    struct request *whose[FDS_MAX];
    struct iovec probe[1];
    nfds_t n = 2;
    bool now = os_stream_wait(&w->client, wants_input(w), http_conn_output(w->http, probe, 1) > 0, &p[0]);
    p[1] = (struct pollfd){.fd = w->ending ? -1 : w->ctl, .events = POLLIN};
    for (size_t i = 0; i < WEB_TASKS_MAX; i++)
        if (w->requests[i].busy && w->requests[i].wait_fd >= 0) {
            whose[n] = &w->requests[i];
            p[n++] = (struct pollfd){.fd = w->requests[i].wait_fd, .events = POLLIN};
        }
    int wait_ms = now ? 0 : timeout_ms(w);
    bool idle = w->client.used && wait_ms > REST_MS;
    int ready = poll(p, n, idle ? REST_MS : wait_ms);
    os_stream_polled(&w->client, p[0].revents);
    if (ready == 0 && idle)
        os_stream_rest(&w->client);
    http_conn_tick(w->http, os_clock_ms());
    take_events(w);
    if (ready > 0 && p[1].revents)
        end_in_peace(w);
    for (nfds_t i = 2; ready > 0 && i < n; i++)
        if (p[i].revents && whose[i]->busy && whose[i]->wait_fd == p[i].fd)
            step(whose[i]);
    if (wants_input(w) && os_stream_readable(&w->client, p[0].revents))
        read_some(w);
}

static bool busy(const struct web *w) {
    for (size_t i = 0; i < WEB_TASKS_MAX; i++)
        if (w->requests[i].busy)
            return true;
    return false;
}

void web_serve(struct web *w) {
    while (!http_conn_closed(w->http) || busy(w)) {
        take_events(w);
        do
            (void)send_some(w);
        while (wake_senders(w));
        if (http_conn_closed(w->http) && !busy(w))
            break;
        wait_and_serve(w);
    }
}
