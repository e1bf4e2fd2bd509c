// galena-archive DIR            started by the supervisor; its channel is descriptor 3
// galena-archive --verify DIR   opens every record of the store, changes nothing
// galena-archive --reindex DIR  builds the index again from the store (not while it is being served)
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/proc.h"
#include "os/sandbox.h"
#include "paths.h"

enum { SUPERVISOR_FD = OS_PROC_FD_FIRST, EVENTS_AT_ONCE = 64, FDS_MAX = 16384 };

static void log_problems(struct archive *a) {
    for (size_t i = 0; i < a->peers.problem_count; i++)
        session_log(a, NULL, OS_LOG_WARN, "%s", a->peers.problems[i]);
    for (size_t i = 0; i < a->collections.problem_count; i++)
        session_log(a, NULL, OS_LOG_WARN, "%s", a->collections.problems[i]);
}

static void reload(struct archive *a) {
    struct fault f = {0};
    struct conf conf;
    struct conf_peers peers;
    struct conf_collections collections;
    enum err e = conf_load(a->dir, &conf, &f);
    if (e == OK && (e = conf_peers_load(a->dir, &peers, &f)) != OK)
        conf_fini(&conf);
    if (e == OK && (e = conf_collections_load(a->dir, &collections, &f)) != OK) {
        conf_peers_fini(&peers);
        conf_fini(&conf);
    }
    struct ipc_reloaded m = {.error = (uint16_t)e, .detail = slice_str(f.detail)};
    if (e == OK) {
        conf_fini(&a->conf);
        conf_peers_fini(&a->peers);
        a->conf = conf;
        a->peers = peers;
        conf_collections_fini(&a->collections);
        a->collections = collections;
        associate_on_reload(a);
        signing_forget(a, slice_of(NULL, 0));
        account_on_reload(a);
        log_problems(a);
    }
    (void)ipc_send(a->supervisor.fd, IPC_RELOADED, &m, NULL, 0);
}

static void stats(struct archive *a) {
    struct store_info store = {0};
    struct index_info index = {0};
    struct fault f = {0};
    (void)store_status(a->store, &f, &store);
    (void)index_status(a->index, &f, &index);
    buf_reset(&a->scratch);
    buf_printf(
        &a->scratch,
        "studies %llu\nseries %llu\ninstances %llu\nstore_bytes %llu\nfree_bytes %llu\nreserve_bytes %llu\n"
        "full %d\nfailed_syncs %llu\nstored %llu\nidentical %llu\nbeside %llu\nrefused %llu\nqueries %llu\n"
        "retrieved %llu\n",
        (unsigned long long)index.studies, (unsigned long long)index.series,
        (unsigned long long)index.instances, (unsigned long long)store.used_bytes,
        (unsigned long long)store.free_bytes, (unsigned long long)store.reserve_bytes, store.full,
        (unsigned long long)store.failed_syncs, (unsigned long long)a->stored,
        (unsigned long long)a->identical, (unsigned long long)a->beside, (unsigned long long)a->refused,
        (unsigned long long)a->queries, (unsigned long long)a->retrieved);
    struct ipc_stats_reply m = {.text = buf_slice(&a->scratch)};
    (void)ipc_send(a->supervisor.fd, IPC_STATS_REPLY, &m, NULL, 0);
}

static void auth_gone(struct archive *a) {
    watch_close(a, &a->auth); // the supervisor starts another
    a->kept_count = 0;        // it reads what is on disk
    associate_on_auth_gone(a);
    signing_on_auth_gone(a);
}

static void on_supervisor(struct archive *a) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(a->supervisor.fd, IPC_SUPERVISOR_TO_ARCHIVE, 0, a->buffer, &m, &f);
    if (e == ERR_BUSY)
        return;
    if (e != OK) { // it is gone, and we with it
        a->stopping = true;
        return;
    }
    switch ((int)m.type) {
    case IPC_SESSION_NEW: {
        int worker = ipc_msg_take_fd(&m, 0), gate = ipc_msg_take_fd(&m, 1);
        session_new(a, &m.u.session_new, worker, gate);
        break;
    }
    case IPC_DIALED:
        dialling_on_dialed(a, &m);
        break;
    case IPC_AUTH_CHANNEL:
        if (a->auth.fd >= 0) // we have not heard yet that the last one is gone
            auth_gone(a);
        (void)watch_add(a, &a->auth, WATCH_AUTH, ipc_msg_take_fd(&m, 0), NULL); // closed: another is started
        break;
    case IPC_RELOAD:
        reload(a);
        break;
    case IPC_STATS:
        stats(a);
        break;
    default:
        break;
    }
    ipc_msg_close_fds(&m);
}

static void on_auth(struct archive *a) {
    struct ipc_msg m;
    struct fault f = {0};
    enum err e = ipc_recv_now(a->auth.fd, IPC_AUTH_TO_ARCHIVE, 0, a->buffer, &m, &f);
    if (e == OK) {
        if (!signing_on_auth(a, &m))
            associate_on_auth(a, &m.u.auth_result);
        explicit_bzero(a->buffer, IPC_MAX_BYTES); // secrets of sessions and tokens
        account_tell_auth(a);
        signing_recheck_more(a);
    } else if (e != ERR_BUSY) {
        auth_gone(a);
    }
}

