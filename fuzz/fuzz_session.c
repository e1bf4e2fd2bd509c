// The archive with a worker in hostile hands: any message, at any time, with any bytes in the shared memory,
// over the archive's own loop, store and index. Whatever comes, the archive answers what the table allows or
// ends that session; at the end nothing of it is left.
//
// Input: u8 lane, then steps: u8 what, u16 length, so many bytes. What: an entry of `types` (the bytes are
// the message's fields), or one of enum other.
#include "fuzz.h"

int archive_main(int argc, char **argv);
#define main archive_main
#include "../prog/archive/main.c"
#undef main

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/rd.h"
#include "os/msg.h"

// New ones at the end, so that the corpus keeps its sense.
static const enum ipc_type types[] = {
    IPC_ASSOCIATE,      IPC_RING_GET,        IPC_STORE_BODY,     IPC_STORE_COMMIT, IPC_STORE_ABORT,
    IPC_QUERY,          IPC_QUERY_MORE,      IPC_QUERY_END,      IPC_LOCATE,       IPC_OBJECT_NEXT,
    IPC_OBJECT_READ,    IPC_RETRIEVE_END,    IPC_DIAL_PEER,      IPC_CHANNEL_NEW,
    IPC_IDENTIFY,       IPC_RELEASE,         IPC_SIGN_IN,        IPC_SIGN_OUT,     IPC_OIDC_START,
    IPC_OIDC_FINISH,    IPC_TOKENS,          IPC_TOKEN_CREATE,   IPC_TOKEN_REVOKE, IPC_SESSIONS,
    IPC_SESSION_REVOKE, IPC_PASSWORD_CHANGE, IPC_TOTP_BEGIN,     IPC_TOTP_CONFIRM, IPC_TOTP_OFF,
    IPC_ADMIN,          IPC_COUNT,           IPC_DELETE_OBJECTS, IPC_PROVE,
};
enum other { RING_WRITE = 200, RAW, WITH_DESCRIPTOR, WORKER_GONE, NO_PUMP };
enum {
    TYPES = sizeof types / sizeof *types,
    STEPS_MAX = 64,
    ROUNDS_MAX = 200,
    STORE_BYTES_MAX = 256 << 20, // a fresh one then
    SESSIONS_LEFT_MAX = CHANNELS_MAX + 1,
    FD_MAX = 300, // the store's segments, the index, ours
};

static struct archive a;
static char dir[64];
static int supervisor, auth; // our ends
static int worker;           // likewise; -1: gone
static uint8_t *ring;        // of the session under way
static bool web;

static void remove_folder(void) {
    char command[128];
    if (!dir[0])
        return;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    FUZZ_CHECK(system(command) == 0);
}

static void put_settings(void) {
    struct conf c;
    struct conf_peer ct = {.name = "ct", .ae_title = "CT1", .can = 7, .plain_can = 7, .plain_count = 1};
    struct conf_peer to = {.name = "to", .ae_title = "TO", .can = 1, .address_plain = true};
    char path[4096];
    conf_init(&c);
    c.reserve_bytes = 0;
    FUZZ_CHECK(conf_save(dir, &c, NULL) == OK);
    conf_fini(&c);
    FUZZ_CHECK(conf_cidr_parse(SLICE_LIT("127.0.0.0/8"), &ct.plain[0], NULL) == OK);
    FUZZ_CHECK(conf_addr_parse(SLICE_LIT("127.0.0.1:104"), &to.address, NULL) == OK);
    for (int i = 0; i < 6; i++) {
        static const char *const names[] = {"keys", "store", "collections", "peers", "peers/ct", "peers/to"};
        FUZZ_CHECK(mkdir(path_in(path, dir, names[i]), 0700) == 0);
    }
    FUZZ_CHECK(conf_peer_save(path_in(path, dir, "peers/ct"), &ct, NULL) == OK);
    FUZZ_CHECK(conf_peer_save(path_in(path, dir, "peers/to"), &to, NULL) == OK);
    FUZZ_CHECK(keyring_create(path_in(path, dir, "keys"), NULL) == OK);
}

static int channel(struct watch *w, enum watch_kind kind) {
    int pair[2];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    watch_add(&a, w, kind, pair[0], NULL);
    return pair[1];
}

static void start(void) {
    struct fault f = {0};
    strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/galena-fuzz-XXXXXX" : "/tmp/galena-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(dir) != NULL);
    put_settings();
    a = (struct archive){.dir = dir, .epoll = epoll_create1(EPOLL_CLOEXEC), .sync_start_fd = -1};
    a.buffer = malloc(IPC_MAX_BYTES);
    a.scratch = BUF_INIT(2 * 1024 * 1024);
    a.summary = BUF_INIT(RING_AUX_BYTES);
    a.pending_end = &a.pending;
    supervisor = channel(&a.supervisor, WATCH_SUPERVISOR);
    auth = channel(&a.auth, WATCH_AUTH);
    if (set_up(&a, &f) != OK) {
        fprintf(stderr, "%s\n", f.detail);
        abort();
    }
}

