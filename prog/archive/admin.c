// What administrators are told: how the archive is, who may come, what came in. Lines of fields with tabs
// between them; never a hash, a key or anything of a patient.
//
//   0 status   name, value
//   1 peers    name, AE title, rights, lanes, address of C-MOVE, collections
//   2 users    name, roles, collections, physician (for referrers), 1 with a second factor
//   3 today    beginning of the hour (seconds since 1970), peer, modality, studies, instances; the last 24
//   hours
#include "archive.h"

#include "os/clock.h"

enum { TEXT_MAX = 57344, LINE_MAX_BYTES = 2048, HOURS = 24, HOUR_S = 3600 };
enum { WHAT_STATUS, WHAT_PEERS, WHAT_USERS, WHAT_TODAY };

// Lines before `from` are left out, and those that find no room.
struct lines {
    struct buf *text;
    uint32_t from, at;
    bool full;
};

static void put_line(struct lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put_line(struct lines *l, const char *fmt, ...) {
    char line[LINE_MAX_BYTES];
    va_list ap;
    if (l->at++ < l->from || l->full)
        return;
    va_start(ap, fmt);
    struct slice text = slice_vformat(line, sizeof line, fmt, ap);
    va_end(ap);
    l->full = l->text->n + text.n + 1 > TEXT_MAX;
    if (l->full)
        return;
    buf_append_slice(l->text, text);
    buf_u8(l->text, '\n');
}

// --- Status -------------------------------------------------------------------------------------

static uint64_t connections(const struct archive *a) { // a web connection has several channels
    uint64_t n = 0;
    for (const struct session *s = a->sessions; s; s = s->next) {
        bool counted = false;
        for (const struct session *before = a->sessions; before != s && !counted; before = before->next)
            counted = before->id == s->id;
        n += !counted;
    }
    return n;
}

static void put_status(struct archive *a, struct lines *l) {
    struct store_info store = {0};
    struct index_info index = {0};
    (void)store_status(a->store, NULL, &store);
    (void)index_status(a->index, NULL, &index);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"patients", index.patients},        {"studies", index.studies},
        {"series", index.series},            {"instances", index.instances},
        {"store_bytes", store.used_bytes},   {"dead_bytes", store.dead_bytes},
        {"free_bytes", store.free_bytes},    {"reserve_bytes", store.reserve_bytes},
        {"full", store.full},                {"failed_syncs", store.failed_syncs},
        {"connections", connections(a)},     {"stored", a->stored},
        {"identical", a->identical},         {"beside", a->beside},
        {"refused", a->refused},             {"queries", a->queries},
        {"retrieved", a->retrieved},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        put_line(l, "%s\t%llu", rows[i].name, (unsigned long long)rows[i].value);
}

// --- Peers and users ----------------------------------------------------------------------------

static void put_peers(struct archive *a, struct lines *l) {
    for (size_t i = 0; i < a->peers.n; i++) {
        const struct conf_peer *p = &a->peers.v[i];
        char can[32], address[CONF_ADDR_TEXT_MAX] = "";
        conf_rights_format(p->fingerprint_count ? p->can : p->plain_can, can);
        if (conf_addr_is_set(&p->address))
            conf_addr_format(&p->address, address);
        put_line(l, "%s\t%s\t%s\t%s%s%s\t%s\t%s", p->name, p->ae_title, can,
                 p->fingerprint_count ? "tls" : "", p->fingerprint_count && p->plain_count ? "," : "",
                 p->plain_count ? "plain" : "", address, p->collections);
    }
}

static enum err put_users(struct archive *a, struct lines *l, struct fault *f) {
    struct conf_users all;
    enum err e = conf_users_load(a->dir, &all, f);
    if (e != OK)
        return e;
    for (size_t i = 0; i < all.n; i++) {
        char roles[96];
        conf_roles_format(all.v[i].roles, roles);
        put_line(l, "%s\t%s\t%s\t%s\t%d", all.v[i].name, roles, all.v[i].collections, all.v[i].physician,
                 all.v[i].totp[0] != '\0');
    }
    explicit_bzero(all.v, all.n * sizeof *all.v);
    conf_users_fini(&all);
    return OK;
}

// --- Today --------------------------------------------------------------------------------------

// A value from an image may have anything in it.
static void put_field(struct slice s, char *dst, size_t cap) {
    size_t n = s.n < cap ? s.n : cap - 1;
    for (size_t i = 0; i < n; i++)
        dst[i] = s.p[i] < 0x20 || s.p[i] == 0x7f ? ' ' : (char)s.p[i];
    dst[n] = '\0';
}

static enum err put_arrival(void *arg, const struct index_arrival *arrival) {
    char peer[INDEX_PEER_MAX + 1], modality[INDEX_MODALITY_MAX + 1];
    put_field(arrival->peer, peer, sizeof peer);
    put_field(arrival->modality, modality, sizeof modality);
    put_line(arg, "%llu\t%s\t%s\t%llu\t%llu", (unsigned long long)arrival->hour * HOUR_S, peer, modality,
             (unsigned long long)arrival->studies, (unsigned long long)arrival->instances);
    return OK;
}

static enum err put_today(struct archive *a, struct lines *l, struct fault *f) {
    uint64_t hour = (uint64_t)os_clock_wall_ms() / 1000 / HOUR_S;
    return index_each_arrival(a->index, hour - (HOURS - 1), put_arrival, l, f);
}

// --- All ----------------------------------------------------------------------------------------

static enum err put(struct archive *a, uint8_t what, struct lines *l, struct fault *f) {
    switch (what) {
    case WHAT_STATUS:
        put_status(a, l);
        return OK;
    case WHAT_PEERS:
        put_peers(a, l);
        return OK;
    case WHAT_USERS:
        return put_users(a, l, f);
    case WHAT_TODAY:
        return put_today(a, l, f);
    default:
        return fault_set(f, ERR_UNSUPPORTED, "no such lines");
    }
}

void admin_on_admin(struct archive *a, struct session *s, const struct ipc_admin *m) {
    struct fault f = {0};
    struct lines lines = {.text = &a->scratch, .from = m->from};
    struct ipc_lines answer = {.done = 1};
    buf_reset(&a->scratch);
    enum err e = s->rights & IPC_RIGHT_ADMIN ? put(a, m->what, &lines, &f)
                                             : fault_set(&f, ERR_DENIED, "for administrators only");
    if (e == OK) {
        answer.done = !lines.full;
        answer.text = buf_slice(&a->scratch);
    } else if (e != ERR_DENIED) {
        session_log(a, s, OS_LOG_ERROR, "an administrator's question: %s: %s", err_text(e), f.detail);
    }
    answer.error = (uint16_t)e;
    session_reply(a, s, IPC_LINES, &answer, -1);
}
