// What each association does: store, get, move, find.
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

const char load_implicit_le[] = "1.2.840.10008.1.2", load_find_class[] = "1.2.840.10008.5.1.4.1.2.2.1";
static const char explicit_le[] = "1.2.840.10008.1.2.1";
static const char move_class[] = "1.2.840.10008.5.1.4.1.2.2.2";
static const char get_class[] = "1.2.840.10008.5.1.4.1.2.2.3";

bool assoc_open_to(struct assoc *a, const struct options *o, struct context *ctx, size_t n, struct tally *t) {
    a->conn = conn_dial(o->host, o->port, o->timeout_s);
    if (!a->conn || !assoc_open(a, o->calling, o->called, ctx, n)) {
        if (a->conn)
            fprintf(stderr, "bench-load: refused: %s\n", a->refusal);
        else
            perror("bench-load: connect");
        return false;
    }
    t->associations++;
    return true;
}

static uint8_t context_of(const struct pack *p, const char *sop_class) {
    size_t i = 0;
    while (strcmp(p->classes[i], sop_class) != 0)
        i++;
    return (uint8_t)(2 * i + 1);
}

bool store_part(const struct options *o, const struct pack *p, size_t from, size_t to, struct tally *t) {
    struct context ctx[LOAD_CONTEXTS_MAX] = {0};
    struct assoc a;
    struct message m;
    for (size_t i = 0; i < p->class_count; i++)
        ctx[i] = (struct context){.abstract = p->classes[i], .transfer = {explicit_le}};
    if (!assoc_open_to(&a, o, ctx, p->class_count, t))
        return false;
    for (size_t i = from; i < to && !time_is_up(o); i++) {
        const struct object *x = &p->v[i];
        uint8_t id = context_of(p, x->sop_class);
        bool answered =
            assoc_send(&a, id, C_STORE_RQ, x->sop_class, x->instance, NULL, x->data, x->bytes) &&
            assoc_receive(&a, &m) == RECEIVED_MESSAGE;
        if (!answered) {
            t->failed += to - i;
            return false;
        }
        if (m.status == 0) {
            t->objects++;
            t->bytes += x->bytes;
        } else {
            t->failed++;
        }
    }
    assoc_release(&a);
    conn_close(a.conn);
    return true;
}

void identifier_add(struct identifier *id, uint16_t group, uint16_t element, const char *value) {
    size_t n = strlen(value), padded = n + n % 2;
    uint8_t head[8] = {(uint8_t)group, (uint8_t)(group >> 8), (uint8_t)element, (uint8_t)(element >> 8),
                       (uint8_t)padded};
    memcpy(id->v + id->n, head, 8);
    memcpy(id->v + id->n + 8, value, n);
    if (n % 2)
        id->v[id->n + 8 + n] = group == 0x0020 ? '\0' : ' ';
    id->n += 8 + padded;
}

static struct identifier study_identifier(const struct object *x) {
    struct identifier id = {.n = 0};
    identifier_add(&id, 0x0008, 0x0052, "STUDY");
    identifier_add(&id, 0x0020, 0x000d, x->study);
    return id;
}

// Runs do(object) for the first object of every study (or series) between from and to.
typedef bool do_one(struct assoc *a, const struct options *o, const struct object *x, struct tally *t);

static bool each_group(struct assoc *a, const struct options *o, const struct pack *p, size_t from, size_t to,
                       bool series, do_one *what, struct tally *t) {
    const char *last = "";
    for (size_t i = from; i < to && !time_is_up(o); i++) {
        const char *uid = series ? p->v[i].series : p->v[i].study;
        if (strcmp(uid, last) == 0)
            continue;
        last = uid;
        if (!what(a, o, &p->v[i], t))
            return false;
    }
    assoc_release(a);
    conn_close(a->conn);
    return true;
}

static bool get_study(struct assoc *a, const struct options *o, const struct object *x, struct tally *t) {
    struct identifier id = study_identifier(x);
    struct message m;
    (void)o;
    if (!assoc_send(a, 1, C_GET_RQ, get_class, NULL, NULL, id.v, id.n))
        return false;
    for (;;) {
        if (assoc_receive(a, &m) != RECEIVED_MESSAGE)
            return false;
        if (m.command == C_STORE_RQ) {
            t->objects++;
            t->bytes += m.data_bytes;
            if (!assoc_respond(a, &m, 0))
                return false;
        } else if (m.status != 0xff00) {
            t->failed += m.status != 0;
            return true;
        }
    }
}