// Its sync thread goes on sleeping on a descriptor that stays open.
static void stop(void) {
    finish(&a);
    index_close(a.index);
    store_close(a.store);
    keyring_close(a.keyring);
    watch_close(&a, &a.supervisor);
    watch_close(&a, &a.auth);
    close(supervisor);
    close(auth);
    close(a.epoll);
    conf_fini(&a.conf);
    conf_peers_fini(&a.peers);
    conf_collections_fini(&a.collections);
    free(a.buffer);
    free(a.remembered);
    buf_fini(&a.scratch);
    buf_fini(&a.summary);
    remove_folder();
}

// --- The others: auth believes everything, the supervisor connects to nobody or to us

static void answer_of_auth(enum ipc_type type, uint64_t request) {
    struct ipc_auth_result checked = {.request = request, .valid = 1, .roles = 63};
    struct ipc_auth_identity who = {
        .request = request, .kind = 1, .user = SLICE_LIT("eva"), .roles = 63, .expires_s = 1000};
    struct ipc_auth_signed_in in = {.request = request, .session = SLICE_LIT("s"), .device = SLICE_LIT("d")};
    struct ipc_auth_oidc_go go = {.request = request, .url = SLICE_LIT("u"), .state = SLICE_LIT("s")};
    struct ipc_auth_lines lines = {.request = request, .text = SLICE_LIT("a\tb\n")};
    struct ipc_auth_token_created token = {.request = request, .token = SLICE_LIT("t"), .id = SLICE_LIT("i")};
    struct ipc_auth_totp_secret secret = {.request = request, .secret = SLICE_LIT("s")};
    struct ipc_auth_done done = {.request = request};
    if (type == IPC_AUTH_CHECK)
        (void)ipc_send(auth, IPC_AUTH_RESULT, &checked, NULL, 0);
    else if (type == IPC_AUTH_IDENTIFY)
        (void)ipc_send(auth, IPC_AUTH_IDENTITY, &who, NULL, 0);
    else if (type == IPC_AUTH_SIGN_IN || type == IPC_AUTH_OIDC_FINISH)
        (void)ipc_send(auth, IPC_AUTH_SIGNED_IN, &in, NULL, 0);
    else if (type == IPC_AUTH_OIDC_START)
        (void)ipc_send(auth, IPC_AUTH_OIDC_GO, &go, NULL, 0);
    else if (type == IPC_AUTH_LIST)
        (void)ipc_send(auth, IPC_AUTH_LINES, &lines, NULL, 0);
    else if (type == IPC_AUTH_TOKEN_CREATE)
        (void)ipc_send(auth, IPC_AUTH_TOKEN_CREATED, &token, NULL, 0);
    else if (type == IPC_AUTH_TOTP)
        (void)ipc_send(auth, IPC_AUTH_TOTP_SECRET, &secret, NULL, 0);
    else if (type == IPC_AUTH_SIGN_OUT || type == IPC_AUTH_END || type == IPC_AUTH_PASSWORD)
        (void)ipc_send(auth, IPC_AUTH_DONE, &done, NULL, 0);
}

static bool auth_turn(void) {
    static uint8_t buffer[IPC_MAX_BYTES];
    struct ipc_msg m;
    uint64_t request;
    if (ipc_recv_now(auth, IPC_ARCHIVE_TO_AUTH, 0, buffer, &m, NULL) != OK)
        return false;
    memcpy(&request, &m.u, sizeof request); // the first field of all that auth answers
    answer_of_auth(m.type, request);
    return true;
}

static bool supervisor_turn(void) {
    static uint8_t buffer[IPC_MAX_BYTES];
    struct ipc_msg m;
    if (ipc_recv_now(supervisor, IPC_ARCHIVE_TO_SUPERVISOR, 0, buffer, &m, NULL) != OK)
        return false;
    if (m.type == IPC_DIAL) {
        int pair[2];
        struct ipc_dialed d = {.request = m.u.dial.request, .error = m.u.dial.request & 1 ? ERR_IO : OK};
        FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        (void)ipc_send(supervisor, IPC_DIALED, &d, pair, d.error ? 0 : 1);
        close(pair[0]);
        close(pair[1]);
    }
    return true;
}

// Every answer is one that the table allows on this link.
static bool worker_turn(void) {
    static uint8_t buffer[IPC_MAX_BYTES];
    struct ipc_msg m;
    if (worker < 0)
        return false;
    enum err e = ipc_recv_now(worker, web ? IPC_ARCHIVE_TO_WEB : IPC_ARCHIVE_TO_DIMSE, 0, buffer, &m, NULL);
    FUZZ_CHECK(e == OK || e == ERR_BUSY || e == ERR_PEER_GONE);
    if (e != OK)
        return false;
    if (m.type == IPC_RING && !ring) {
        size_t bytes = (size_t)m.u.ring.body_bytes + m.u.ring.aux_bytes;
        FUZZ_CHECK(bytes == RING_BODY_BYTES + RING_AUX_BYTES);
        ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m.fds[0], 0);
        FUZZ_CHECK(ring != MAP_FAILED);
    }
    ipc_msg_close_fds(&m);
    return true;
}

