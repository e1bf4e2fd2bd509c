// galena-supervisor DIR: listens, starts the other processes, brings connections to them and replaces
// what dies. It parses nothing that comes from the network.
//
// One event loop (main.c). Events are taken one at a time, so that whatever a handler frees
// cannot be referred to by an event taken earlier.
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "conf/conf.h"
#include "ipc/ipc.h"
#include "os/listen.h"
#include "os/log.h"
#include "os/sandbox.h"
#include "penalty.h"

#include <sys/types.h>

struct supervisor;

enum watch_kind {
    WATCH_SIGNALS,
    WATCH_LISTENER,
    WATCH_ARCHIVE,
    WATCH_AUTH,
    WATCH_FETCH,
    WATCH_CHILD,
    WATCH_DIALER,
    WATCH_CONTROL_LISTENER,
    WATCH_CONTROL,
    WATCH_STDERR,
};

struct watch {
    enum watch_kind kind;
    int fd; // -1: not watched
    void *owner;
};

struct listener {
    struct watch watch;
    enum ipc_lane lane;
    int fd; // stays open while the archive restarts; watch.fd is -1 then
    char address[CONF_ADDR_TEXT_MAX];
};

// How many log lines may still be written, and since when.
struct line_budget {
    unsigned lines;
    int64_t filled_ms;
};

// A gate or a worker: first spare, then of one session.
struct child {
    struct child *next, **at; // in supervisor.children
    struct child *next_spare;
    pid_t pid;
    enum os_role role;
    struct watch ctl;
    struct session *session; // NULL: spare
    bool dropped;            // a spare that was told to end
    struct line_budget budget;
};

struct session {
    struct session *next, **at; // in supervisor.sessions
    uint64_t id;
    enum ipc_lane lane;
    bool outbound, proven;
    bool counted;              // against the limits of its source
    char from[OS_ADDR_TEXT];   // for people
    char source[OS_ADDR_TEXT]; // for limits
    char peer[65];             // the archive's name for it, once proven
    struct child *gate, *worker;
    int64_t kill_at_ms; // 0, or when what is left of it is killed
};

struct template_process {
    enum os_role role;
    pid_t pid; // 0: none
    int ctl;
    struct child *spares;
    unsigned spare_count;
    int64_t retry_at_ms; // after it could not be started
};

struct dialer {
    struct dialer *next;
    struct watch watch;
    pid_t pid;
    uint64_t request;
    bool tls;
    char target[CONF_ADDR_TEXT_MAX];
};

enum control_want { CONTROL_READS, CONTROL_WANTS_STATS, CONTROL_WANTS_RELOAD, CONTROL_OVER };
struct control {
    struct control *next;
    struct watch watch;
    enum control_want want;
    char line[64];
    size_t n;
    int64_t give_up_at_ms;
};

enum { LISTENERS_MAX = 4, TEMPLATES = 3 };

struct supervisor {
    struct conf conf;
    uid_t dir_owner;
    int epoll, dir_fd;
    struct watch signals, archive, auth, fetch, stderr_lines, control_listener;
    int stderr_fd; // the end that confined programs write to
    struct listener listeners[LISTENERS_MAX];
    unsigned listener_count;
    struct template_process templates[TEMPLATES]; // gate, dimse, web
    struct child *children;
    struct session *sessions;
    struct dialer *dialers;
    struct control *controls;
    struct penalties *penalties;
    uint64_t next_session;
    unsigned session_count, web_count, web_unproven;
    bool serves_web; // https has an address

    pid_t archive_pid, auth_pid, fetch_pid; // 0: none
    bool has_provider;                      // oidc.conf is there
    char provider_name[CONF_NAME_MAX + 1];  // of the sign-in provider, for the button; "": none
    char provider_ca_file[CONF_NAME_MAX + 1];
    int64_t fetch_retry_at_ms;
    bool archive_ready, serving, draining;
    int64_t archive_started_ms, archive_retry_at_ms, archive_backoff_ms, auth_retry_at_ms;
    int64_t started_ms, drain_until_ms, listen_again_at_ms;
    struct line_budget strangers;
    unsigned lines_left_out;
    uint64_t total_sessions, crashes;
    uint8_t *message; // IPC_MAX_BYTES
};

// --- watch.c
// On failure nothing is watched.
enum err watch_add(struct supervisor *s, struct watch *w, enum watch_kind kind, int fd, void *owner,
                   struct fault *f);
