#include "subops.h"

#include <stdio.h>
#include <stdlib.h>

#include "dicom/recode.h"
#include "dicom/writer.h"
#include "os/clock.h"
#include "std/tag.h"
#include "std/uid.h"

enum { PENDING_MAX_BYTES = 16 * 1024 }; // of answers that wait for company

struct object { // as the archive described it, copied out of the message
    bool done;
    enum err error;
    uint64_t length;
    uint32_t read_bytes; // of it, at the beginning of the body area
    char sop_class[UID_MAX + 1], sop_instance[UID_MAX + 1], transfer[UID_MAX + 1];
};

// It comes with as much of its body as there is room for.
static void ask_next(struct subops *s) {
    channel_tell(&s->w->archive, IPC_OBJECT_NEXT,
                 &(struct ipc_object_next){.max = channel_turn_bytes(&s->w->archive)});
    s->asked = true;
}

static struct object next_object(struct subops *s) {
    if (!s->asked)
        ask_next(s);
    struct ipc_msg m = channel_receive(&s->w->archive, IPC_OBJECT);
    s->asked = false;
    struct object o = {.done = m.u.object.done,
                       .error = (enum err)m.u.object.error,
                       .length = m.u.object.length,
                       .read_bytes = m.u.object.read_bytes};
    if (o.read_bytes > channel_turn_bytes(&s->w->archive) || o.read_bytes > o.length)
        o.error = ERR_CORRUPT;
    (void)slice_to_cstr(m.u.object.sop_class, o.sop_class, sizeof o.sop_class);
    (void)slice_to_cstr(m.u.object.sop_instance, o.sop_instance, sizeof o.sop_instance);
    (void)slice_to_cstr(m.u.object.transfer_syntax, o.transfer, sizeof o.transfer);
    return o;
}

static bool can_recode(const char *from, const char *to) {
    return dicom_recode_possible(std_ts_find(slice_str(from)), std_ts_find(slice_str(to)));
}

// The context with the object's own transfer syntax, else one it can be re-encoded to without
// touching a pixel.
static const struct ul_agreed *find_context(const struct subops *s, const struct object *o) {
    const struct ul_assoc *a = s->to->assoc;
    const struct ul_agreed *best = NULL; // Explicit VR keeps the VRs of private elements
    for (const struct ul_agreed *c = ul_assoc_context_after(a, 0); c; c = ul_assoc_context_after(a, c->id)) {
        if (!c->we_are_scu || strcmp(c->abstract, o->sop_class) != 0)
            continue;
        if (strcmp(c->transfer, o->transfer) == 0)
            return c;
        bool better = !best || strcmp(c->transfer, UID_ExplicitVRLittleEndian) == 0;
        if (better && can_recode(o->transfer, c->transfer))
            best = c;
    }
    return best;
}

static bool send_request(struct subops *s, const struct object *o, const struct ul_agreed *c,
                         uint16_t message_id) {
    struct dimse_command rq = {.field = DIMSE_C_STORE_RQ,
                               .message_id = message_id,
                               .priority = s->rq->command->priority,
                               .data_set_type = DIMSE_DATA_SET,
                               .has = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_PRIORITY};
    dimse_command_set_uid(&rq, DIMSE_HAS_AFFECTED_CLASS, slice_str(o->sop_class));
    dimse_command_set_uid(&rq, DIMSE_HAS_AFFECTED_INSTANCE, slice_str(o->sop_instance));
    if (s->originator) {
        rq.has |= DIMSE_HAS_ORIGINATOR_AE | DIMSE_HAS_ORIGINATOR_ID;
        snprintf(rq.originator_ae, sizeof rq.originator_ae, "%s", s->originator);
        rq.originator_id = s->rq->command->message_id;
    }
    struct fault f = {0};
    return ul_assoc_send_command(s->to->assoc, c->id, &rq, &f) == OK;
}

struct sender {
    struct subops *s;
    uint8_t context;
    struct dicom_recoder *recoder; // NULL: the bytes go out as they came in
    struct buf out;
};

static enum err send_part(struct sender *t, struct slice part, bool last, struct fault *f) {
    if (!t->recoder)
        return link_send_piece(t->s->to, t->context, part, last) ? OK : ERR_PEER_GONE;
    buf_reset(&t->out);
    enum err e = dicom_recoder_feed(t->recoder, part, &t->out, f);
    if (e == OK && last)
        e = dicom_recoder_finish(t->recoder, &t->out, f);
    if (e == OK && (t->out.n > 0 || last) && !link_send_piece(t->s->to, t->context, buf_slice(&t->out), last))
        e = ERR_PEER_GONE;
    return e;
}