// The archive's loop (main.c), until nobody has anything to say.
static void pump(void) {
    struct epoll_event events[EVENTS_AT_ONCE];
    for (int i = 0, idle = 0; i < ROUNDS_MAX && idle < 2; i++) {
        int n = epoll_wait(a.epoll, events, EVENTS_AT_ONCE, a.syncing ? 1000 : 0);
        for (int k = 0; k < n; k++)
            handle(&a, events[k].data.ptr);
        commit_start(&a);
        jobs_run(&a);
        commit_index(&a, false);
        sessions_bury(&a);
        FUZZ_CHECK(!a.stopping && !a.failed);
        bool any = n > 0 || a.syncing || a.pending || a.jobs;
        while (auth_turn() || supervisor_turn() || worker_turn())
            any = true;
        idle = any ? 0 : idle + 1;
    }
}

// --- Ours

static void begin(uint8_t lane) {
    int pair[2];
    struct ipc_session_new m = {.session = 1, .source = SLICE_LIT("127.0.0.1")};
    web = lane & 1;
    m.lane = web ? IPC_LANE_HTTPS : lane & 2 ? IPC_LANE_LOCAL : IPC_LANE_PLAIN;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    session_new(&a, &m, pair[0], -1);
    worker = pair[1];
}

static void worker_leaves(void) {
    if (worker >= 0)
        close(worker);
    worker = -1;
}

static void send_bytes(struct slice head, struct slice bytes, bool with_fd) {
    static uint8_t message[IPC_MAX_BYTES + 2];
    size_t n = bytes.n < IPC_MAX_BYTES ? bytes.n : IPC_MAX_BYTES;
    if (worker < 0 || head.n + n == 0)
        return;
    if (head.n)
        memcpy(message, head.p, head.n);
    memcpy(message + head.n, bytes.p, n);
    (void)os_msg_send(worker, slice_of(message, head.n + n), &worker, with_fd ? 1 : 0, NULL);
}

static void write_ring(struct slice bytes) {
    struct rd r = rd_init(bytes);
    uint32_t at = rd_u32le(&r) % (RING_BODY_BYTES + RING_AUX_BYTES);
    size_t n = rd_left(&r), room = RING_BODY_BYTES + RING_AUX_BYTES - at;
    if (ring && rd_ok(&r))
        memcpy(ring + at, r.p, n < room ? n : room);
}

static void step(uint8_t what, struct slice bytes) {
    uint8_t head[2];
    if (what == RING_WRITE) {
        write_ring(bytes);
    } else if (what == WORKER_GONE) {
        worker_leaves();
    } else if (what == RAW || what == WITH_DESCRIPTOR) {
        send_bytes(slice_of(NULL, 0), bytes, what == WITH_DESCRIPTOR);
    } else if (what != NO_PUMP) {
        enum ipc_type type = types[what % TYPES];
        head[0] = (uint8_t)type;
        head[1] = (uint8_t)(type >> 8);
        send_bytes(slice_of(head, 2), bytes, false);
    }
}

static void end(void) {
    worker_leaves();
    pump();
    FUZZ_CHECK(a.sessions == NULL && a.ended == NULL && a.pending == NULL && a.rings_mapped == 0);
    if (ring)
        munmap(ring, RING_BODY_BYTES + RING_AUX_BYTES);
    ring = NULL;
    int lowest = dup(supervisor);
    FUZZ_CHECK(lowest >= 0 && lowest < FD_MAX);
    close(lowest);
}

static void renew_when_large(void) {
    static unsigned runs;
    struct store_info info = {0};
    struct fault f = {0};
    if (++runs % 256 || store_status(a.store, &f, &info) != OK || info.used_bytes < STORE_BYTES_MAX)
        return;
    stop();
    start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct rd r = rd_init(slice_of(data, n));
    if (n == 0)
        return 0;
    if (!dir[0]) {
        os_log_init("fuzz", NULL, NULL);
        start();
        atexit(remove_folder);
    }
    signing_forget(&a, slice_of(NULL, 0));
    begin(rd_u8(&r));
    for (int i = 0; i < STEPS_MAX && rd_left(&r) >= 3; i++) {
        uint8_t what = rd_u8(&r);
        uint16_t length = rd_u16le(&r);
        step(what, rd_bytes(&r, length < rd_left(&r) ? length : rd_left(&r)));
        if (what != NO_PUMP)
            pump();
        size_t sessions = 0;
        for (const struct session *s = a.sessions; s; s = s->next)
            sessions++;
        FUZZ_CHECK(sessions <= SESSIONS_LEFT_MAX);
    }
    end();
    renew_when_large();
    return 0;
}