static void handle(struct archive *a, const struct watch *w) {
    if (w->fd < 0) // closed by an earlier event of the same round
        return;
    switch (w->kind) {
    case WATCH_SUPERVISOR:
        on_supervisor(a);
        break;
    case WATCH_AUTH:
        on_auth(a);
        break;
    case WATCH_SYNC:
        commit_on_done(a);
        break;
    case WATCH_WORKER:
        if (!w->session->ending)
            session_on_worker(a, w->session);
        break;
    case WATCH_GATE:
        if (w->session->ending)
            break;
        if (w == &w->session->gate)
            session_on_gate(a, w->session);
        else
            dialling_on_proof(a, w->session);
        break;
    }
}

static int timeout_ms(const struct archive *a) {
    if (!a->index_dirty || a->syncing) // the end of the round wakes us
        return jobs_timeout_ms(a, -1);
    int64_t left = a->index_commit_due_ms - os_clock_ms();
    return jobs_timeout_ms(a, left < 0 ? 0 : (int)left);
}

static void loop(struct archive *a) {
    struct epoll_event events[EVENTS_AT_ONCE];
    while (!a->stopping) {
        int n = epoll_wait(a->epoll, events, EVENTS_AT_ONCE, timeout_ms(a));
        for (int i = 0; i < n && !a->stopping; i++) {
            handle(a, events[i].data.ptr);
            commit_check_index(a);
        }
        commit_index(a, false); // between two rounds: under load one follows upon the other
        commit_start(a);
        jobs_run(a);
        commit_check_index(a);
        sessions_bury(a);
    }
}

// Ends in good order: what was put is synced and indexed, so that the next start has nothing to replay.
static void finish(struct archive *a) {
    while (a->syncing || (a->pending && !a->failed)) { // what is at the disk is waited for
        commit_start(a);
        if (a->syncing)
            commit_on_done(a);
    }
    while (a->sessions)
        session_end(a, a->sessions, NULL);
    sessions_bury(a);
    jobs_end(a); // a deletion goes on with the next start
    if (a->failed)
        return;
    commit_index(a, true);
    (void)store_sync_all(a->store, NULL); // what was dropped last gives its room back
}

static enum err set_up(struct archive *a, struct fault *f) {
    char path[4096];
    enum err e = conf_load(a->dir, &a->conf, f);
    if (e == OK)
        e = conf_peers_load(a->dir, &a->peers, f);
    if (e == OK)
        e = conf_collections_load(a->dir, &a->collections, f);
    if (e == OK)
        e = keyring_open(path_in(path, a->dir, "keys"), f, &a->keyring);
    if (e != OK)
        return e;
    keyring_derive(a->keyring, "galena/tag/v1", a->tag_key);
    (void)mkdir(path_in(path, a->dir, "store"), 0700);
    struct store_options options = {.reserve_bytes = a->conf.reserve_bytes};
    e = store_open(path_in(path, a->dir, "store"), a->keyring, &options, f, &a->store);
    if (e == OK)
        e = replay_start(a, f);
    if (e == OK)
        e = commit_init(a, f);
    return e;
}

static enum err confine(struct archive *a, int dir_fd, struct fault *f) {
    (void)a;
    enum err e = os_sandbox_enter(OS_ROLE_ARCHIVE, dir_fd, f);
    return e == OK ? os_sandbox_selftest(OS_ROLE_ARCHIVE, f) : e;
}

static int serve(const char *dir) {
    struct fault f = {0};
    char path[4096];
    struct archive a = {
        .dir = dir, .epoll = epoll_create1(EPOLL_CLOEXEC), .auth = {.fd = -1}, .sync_start_fd = -1};
    a.buffer = malloc(IPC_MAX_BYTES);
    a.scratch = BUF_INIT(2 * 1024 * 1024);
    a.summary = BUF_INIT(RING_AUX_BYTES);
    a.pending_end = &a.pending;
    if (a.epoll < 0 || !a.buffer || os_proc_harden(FDS_MAX, &f) != OK)
        return 1;
    if (!watch_add(&a, &a.supervisor, WATCH_SUPERVISOR, SUPERVISOR_FD, NULL))
        return 1;
    CLEANUP_FD int dir_fd = open_dir(dir);
    enum err e = confine(&a, dir_fd, &f); // before the store is opened: replay reads what is on disk
    if (e == OK)
        e = set_up(&a, &f);
    if (e != OK) {
        session_log(&a, NULL, OS_LOG_ERROR, "the archive cannot start: %s: %s", err_text(e), f.detail);
        return 1;
    }
    log_problems(&a);
    e = ipc_send(a.supervisor.fd, IPC_ARCHIVE_READY, &(struct ipc_archive_ready){0}, NULL, 0);
    if (e != OK) {
        session_log(&a, NULL, OS_LOG_ERROR, "the archive cannot say that it is ready: %s", err_text(e));
        return 1;
    }
    naming_start(&a);
    loop(&a);
    finish(&a);
    index_close(a.index);
    if (a.index_damaged)
        (void)index_remove(path_in(path, dir, "index"), &f);
    store_close(a.store);
    keyring_close(a.keyring);
    return a.failed;
}

int main(int argc, char **argv) {
    os_log_init("archive", NULL, NULL);
    if (argc == 2 && argv[1][0] != '-')
        return serve(argv[1]);
    if (argc == 3 && strcmp(argv[1], "--verify") == 0)
        return verify_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--reindex") == 0)
        return reindex_main(argv[2]);
    fprintf(stderr, "usage: galena-archive [--verify | --reindex] DIR\n");
    return 2;
}