static void ask_for(struct worker *w, uint64_t offset, uint32_t half) {
    uint32_t bytes = channel_turn_bytes(&w->archive);
    channel_tell(&w->archive, IPC_OBJECT_READ,
                 &(struct ipc_object_read){.offset = offset, .ring_offset = half * bytes, .max = bytes});
}

static struct ipc_object_data await_data(struct worker *w) {
    return channel_receive(&w->archive, IPC_OBJECT_DATA).u.object_data;
}

// The body comes in halves of the ring: while one goes out, the archive opens the next. The first came with
// the object. As soon as the last is out, the next object is asked for: it comes while the receiver works.
static enum err send_body(struct sender *t, const struct object *o, struct fault *f) {
    struct worker *w = t->s->w;
    struct ipc_object_data d = {.length = o->read_bytes, .last = o->read_bytes == o->length};
    enum err e = OK;
    uint64_t offset = 0;
    for (uint32_t half = 0;; half ^= 1) {
        if (d.error != OK)
            return fault_set(f, (enum err)d.error, "the store could not read it to its end");
        bool fits = d.ring_offset <= w->archive.ring_body && d.length <= w->archive.ring_body - d.ring_offset;
        offset += d.length;
        if (!d.last)
            ask_for(w, offset, half ^ 1);
        if (e == OK && fits)
            e = send_part(t, slice_of(w->archive.ring.p + d.ring_offset, d.length), d.last, f);
        if (d.last)
            break;
        d = await_data(w);
    }
    if (e == OK && t->s->remaining > 1)
        ask_next(t->s);
    return e;
}

// The C-STORE response, by way of whatever else arrives: on C-GET's own association a C-CANCEL may.
static enum err await_response(struct subops *s, uint16_t message_id, uint16_t *ret_status) {
    struct ul_assoc_event ev = {.kind = UL_EV_NONE};
    while (link_next(s->to, &ev)) {
        if (ev.kind == UL_EV_COMMAND && ev.command->field == DIMSE_C_STORE_RSP &&
            ev.command->responded_to == message_id) {
            *ret_status = ev.command->status;
            return OK;
        }
        if (ev.kind == UL_EV_COMMAND && ev.command->field == DIMSE_C_CANCEL_RQ)
            s->cancelled = s->cancelled || ev.command->responded_to == s->rq->command->message_id;
        else if (ev.kind != UL_EV_DATA)
            break;
    }
    if (ev.kind == UL_EV_COMMAND) { // its sender would wait for an answer to it for ever
        ul_assoc_abort(s->to->assoc, ERR_PROTOCOL, "a request instead of a C-STORE response", os_clock_ms());
        (void)link_flush(s->to);
    }
    return ERR_PEER_GONE;
}

static enum err send_with(struct subops *s, const struct object *o, const struct ul_agreed *c,
                          uint16_t *ret_status, struct fault *f) {
    uint16_t message_id = ++s->next_message_id;
    struct sender t = {.s = s, .context = c->id, .out = BUF_INIT(8 * 1024 * 1024)};
    if (strcmp(c->transfer, o->transfer) != 0) {
        t.recoder =
            dicom_recoder_new(std_ts_find(slice_str(o->transfer)), std_ts_find(slice_str(c->transfer)));
        if (!t.recoder)
            return fault_set(f, ERR_NO_MEMORY, "re-encoding");
    }
    enum err e = send_request(s, o, c, message_id) ? send_body(&t, o, f) : ERR_PEER_GONE;
    dicom_recoder_free(t.recoder);
    buf_fini(&t.out);
    if (e == OK)
        e = await_response(s, message_id, ret_status);
    else if (e != ERR_PEER_GONE) { // a data set that was begun can only be broken off with the association
        ul_assoc_abort(s->to->assoc, e, "an object could not be sent to its end", os_clock_ms());
        (void)link_flush(s->to);
    }
    if (e != OK)
        s->broken = true;
    return e;
}

static void count_failure(struct subops *s, const struct object *o, const char *why) {
    s->failed++;
    if (!s->failure)
        s->failure = why;
    if (s->failed_uids.n > 0)
        buf_u8(&s->failed_uids, '\\');
    buf_append_str(&s->failed_uids, o->sop_instance);
}

