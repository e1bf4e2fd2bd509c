// PDUs (PS3.8 9.3) and DIMSE messages (PS3.7 6.3), as much of them as a load generator needs.
#include "load.h"

#include <stdio.h>
#include <string.h>

static const char app_context[] = "1.2.840.10008.3.1.1.1", our_class[] = "2.25.4711", our_version[] = "BENCH";

enum { OUT_BYTES = 16384 };

struct out {
    uint8_t v[OUT_BYTES];
    size_t n;
};

static void put(struct out *o, const void *p, size_t n) {
    if (n <= OUT_BYTES - o->n) {
        memcpy(o->v + o->n, p, n);
        o->n += n;
    }
}

static void put_be(struct out *o, uint32_t x, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
        put(o, &(uint8_t){(uint8_t)(x >> (8 * i))}, 1);
}

static void put_le(struct out *o, uint32_t x, int bytes) {
    for (int i = 0; i < bytes; i++)
        put(o, &(uint8_t){(uint8_t)(x >> (8 * i))}, 1);
}

static void patch_be(uint8_t *p, size_t x, int bytes) {
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(x >> (8 * (bytes - 1 - i)));
}

static uint32_t be(const uint8_t *p, int bytes) {
    uint32_t x = 0;
    for (int i = 0; i < bytes; i++)
        x = x << 8 | p[i];
    return x;
}

static uint32_t le(const uint8_t *p, int bytes) {
    uint32_t x = 0;
    for (int i = bytes - 1; i >= 0; i--)
        x = x << 8 | p[i];
    return x;
}

static void put_item(struct out *o, uint8_t type, const char *text) {
    put_be(o, (uint32_t)type << 8, 2);
    put_be(o, (uint32_t)strlen(text), 2);
    put(o, text, strlen(text));
}

static size_t begin_item(struct out *o, uint8_t type) {
    put_be(o, (uint32_t)type << 8, 2);
    put_be(o, 0, 2);
    return o->n;
}

static void end_item(struct out *o, size_t began) {
    patch_be(o->v + began - 2, o->n - began, 2);
}

static void put_head(struct out *o, uint8_t type, const char *called, const char *calling) {
    char titles[33];
    snprintf(titles, sizeof titles, "%-16.16s%-16.16s", called, calling);
    put_be(o, (uint32_t)type << 8, 2);
    put_be(o, 0, 4);
    put_be(o, 1, 2);
    put_be(o, 0, 2);
    put(o, titles, 32);
    put(o, (uint8_t[32]){0}, 32);
    put_item(o, 0x10, app_context);
}

static size_t begin_user(struct out *o) {
    size_t user = begin_item(o, 0x50);
    put_be(o, 0x5100, 2);
    put_be(o, 4, 2);
    put_be(o, LOAD_PDU_MAX, 4);
    put_item(o, 0x52, our_class);
    return user;
}

static bool send_out(struct conn *c, struct out *o) {
    patch_be(o->v + 2, o->n - 6, 4);
    return conn_write(c, &(struct iovec){o->v, o->n}, 1);
}

static void put_role(struct out *o, const char *abstract) {
    size_t item = begin_item(o, 0x54);
    put_be(o, (uint32_t)strlen(abstract), 2);
    put(o, abstract, strlen(abstract));
    put_be(o, 0x0001, 2); // not SCU, SCP
    end_item(o, item);
}

static void put_request(struct out *o, const struct context *ctx, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t item = begin_item(o, 0x20);
        put_be(o, (uint32_t)(2 * i + 1) << 24, 4);
        put_item(o, 0x30, ctx[i].abstract);
        for (int t = 0; t < 2 && ctx[i].transfer[t]; t++)
            put_item(o, 0x40, ctx[i].transfer[t]);
        end_item(o, item);
    }
    size_t user = begin_user(o);
    for (size_t i = 0; i < n; i++)
        if (ctx[i].be_scp)
            put_role(o, ctx[i].abstract);
    put_item(o, 0x55, our_version);
    end_item(o, user);
}

static void read_accept(struct assoc *a, const uint8_t *p, size_t n, struct context *ctx, size_t count) {
    for (size_t at = 68; at + 4 <= n; at += 4 + be(p + at + 2, 2)) {
        if (p[at] == 0x21 && at + 8 <= n && p[at + 4] / 2 < count)
            ctx[p[at + 4] / 2].accepted = p[at + 6] == 0;
        if (p[at] == 0x50 && at + 12 <= n && p[at + 4] == 0x51)
            a->send_pdu_bytes = be(p + at + 8, 4);
    }
    if (a->send_pdu_bytes == 0 || a->send_pdu_bytes > LOAD_PDU_MAX)
        a->send_pdu_bytes = LOAD_PDU_MAX;
}

static const uint8_t *read_pdu(struct assoc *a, uint8_t *ret_type, size_t *ret_bytes) {
    const uint8_t *p = conn_take(a->conn, 6);
    if (!p)
        return NULL;
    *ret_type = p[0];
    *ret_bytes = be(p + 2, 4);
    return conn_take(a->conn, *ret_bytes);
}