bool get_part(const struct options *o, const struct pack *p, size_t from, size_t to, struct tally *t) {
    struct context ctx[LOAD_CONTEXTS_MAX] = {{.abstract = get_class, .transfer = {load_implicit_le}}};
    struct assoc a;
    for (size_t i = 0; i < p->class_count; i++)
        ctx[i + 1] = (struct context){.abstract = p->classes[i], .transfer = {explicit_le}, .be_scp = true};
    return assoc_open_to(&a, o, ctx, p->class_count + 1, t) &&
           each_group(&a, o, p, from, to, false, get_study, t);
}

static bool move_study(struct assoc *a, const struct options *o, const struct object *x, struct tally *t) {
    struct identifier id = study_identifier(x);
    struct message m;
    if (!assoc_send(a, 1, C_MOVE_RQ, move_class, NULL, o->destination, id.v, id.n))
        return false;
    do
        if (assoc_receive(a, &m) != RECEIVED_MESSAGE)
            return false;
    while (m.status == 0xff00);
    if (m.status != 0)
        fprintf(stderr, "bench-load: C-MOVE ended with status %04x\n", m.status);
    t->failed += m.status != 0;
    return true;
}

bool move_part(const struct options *o, const struct pack *p, size_t from, size_t to, struct tally *t) {
    struct context ctx[] = {{.abstract = move_class, .transfer = {load_implicit_le}}};
    struct assoc a;
    return assoc_open_to(&a, o, ctx, 1, t) && each_group(&a, o, p, from, to, false, move_study, t);
}

static void receive_all(struct conn *c, struct tally *t) {
    struct assoc a = {.conn = c};
    struct message m;
    if (!assoc_answer(&a))
        return;
    for (;;) {
        enum received r = assoc_receive(&a, &m);
        uint8_t rp[10] = {6, 0, 0, 0, 0, 4};
        if (r == RECEIVED_RELEASE)
            conn_write(c, &(struct iovec){rp, sizeof rp}, 1);
        if (r != RECEIVED_MESSAGE)
            return;
        t->objects++;
        t->bytes += m.data_bytes;
        if (!assoc_respond(&a, &m, 0))
            return;
    }
}

void move_listen(int listener, struct tally *t) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            // The handshake too: a slow one must not hold up the others.
            struct conn *c = conn_take_over(fd);
            if (c)
                receive_all(c, t);
            conn_close(c);
            _exit(0);
        }
        close(fd);
    }
}

// The SOP Instance UID of an answer, which is Implicit VR Little Endian.
static void print_instance(const struct message *m) {
    for (size_t at = 0; at + 8 <= m->head_bytes;) {
        const uint8_t *p = m->head + at;
        size_t n = (size_t)p[4] | (size_t)p[5] << 8 | (size_t)p[6] << 16;
        if (n > m->head_bytes - at - 8)
            return;
        if (memcmp(p, "\x08\0\x18\0", 4) == 0)
            printf("%.*s\n", (int)(n && p[8 + n - 1] == '\0' ? n - 1 : n), (const char *)p + 8);
        at += 8 + n;
    }
}

static bool find_series(struct assoc *a, const struct options *o, const struct object *x, struct tally *t) {
    struct identifier id = {.n = 0};
    struct message m;
    (void)o;
    identifier_add(&id, 0x0008, 0x0018, "");
    identifier_add(&id, 0x0008, 0x0052, "IMAGE");
    identifier_add(&id, 0x0020, 0x000d, x->study);
    identifier_add(&id, 0x0020, 0x000e, x->series);
    if (!assoc_send(a, 1, C_FIND_RQ, load_find_class, NULL, NULL, id.v, id.n))
        return false;
    for (;;) {
        if (assoc_receive(a, &m) != RECEIVED_MESSAGE)
            return false;
        if ((m.status & 0xff00) != 0xff00) {
            t->failed += m.status != 0;
            return true;
        }
        t->objects++;
        print_instance(&m);
    }
}

bool find_part(const struct options *o, const struct pack *p, size_t from, size_t to, struct tally *t) {
    struct context ctx[] = {{.abstract = load_find_class, .transfer = {load_implicit_le}}};
    struct assoc a;
    bool ok = assoc_open_to(&a, o, ctx, 1, t) && each_group(&a, o, p, from, to, true, find_series, t);
    fflush(stdout);
    return ok;
}