static void send_object(struct subops *s, const struct object *o) {
    uint16_t status = 0;
    struct fault f = {0};
    const struct ul_agreed *c = s->broken ? NULL : find_context(s, o);
    if (o->error != OK)
        count_failure(s, o, "an object could not be read from the store");
    else if (s->broken)
        count_failure(s, o, "the receiver's association is gone");
    else if (!c)
        count_failure(
            s, o, "the receiver takes no presentation context for an object's SOP class and transfer syntax");
    else if (send_with(s, o, c, &status, &f) != OK)
        count_failure(s, o,
                      s->broken ? "the receiver's association broke"
                                : "an object could not be read from the store");
    else if (status == DIMSE_SUCCESS)
        s->completed++;
    else if ((status & 0xF000) == 0xB000)
        s->warning++;
    else
        count_failure(s, o, "the receiver refused an object");
    s->remaining--;
    s->w->retrieved += c != NULL;
}

static uint16_t clamp(uint32_t n) {
    return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static struct dimse_command answer_of(const struct subops *s, uint16_t status) {
    struct dimse_command rsp = dimse_response(s->rq->command, status);
    rsp.has |= DIMSE_HAS_COMPLETED | DIMSE_HAS_FAILED | DIMSE_HAS_WARNING;
    rsp.completed = clamp(s->completed);
    rsp.failed = clamp(s->failed);
    rsp.warning = clamp(s->warning);
    if (status == DIMSE_PENDING || status == DIMSE_CANCEL) {
        rsp.has |= DIMSE_HAS_REMAINING;
        rsp.remaining = clamp(s->remaining);
    }
    return rsp;
}

static bool client_gone(const struct subops *s) {
    return s->w->client.gone || ul_assoc_closed(s->w->client.assoc);
}

// On C-GET's own association the answer may wait for the next request, and leave with it in one write. Where
// one object after the other fails there is no next request, and they must not pile up.
static void send_pending(struct subops *s) {
    struct dimse_command pending = answer_of(s, DIMSE_PENDING);
    if (s->to == &s->w->client && ul_assoc_output(s->to->assoc).n < PENDING_MAX_BYTES)
        (void)ul_assoc_send_command(s->to->assoc, s->rq->context, &pending, NULL);
    else
        (void)reply(s->w, s->rq->context, &pending);
}

void subops_run(struct subops *s) {
    while (s->remaining > 0 && !client_gone(s)) {
        if (s->cancelled || cancelled(s->w, s->rq->command->message_id)) {
            s->cancelled = true;
            return;
        }
        struct object o = next_object(s);
        if (o.done)
            break;
        send_object(s, &o);
        if (s->remaining > 0 && !client_gone(s)) {
            send_pending(s);
        }
    }
    s->remaining = 0;
}

// C.4.2.1.5, C.4.3.1.4: all failed A702, some B000, none 0000.
static uint16_t final_status(const struct subops *s) {
    if (s->cancelled)
        return DIMSE_CANCEL;
    if (s->failed == 0 && s->warning == 0)
        return DIMSE_SUCCESS;
    return s->completed + s->warning == 0 ? DIMSE_OUT_OF_RESOURCES_SUBOPS : DIMSE_WARNING_SUBOPS;
}

// A UI value has at most 65534 bytes: the first UIDs that fit, whole.
static void trim_list(struct buf *uids) {
    if (uids->n <= 65534)
        return;
    uids->n = 65534;
    while (uids->p[uids->n] != '\\')
        uids->n--;
}

void subops_finish(struct subops *s) {
    if (client_gone(s))
        return;
    struct ul_assoc *assoc = s->w->client.assoc;
    struct dimse_command rsp = answer_of(s, final_status(s));
    const struct ul_agreed *agreed = ul_assoc_context(assoc, s->rq->context);
    const struct std_ts *ts = std_ts_find(slice_str(agreed->transfer));
    struct buf list = BUF_INIT(4 * 1024 * 1024);
    struct fault f = {0};
    struct dicom_reader_options o;
    if (s->failed_uids.n > 0 && buf_ok(&s->failed_uids) && ts && dicom_reader_options_for(ts, &o)) {
        trim_list(&s->failed_uids);
        dicom_write_element(&list, o.syntax, TAG_FailedSOPInstanceUIDList, VR_UI, buf_slice(&s->failed_uids));
        rsp.data_set_type = DIMSE_DATA_SET;
    }
    if (s->failed > 0)
        worker_log(s->w, OS_LOG_WARN, "%u of %u objects did not reach the receiver: %s", s->failed,
                   s->failed + s->completed + s->warning, s->failure);
    if (ul_assoc_send_command(assoc, s->rq->context, &rsp, &f) == OK && list.n > 0)
        (void)ul_assoc_send_data(assoc, s->rq->context, buf_slice(&list), true, &f);
    (void)link_flush(&s->w->client);
    buf_fini(&list);
}

void subops_free(struct subops *s) {
    if (s->asked)
        (void)channel_receive(&s->w->archive, IPC_OBJECT);
    s->asked = false;
    buf_fini(&s->failed_uids);
}