bool assoc_open(struct assoc *a, const char *calling, const char *called, struct context *ctx, size_t n) {
    struct out o;
    o.n = 0;
    uint8_t type;
    size_t bytes;
    put_head(&o, 1, called, calling);
    put_request(&o, ctx, n);
    a->next_id = 1;
    a->pdu_left = 0;
    a->send_pdu_bytes = 0;
    snprintf(a->refusal, sizeof a->refusal, "the connection ended");
    const uint8_t *p = send_out(a->conn, &o) ? read_pdu(a, &type, &bytes) : NULL;
    if (p && type == 3 && bytes >= 4)
        snprintf(a->refusal, sizeof a->refusal, "A-ASSOCIATE-RJ %u/%u/%u", p[1], p[2], p[3]);
    if (p && type == 7 && bytes >= 4)
        snprintf(a->refusal, sizeof a->refusal, "A-ABORT %u/%u", p[2], p[3]);
    if (!p || type != 2)
        return false;
    read_accept(a, p, bytes, ctx, n);
    return true;
}

// Explicit VR Little Endian where it is proposed: nothing has to be converted.
static void answer_context(struct out *o, const uint8_t *p, size_t n) {
    char chosen[LOAD_UID_MAX + 1] = "";
    for (size_t at = 4; at + 4 <= n; at += 4 + be(p + at + 2, 2)) {
        size_t k = be(p + at + 2, 2);
        bool wanted = k == 19 && memcmp(p + at + 4, "1.2.840.10008.1.2.1", 19) == 0;
        if (p[at] == 0x40 && k <= LOAD_UID_MAX && at + 4 + k <= n && (wanted || !chosen[0]))
            snprintf(chosen, sizeof chosen, "%.*s", (int)k, (const char *)p + at + 4);
    }
    size_t item = begin_item(o, 0x21);
    put_be(o, (uint32_t)p[0] << 24, 4);
    put_item(o, 0x40, chosen);
    end_item(o, item);
}

bool assoc_answer(struct assoc *a) {
    struct out o;
    o.n = 0;
    uint8_t type;
    size_t n;
    a->next_id = 1;
    a->pdu_left = 0;
    a->send_pdu_bytes = LOAD_PDU_MAX; // only responses are sent
    const uint8_t *p = read_pdu(a, &type, &n);
    if (!p || type != 1 || n < 68)
        return false;
    put_head(&o, 2, "", "");
    memcpy(o.v + 10, p + 4, 32);
    for (size_t at = 68; at + 4 <= n; at += 4 + be(p + at + 2, 2))
        if (p[at] == 0x20 && at + 4 + be(p + at + 2, 2) <= n)
            answer_context(&o, p + at + 4, be(p + at + 2, 2));
    size_t user = begin_user(&o);
    put_item(&o, 0x55, our_version);
    end_item(&o, user);
    return send_out(a->conn, &o);
}

void assoc_release(struct assoc *a) {
    uint8_t rq[10] = {5, 0, 0, 0, 0, 4}, type;
    size_t n;
    if (conn_write(a->conn, &(struct iovec){rq, sizeof rq}, 1))
        read_pdu(a, &type, &n);
}

static void put_uid(struct out *o, uint16_t element, const char *uid) {
    size_t n = strlen(uid);
    put_le(o, (uint32_t)element << 16, 4);
    put_le(o, (uint32_t)(n + n % 2), 4);
    put(o, uid, n);
    put(o, "", n % 2);
}

static void put_us(struct out *o, uint16_t element, uint16_t value) {
    put_le(o, (uint32_t)element << 16, 4);
    put_le(o, 2, 4);
    put_le(o, value, 2);
}

static size_t begin_command(struct out *o) {
    o->n = 0;
    put(o, "\4\0\0\0\0\0\0\0\0\0\0\3", 12); // P-DATA, one PDV, a command and its end
    put_le(o, 0, 4);
    put_le(o, 4, 4);
    put_le(o, 0, 4);
    return o->n;
}

static void end_command(struct out *o, size_t began, uint8_t context) {
    size_t n = o->n - began;
    for (int i = 0; i < 4; i++)
        o->v[began - 4 + (size_t)i] = (uint8_t)(n >> (8 * i));
    patch_be(o->v + 2, o->n - 6, 4);
    patch_be(o->v + 6, o->n - 10, 4);
    o->v[10] = context;
}

enum { PIECES = 256 }; // sent with one write

static bool send_pieces(struct assoc *a, struct iovec *first, uint8_t context, const uint8_t *data,
                        size_t n) {
    uint8_t heads[PIECES][12];
    struct iovec iov[2 * PIECES + 1];
    size_t count = 0, room = a->send_pdu_bytes - 6;
    iov[count++] = *first;
    for (size_t at = 0, piece = 0; at < n; at += room) {
        size_t k = n - at < room ? n - at : room;
        uint8_t *h = heads[piece++];
        h[0] = 4, h[1] = 0;
        patch_be(h + 2, k + 6, 4);
        patch_be(h + 6, k + 2, 4);
        h[10] = context, h[11] = at + k == n ? 2 : 0;
        iov[count++] = (struct iovec){h, 12};
        iov[count++] = (struct iovec){(void *)(uintptr_t)(data + at), k};
        if (piece == PIECES) {
            if (!conn_write(a->conn, iov, count))
                return false;
            count = piece = 0;
        }
    }
    return count == 0 || conn_write(a->conn, iov, count);
}

