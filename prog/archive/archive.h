// The archive process: rights, keys, index and store. It parses nothing from outside: it gets
// typed fields (src/ipc) and opaque bodies, and checks lengths, UID grammar and UTF-8 again.
//
// One event loop, one thread (and one more that only calls fdatasync). Every handler runs to its
// end without waiting for a peer: answers go out non-blocking, and a session whose channel is
// full or that breaks a rule ends.
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include <stdio.h>

#include "base/cleanup.h"
#include "blob/store.h"
#include "conf/conf.h"
#include "conf/peer.h"
#include "index/index.h"
#include "job.h"
#include "ipc/ipc.h"
#include "ipc/query.h"
#include "os/log.h"
#include "os/memfd.h"
#include "rights.h"

enum {
    RING_BODY_BYTES = 1024 * 1024,
    RING_AUX_BYTES = 1024 * 1024,
    RINGS_MAPPED_MAX = 40, // beyond it the least recently used one is unmapped: bounds our memory
    INDEX_COMMIT_MS = 1000,
    STORES_WAITING_MAX = 16, // of one session
    CHANNELS_MAX = 16, // of one web connection
    KEPT_MAX = 64,     // as many changes auth has the archive keep at once
};

struct session;

// What an epoll event belongs to.
enum watch_kind { WATCH_SUPERVISOR, WATCH_AUTH, WATCH_WORKER, WATCH_GATE, WATCH_SYNC };
struct watch {
    enum watch_kind kind;
    int fd;
    struct session *session;
};

// Shared memory for the bodies of one worker. Unmapped when others need the room.
struct ring {
    int fd;                        // -1: none yet
    uint8_t *p;                    // NULL: not mapped now
    struct session *newer, *older; // in the list of mapped rings
};

// A put that waits for its sync.
struct pending {
    struct pending *next;
    struct session *session; // NULL: the connection ended meanwhile; the object is still indexed
    struct blob_ref ref;
    struct buf meta;
};

// What became of an object that was stored (STORE_DONE.outcome).
enum stored { STORED_NEW, STORED_IDENTICAL, STORED_BESIDE };

// Of a web session: what it asks auth just now, and whose request it serves.
enum ask { ASK_NOTHING, ASK_IDENTITY, ASK_SIGN_IN, ASK_OIDC, ASK_DONE, ASK_LINES, ASK_TOKEN, ASK_TOTP };
struct signing {
    enum ask ask;
    bool asked_passive, passive; // by a page itself: no use of the session
    uint8_t asked_kind, kind; // enum ipc_shown, enum ipc_credential
    uint8_t asked_digest[32], digest[32]; // of the credential, SHA-256
    uint64_t recheck;   // number of the question whether it is still good; 0: none is open
    int64_t stale_ms;   // since when that is to be asked; 0: it is not
    int64_t check_ms;   // likewise, from then on
    bool uploads;       // it has begun to store before that
    char study[UID_MAX + 1]; // and to retrieve of this study; "": of none
    bool late;          // what it began last, it did while auth was asked whether it is good still
    bool expired;       // by itself: what it began may end, and nothing else begins
    bool signs_out;     // it has no rights any more, and what it says next is that
    bool proves;        // what it asks auth just now is whether it is its bearer who asks
    bool proven;        // it is; good for one change of the account
};

struct remembered; // signing.c

struct session {
    struct session *next, *previous;
    uint64_t id;
    struct proof proof;
    char source[81];
    struct watch worker, gate;
    uint32_t phase; // enum ipc_phase
    uint32_t rights;
    struct view *view; // what it may see; NULL: everything
    char peer[PEER_TEXT_MAX + 1];
    char user[CONF_NAME_MAX + 1]; // that an association named and proved besides; whose request it is
    char calling[CONF_AE_MAX + 1], called[CONF_AE_MAX + 1];
    bool ending; // freed once the handler has returned
    struct ring ring;
    struct store_stream *stream;
    char stream_study[UID_MAX + 1];
    unsigned waits; // stores of it that wait for the disk
    struct index_query *query;
    uint32_t query_flags;
    bool query_in_body; // summaries go to the body area: QUERY_FLAG_BY_TURNS
    uint16_t returns[INDEX_ATTR_COUNT_];
    size_t return_count;
    struct arena arena; // of the query's or retrieval's conditions
    struct index_query *located;
    struct store_object *open; // the object being read
    struct index_ref open_at;
    uint64_t body_bytes;
    uint64_t request; // that auth or the supervisor is working on
    struct signing who;
    uint8_t wanted_fingerprints[CONF_FINGERPRINTS_MAX][CONF_FINGERPRINT_BYTES]; // of the destination dialled
    size_t wanted_count;
    int dialled_fd; // waits for its gate to prove the destination; -1: none
    int dialled_shm_fd; // what that gate and the worker will share
    struct watch dialled_gate;
};