// … and the descriptor is closed, so that who is at its other end knows.
enum err watch_take(struct supervisor *s, struct watch *w, enum watch_kind kind, int take_fd, void *owner,
                    struct fault *f);
void watch_forget(struct supervisor *s, struct watch *w); // leaves the descriptor open
void watch_close(struct supervisor *s, struct watch *w);

// --- listen.c
enum err listen_open(struct supervisor *s, struct fault *f); // all but the local lane, not watched yet
enum err listen_open_local(struct supervisor *s, struct fault *f);
void listen_watch(struct supervisor *s, bool on);
void listen_close(struct supervisor *s);
void listen_on_event(struct supervisor *s, struct listener *l);

// --- spawn.c
struct os_proc_spec;
// Starts PROGRAM with one end of a new channel as descriptor 3, and fd[1 …] as spec has them.
enum err spawn_program(const char *program, const char *argument, struct os_proc_spec *spec, pid_t *ret_pid,
                       int *ret_ctl, struct fault *f);
enum err spawn_archive(struct supervisor *s, struct fault *f);
enum err spawn_auth(struct supervisor *s, struct fault *f);
enum err spawn_template(struct supervisor *s, enum os_role role, struct fault *f); // replaces the old one
void spawn_drop_spares(struct supervisor *s, enum os_role role);
void spawn_refill(struct supervisor *s);
struct child *spawn_take(struct supervisor *s, enum os_role role); // NULL: none to be had
struct template_process *spawn_template_of(struct supervisor *s, enum os_role role);
void spawn_unspare(struct supervisor *s, struct child *c); // it is not to be taken any more
void spawn_forget_child(struct supervisor *s, struct child *take_c);

// --- fetch.c: galena-fetch, as long as there is a sign-in provider
void fetch_restart(struct supervisor *s); // or ends it
void fetch_tick(struct supervisor *s, int64_t now_ms);
void fetch_gone(struct supervisor *s);
void fetch_on_message(struct supervisor *s);

// --- accounts.c: what auth has to know, as sealed memory files: users, tokens, settings
struct accounts {
    int fd[3];
};
#define ACCOUNTS_NONE ((struct accounts){{-1, -1, -1}})
// strict: nothing may be wrong with oidc.conf, which is no reason not to start.
enum err accounts_read(struct supervisor *s, bool strict, struct accounts *ret_accounts, struct fault *f);
void accounts_close(struct accounts *a);
enum err accounts_reload(struct supervisor *s, struct fault *f); // tells auth, if it runs

// --- session.c
void session_start(struct supervisor *s, enum ipc_lane lane, int take_fd, const struct os_addr *from);
bool session_outbound(struct supervisor *s, int take_fd, const char *target, int ret_fds[3]);
struct session *session_by_id(struct supervisor *s, uint64_t id);
void session_child_gone(struct supervisor *s, struct child *take_c);
void session_kill(struct supervisor *s, struct session *session, int signal);
void session_kill_all(struct supervisor *s, int signal);
void session_drain_web(struct supervisor *s); // idle connections end, others after what they do
void session_tick(struct supervisor *s, int64_t now_ms);
void session_on_child_message(struct supervisor *s, struct child *c);

// --- reap.c
void reap(struct supervisor *s);

// --- archive_link.c: what the archive says
void archive_on_message(struct supervisor *s);
void auth_on_message(struct supervisor *s);
void archive_is_gone(struct supervisor *s);

// --- dial.c
void dial_start(struct supervisor *s, const struct ipc_dial *m);
void dial_on_event(struct supervisor *s, struct dialer *d);

// --- control.c
enum err control_open(struct supervisor *s, struct fault *f);
void control_on_listener(struct supervisor *s);
void control_on_event(struct supervisor *s, struct control *c);
void control_stats(struct supervisor *s, struct slice text);
void control_reloaded(struct supervisor *s, struct slice text);
void control_tick(struct supervisor *s, int64_t now_ms);

// --- pack.c: a file of pages for the web's template; /dev/null where there is none
enum pack_kind { PACK_SITE, PACK_VIEWER };
enum err pack_open(enum pack_kind kind, int *ret_fd, struct fault *f);

// --- reload.c, notify.c, stderr.c
void reload(struct supervisor *s);
void notify(const char *state); // sd_notify(3), when systemd is there
enum err stderr_open(struct supervisor *s, struct fault *f);
void stderr_on_event(struct supervisor *s);

// --- main.c
void drain(struct supervisor *s);
void apply_limits(struct supervisor *s);
void become_ready(struct supervisor *s); // if everything is there

#endif