bool assoc_send(struct assoc *a, uint8_t context, uint16_t command, const char *sop_class,
                const char *sop_instance, const char *destination, const uint8_t *data, size_t n) {
    struct out o;
    size_t began = begin_command(&o);
    put_uid(&o, 0x0002, sop_class);
    put_us(&o, 0x0100, command);
    put_us(&o, 0x0110, a->next_id++);
    if (destination)
        put_uid(&o, 0x0600, destination); // an AE is padded with a blank, but NUL does for all
    if (command != C_ECHO_RQ)
        put_us(&o, 0x0700, 0);
    put_us(&o, 0x0800, data ? 1 : 0x0101);
    if (sop_instance)
        put_uid(&o, 0x1000, sop_instance);
    end_command(&o, began, context);
    return send_pieces(a, &(struct iovec){o.v, o.n}, context, data, data ? n : 0);
}

bool assoc_respond(struct assoc *a, const struct message *request, uint16_t status) {
    struct out o;
    size_t began = begin_command(&o);
    put_uid(&o, 0x0002, request->sop_class);
    put_us(&o, 0x0100, request->command | RESPONSE);
    put_us(&o, 0x0120, request->id);
    put_us(&o, 0x0800, 0x0101);
    put_us(&o, 0x0900, status);
    put_uid(&o, 0x1000, request->sop_instance);
    end_command(&o, began, request->context);
    return conn_write(a->conn, &(struct iovec){o.v, o.n}, 1);
}

static void take_uid(char *to, const uint8_t *p, size_t n) {
    n = n > LOAD_UID_MAX ? LOAD_UID_MAX : n;
    memcpy(to, p, n);
    to[n] = '\0';
}

static void read_command(struct message *m, const uint8_t *p, size_t n) {
    for (size_t at = 0; at + 8 <= n; at += 8 + le(p + at + 4, 4)) {
        size_t k = le(p + at + 4, 4);
        const uint8_t *v = p + at + 8;
        if (k > n - at - 8)
            return;
        switch (le(p + at + 2, 2)) {
        case 0x0002: take_uid(m->sop_class, v, k); break;
        case 0x0100: m->command = (uint16_t)le(v, 2); break;
        case 0x0110:
        case 0x0120: m->id = (uint16_t)le(v, 2); break;
        case 0x0800: m->has_data = le(v, 2) != 0x0101; break;
        case 0x0900: m->status = (uint16_t)le(v, 2); break;
        case 0x1000: take_uid(m->sop_instance, v, k); break;
        default: break;
        }
    }
}

// Takes one PDV. True when a message is complete.
static bool take_pdv(struct message *m, uint8_t *cmd, size_t *cmd_bytes, const uint8_t *p, size_t n) {
    m->context = p[0];
    bool last = p[1] & 2, is_command = p[1] & 1;
    p += 2, n -= 2;
    if (!is_command) {
        size_t room = sizeof m->head - m->head_bytes, k = n < room ? n : room;
        memcpy(m->head + m->head_bytes, p, k);
        m->head_bytes += k;
        m->data_bytes += n;
        return last;
    }
    size_t k = n < 2048 - *cmd_bytes ? n : 2048 - *cmd_bytes;
    memcpy(cmd + *cmd_bytes, p, k);
    *cmd_bytes += k;
    if (last)
        read_command(m, cmd, *cmd_bytes);
    return last && !m->has_data;
}

enum received assoc_receive(struct assoc *a, struct message *m) {
    uint8_t cmd[2048];
    size_t cmd_bytes = 0;
    m->sop_class[0] = m->sop_instance[0] = '\0';
    m->data_bytes = m->head_bytes = 0;
    m->has_data = false, m->status = 0;
    for (;;) {
        const uint8_t *p;
        if (a->pdu_left == 0) {
            p = conn_take(a->conn, 6);
            if (!p)
                return RECEIVED_NOTHING;
            size_t n = be(p + 2, 4);
            if (p[0] == 5)
                return conn_take(a->conn, n) ? RECEIVED_RELEASE : RECEIVED_NOTHING;
            if (p[0] != 4)
                return RECEIVED_NOTHING;
            a->pdu_left = n;
        }
        p = conn_take(a->conn, 4);
        size_t n = p ? be(p, 4) : 0;
        if (n < 2 || n + 4 > a->pdu_left || !(p = conn_take(a->conn, n)))
            return RECEIVED_NOTHING;
        a->pdu_left -= n + 4;
        if (take_pdv(m, cmd, &cmd_bytes, p, n))
            return RECEIVED_MESSAGE;
    }
}