struct archive {
    const char *dir;
    struct conf conf;
    struct conf_peers peers;
    struct conf_collections collections;
    struct keyring *keyring;
    uint8_t tag_key[KEY_BYTES]; // of OBJECT's tag
    struct store *store;
    struct index *index;
    int epoll;
    struct watch supervisor, auth, sync_done;
    struct session *sessions, *ended;
    struct session *newest_ring, *oldest_ring;
    unsigned rings_mapped;
    struct pending *pending, **pending_end; // put since the last round began
    struct pending *syncing;                // belong to the round under way
    int sync_start_fd;                      // eventfd: wakes the sync thread
    struct job *jobs;
    bool index_dirty;
    int64_t index_commit_due_ms;
    uint64_t next_request;
    struct remembered *remembered;
    int64_t accounts_changed_ms;
    bool recheck_more; // of the stale ones, when auth has answered some
    struct ipc_auth_stored kept[KEPT_MAX]; // what auth has not been told yet, because it does not read
    size_t kept_count;
    uint64_t stored, identical, beside, refused, queries, retrieved;
    bool stopping, failed; // failed: ends with an error, to be started again
    bool index_damaged;    // to be removed before that
    uint8_t *buffer;       // IPC_MAX_BYTES: the message being handled
    struct buf scratch;    // for what is built and sent at once
    struct buf summary;    // likewise
};

// --- session.c
void session_new(struct archive *a, const struct ipc_session_new *m, int take_worker_fd, int take_gate_fd);
void session_end(struct archive *a, struct session *s, const char *why); // why: for the log, or NULL
void sessions_bury(struct archive *a);                                   // frees those that ended
void session_on_worker(struct archive *a, struct session *s);
void session_on_gate(struct archive *a, struct session *s);
void session_reply(struct archive *a, struct session *s, enum ipc_type type, const void *body, int fd);
void session_reply_fds(struct archive *a, struct session *s, enum ipc_type type, const void *body,
                       const int *fds, unsigned n);
void session_set_view(struct session *s, struct view *take_view);
struct session *session_by_request(struct archive *a, uint64_t request, uint32_t phase);
void session_log(struct archive *a, struct session *s, enum os_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// False: it is closed, because it cannot be watched.
bool watch_add(struct archive *a, struct watch *w, enum watch_kind kind, int take_fd, struct session *s);
void watch_close(struct archive *a, struct watch *w);

// --- ring.c
enum err ring_make(struct archive *a, struct session *s, struct fault *f);
uint8_t *ring_map(struct archive *a, struct session *s); // body area; the auxiliary area follows
void ring_close(struct archive *a, struct session *s);
bool ring_body_range(uint32_t offset, uint32_t length); // lies in the body area?

// --- handlers, one file a subject
struct policy policy_of(const struct archive *a);
void associate_on_request(struct archive *a, struct session *s, const struct ipc_associate *m);
void associate_on_auth(struct archive *a, const struct ipc_auth_result *m);
void associate_on_reload(struct archive *a); // rights that were taken away end at once
void associate_on_auth_gone(struct archive *a); // what it was asked stays unanswered: refused for now
void signing_on_identify(struct archive *a, struct session *s, const struct ipc_identify *m);
void signing_on_release(struct archive *a, struct session *s);
void signing_on_sign_in(struct archive *a, struct session *s, const struct ipc_sign_in *m);
void signing_on_sign_out(struct archive *a, struct session *s);
void signing_on_oidc_start(struct archive *a, struct session *s, const struct ipc_oidc_start *m);
void signing_on_oidc_finish(struct archive *a, struct session *s, const struct ipc_oidc_finish *m);
void signing_ask(struct archive *a, struct session *s, enum ask ask, enum ipc_type type, const void *body);
void signing_refuse(struct archive *a, struct session *s, enum ask ask, enum err e, const char *detail);
struct slice signing_source(const struct archive *a, const struct session *s, struct slice client);
bool signing_on_auth(struct archive *a, const struct ipc_msg *m); // false: no answer to a web session
void signing_on_auth_gone(struct archive *a);
void signing_forget(struct archive *a, struct slice user); // empty: everyone
void signing_recheck_more(struct archive *a); // of those that are stale, now that auth has answered
// A message has come: is whose request this is still good? The session may end by it.
void signing_on_message(struct archive *a, struct session *s, enum ipc_type type);
// Of the study with this UID (or none): does that belong to what was begun in time? False: the session has
// ended.
bool signing_may_retrieve(struct archive *a, struct session *s, struct slice study);
void account_on_list(struct archive *a, struct session *s, enum ipc_account_of what);
void account_on_end(struct archive *a, struct session *s, enum ipc_account_of what, struct slice id);
void account_on_token(struct archive *a, struct session *s, const struct ipc_token_create *m);
void account_on_prove(struct archive *a, struct session *s, const struct ipc_prove *m);
void account_on_password(struct archive *a, struct session *s, const struct ipc_password_change *m);
void account_on_totp(struct archive *a, struct session *s, enum ipc_totp_step step, struct slice code);
void account_on_store(struct archive *a, const struct ipc_auth_store *m);
void account_tell_auth(struct archive *a); // what it has not been told yet, now that it reads
void account_on_reload(struct archive *a);
void storing_on_body(struct archive *a, struct session *s, const struct ipc_store_body *m);
void storing_on_commit(struct archive *a, struct session *s, const struct ipc_store_commit *m);
void storing_on_abort(struct archive *a, struct session *s);
void storing_forget(struct archive *a, struct session *s); // the session ends
enum err conditions_take(struct archive *a, struct session *s, uint32_t bytes,
                         struct query_condition **ret_conditions, size_t *ret_count, struct fault *f);
void finding_on_query(struct archive *a, struct session *s, const struct ipc_query *m);
void finding_on_more(struct archive *a, struct session *s);
void finding_end(struct archive *a, struct session *s);
void retrieving_on_locate(struct archive *a, struct session *s, const struct ipc_locate *m);
void retrieving_on_next(struct archive *a, struct session *s, const struct ipc_object_next *m);
void retrieving_on_read(struct archive *a, struct session *s, const struct ipc_object_read *m);
void retrieving_end(struct archive *a, struct session *s);
void naming_start(struct archive *a); // at the start
void counting_on_count(struct archive *a, struct session *s, const struct ipc_count *m);
void deleting_on_delete(struct archive *a, struct session *s, const struct ipc_delete_objects *m);
enum err deleting_resume(struct archive *a, struct fault *f); // what a crash interrupted; at the start
void admin_on_admin(struct archive *a, struct session *s, const struct ipc_admin *m);
void channels_on_new(struct archive *a, struct session *s);
void dialling_on_request(struct archive *a, struct session *s, const struct ipc_dial_peer *m);
void dialling_on_dialed(struct archive *a, struct ipc_msg *m);
void dialling_on_proof(struct archive *a, struct session *s);
void dialling_end(struct archive *a, struct session *s);

// --- commit.c: group commit
enum err commit_init(struct archive *a, struct fault *f);
void commit_start(struct archive *a); // begins a sync round if something waits and none is under way
void commit_on_done(struct archive *a);
void commit_index(struct archive *a, bool now); // the index's transaction, on its timer
void commit_index_later(struct archive *a);     // it has changed: starts the timer
void commit_check_index(struct archive *a);     // an archive whose index has failed ends, to begin anew
void commit_stop(struct archive *a, const char *why); // likewise; nothing else is taken before
// Now, and so that a power loss does not take it. Not while a round is under way.
enum err commit_index_durably(struct archive *a, struct fault *f);
void commit_forget(struct archive *a, const struct session *s); // its answers are wanted no more
struct pending *commit_add(struct archive *a, struct session *s, const struct blob_ref *ref,
                           struct buf *take_meta);

// --- replay.c: from the store to the index
struct blob_ref blob_ref_of(const struct index_ref *r);
enum err replay_start(struct archive *a, struct fault *f);
struct meta;
enum err replay_check(const struct meta *m, struct fault *f); // would the index take it?
enum err replay_index_object(struct archive *a, const struct blob_ref *ref, struct slice meta,
                             enum stored *ret_outcome, struct fault *f);
int verify_main(const char *dir);
int reindex_main(const char *dir);

#endif
