#include "ul/assoc_int.h"

#include <stdlib.h>

static struct ul_assoc *assoc_new(const struct ul_timers *timers, int64_t now_ms) {
    struct ul_assoc *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->state = STA_1;
    a->timers = *timers;
    a->now_ms = a->born_ms = a->idle_from_ms = now_ms;
    a->body = BUF_INIT(UL_ASSOCIATE_BYTES_MAX);
    a->command_raw = BUF_INIT(DIMSE_COMMAND_BYTES_MAX);
    a->out = BUF_INIT(OUTPUT_BYTES_MAX);
    a->rq_bytes = BUF_INIT(UL_ASSOCIATE_BYTES_MAX + UL_PDU_HEADER_BYTES);
    a->ac_bytes = BUF_INIT(UL_ASSOCIATE_BYTES_MAX + UL_PDU_HEADER_BYTES);
    a->arena = ARENA_INIT(2 * UL_ARENA_BYTES_MAX);
    return a;
}

struct ul_assoc *ul_assoc_new_acceptor(const struct ul_timers *timers, int64_t now_ms) {
    struct ul_assoc *a = assoc_new(timers, now_ms);
    if (!a)
        return NULL;
    a->acceptor = true;
    ul_assoc_step(a, EVT_5);
    return a;
}

// Decodes what we encoded ourselves: a deep copy whose life is the association's.
static enum err keep(struct ul_assoc *a, enum ul_pdu_type type, const struct ul_associate *from,
                     struct buf *bytes, struct ul_associate *ret_copy, struct fault *f) {
    enum err e = ul_associate_encode(type, from, bytes, f);
    if (e != OK)
        return e;
    struct slice body = slice_sub(buf_slice(bytes), UL_PDU_HEADER_BYTES, bytes->n);
    return ul_associate_decode(type, body, &a->arena, ret_copy, f);
}

struct ul_assoc *ul_assoc_new_requestor(const struct ul_timers *timers, const struct ul_associate *rq,
                                        int64_t now_ms, struct fault *f) {
    struct ul_assoc *a = assoc_new(timers, now_ms);
    if (!a) {
        fault_set(f, ERR_NO_MEMORY, "an association");
        return NULL;
    }
    if (keep(a, UL_PDU_ASSOCIATE_RQ, rq, &a->rq_bytes, &a->rq, f) != OK) {
        ul_assoc_free(a);
        return NULL;
    }
    a->has_rq = true;
    ul_assoc_step(a, EVT_1);
    ul_assoc_step(a, EVT_2);
    return a;
}

void ul_assoc_free(struct ul_assoc *a) {
    if (!a)
        return;
    buf_fini(&a->body);
    buf_fini(&a->command_raw);
    buf_fini(&a->out);
    // The request may hold a pass code.
    if (a->rq_bytes.p)
        explicit_bzero(a->rq_bytes.p, a->rq_bytes.n);
    buf_fini(&a->rq_bytes);
    buf_fini(&a->ac_bytes);
    arena_fini(&a->arena);
    free(a);
}

// --- events out

void ul_assoc_event_put(struct ul_assoc *a, struct ul_assoc_event ev) {
    bug_unless(a->event_count < EVENT_SLOTS);
    a->events[(a->event_first + a->event_count++) % EVENT_SLOTS] = ev;
}

static void end_event(struct ul_assoc *a, enum ul_event_kind kind, bool ours) {
    ul_assoc_event_put(a, (struct ul_assoc_event){.kind = kind, .ours = ours, .refusal = a->refusal,
                                                  .fault = a->fault.code ? &a->fault : NULL});
}

bool ul_assoc_next(struct ul_assoc *a, struct ul_assoc_event *ret_event) {
    if (a->event_count == 0)
        ul_assoc_input(a);
    if (a->event_count == 0)
        return false;
    *ret_event = a->events[a->event_first];
    a->event_first = (a->event_first + 1) % EVENT_SLOTS;
    a->event_count--;
    return true;
}

// --- the actions of PS3.8 Tables 9-6 to 9-9

static void artim_start(struct ul_assoc *a) {
    a->artim_at_ms = a->timers.artim_ms ? a->now_ms + a->timers.artim_ms : 0;
}

static void artim_stop(struct ul_assoc *a) {
    a->artim_at_ms = 0;
}

static void send_abort(struct ul_assoc *a, uint8_t source, uint8_t reason) {
    a->refusal = (struct ul_refusal){.source = source, .reason = reason};
    // A peer that goes on talking nonsense after the end is not worth a third answer.
    if (a->aborts_sent++ < 2)
        ul_abort_encode(a->refusal, &a->out);
    else
        a->aborts_sent = 2;
    artim_start(a);
}

static void act_associate(struct ul_assoc *a, enum ul_action action) {
    switch ((int)action) {
    case AE_1: // the transport is open already: the caller dialled
        break;
    case AE_2:
        buf_append_slice(&a->out, buf_slice(&a->rq_bytes));
        artim_start(a); // not in the standard, which waits for ever
        break;
    case AE_3:
        artim_stop(a);
        ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_ASSOCIATED, .associate = &a->ac});
        break;
    case AE_4:
        artim_stop(a);
        a->close = true;
        end_event(a, UL_EV_REJECTED, false);
        break;
    case AE_5:
        artim_start(a);
        break;
    case AE_6:
        artim_stop(a);
        ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_ASSOCIATE_RQ, .associate = &a->rq});
        break;
    case AE_7:
        buf_append_slice(&a->out, buf_slice(&a->ac_bytes));
        break;
    case AE_8:
        ul_reject_encode(a->refusal, &a->out);
        artim_start(a);
        break;
    default:
        bug("no association action");
    }
}

static void act_release(struct ul_assoc *a, enum ul_action action) {
    switch ((int)action) {
    case AR_1:
        ul_release_encode(UL_PDU_RELEASE_RQ, &a->out);
        artim_start(a); // not in the standard, which waits for ever
        break;
    case AR_2:
    case AR_8:
        ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_RELEASE_RQ});
        break;
    case AR_3:
        artim_stop(a);
        a->close = true;
        end_event(a, UL_EV_RELEASED, false);
        break;
    case AR_4:
        ul_release_encode(UL_PDU_RELEASE_RP, &a->out);
        artim_start(a);
        break;
    case AR_5:
        artim_stop(a);
        a->close = true;
        break;
    case AR_9:
        ul_release_encode(UL_PDU_RELEASE_RP, &a->out);
        break;
    case AR_6:  // P-DATA while we want to end: the input goes on with it
    case AR_7:  // and the other way round: the caller's bytes follow
    case AR_10: // confirmation of a collision: the release reply, if the caller gave it, comes next
        break;
    default:
        bug("no release action");
    }
}

static void act_abort(struct ul_assoc *a, enum ul_action action) {
    switch ((int)action) {
    case AA_1:
        send_abort(a, UL_ABORT_BY_USER, UL_ABORT_NO_REASON);
        end_event(a, UL_EV_ABORTED, true);
        break;
    case AA_2:
        artim_stop(a);
        a->close = true;
        break;
    case AA_3:
        artim_stop(a);
        a->close = true;
        end_event(a, UL_EV_ABORTED, false);
        break;
    case AA_4:
        artim_stop(a);
        a->close = true;
        end_event(a, UL_EV_CLOSED, false);
        break;
    case AA_5:
        artim_stop(a);
        a->close = true;
        break;
    case AA_6:
        break;
    case AA_7:
        send_abort(a, UL_ABORT_BY_PROVIDER, a->provider_reason);
        break;
    case AA_8:
        send_abort(a, UL_ABORT_BY_PROVIDER, a->provider_reason);
        end_event(a, UL_EV_ABORTED, true);
        break;
    default:
        bug("no abort action");
    }
}

void ul_assoc_step(struct ul_assoc *a, enum ul_event event) {
    struct ul_step s = std_ul_step(a->state, event);
    bug_unless(s.action != UL_ACTION_NONE);
    enum ul_state next = s.next;
    if (s.action == AR_8)
        next = a->acceptor ? STA_10 : STA_9;
    else if (s.action == AE_6)
        next = STA_3; // what the standard lets the provider refuse here, policy refuses in Sta3
    a->state = next;
    if (s.action >= AA_1)
        act_abort(a, s.action);
    else if (s.action >= AR_1)
        act_release(a, s.action);
    else if (s.action <= AE_8)
        act_associate(a, s.action);
    if (a->state == STA_12 && a->reply_wanted) {
        a->reply_wanted = false;
        ul_assoc_step(a, EVT_14);
    }
}

void ul_assoc_invalid(struct ul_assoc *a, uint8_t reason, const struct fault *f) {
    a->provider_reason = reason;
    fault_set(&a->fault, f->code, "%s", f->detail);
    ul_assoc_step(a, EVT_19);
}

// --- time

void ul_assoc_abort(struct ul_assoc *a, enum err code, const char *why, int64_t now_ms) {
    a->now_ms = now_ms;
    if (a->state == STA_1 || a->state == STA_13)
        return;
    fault_set(&a->fault, code, "%s", why);
    if (a->state == STA_2) { // no primitive for it: nobody is associated yet
        a->provider_reason = UL_ABORT_NO_REASON;
        ul_assoc_step(a, EVT_19);
    } else {
        ul_assoc_step(a, EVT_15);
    }
}

static int64_t idle_at(const struct ul_assoc *a) {
    bool applies = a->state >= STA_6 && a->state <= STA_12 && a->timers.idle_ms;
    return applies ? a->idle_from_ms + a->timers.idle_ms : INT64_MAX;
}

static int64_t total_at(const struct ul_assoc *a) {
    bool applies = a->state != STA_1 && a->state != STA_13 && a->timers.total_ms;
    return applies ? a->born_ms + a->timers.total_ms : INT64_MAX;
}

int64_t ul_assoc_deadline(const struct ul_assoc *a) {
    int64_t at = a->artim_at_ms ? a->artim_at_ms : INT64_MAX;
    int64_t idle = idle_at(a), total = total_at(a);
    at = idle < at ? idle : at;
    return total < at ? total : at;
}

static void artim_expired(struct ul_assoc *a) {
    artim_stop(a);
    if (a->state == STA_2) {
        fault_set(&a->fault, ERR_TIMEOUT, "no association request within %lld s",
                  (long long)(a->timers.artim_ms / 1000));
        ul_assoc_step(a, EVT_18);
        end_event(a, UL_EV_ABORTED, true);
    } else if (a->state == STA_13) {
        ul_assoc_step(a, EVT_18);
    } else {
        ul_assoc_abort(a, ERR_TIMEOUT, "the peer did not answer in time", a->now_ms);
    }
}

void ul_assoc_tick(struct ul_assoc *a, int64_t now_ms) {
    a->now_ms = now_ms;
    if (a->artim_at_ms && now_ms >= a->artim_at_ms)
        artim_expired(a);
    else if (now_ms >= idle_at(a))
        ul_assoc_abort(a, ERR_TIMEOUT, "nothing arrived for too long", now_ms);
    else if (now_ms >= total_at(a))
        ul_assoc_abort(a, ERR_TIMEOUT, "the association lasted too long", now_ms);
}

// --- input and output

void ul_assoc_feed(struct ul_assoc *a, struct slice bytes, int64_t now_ms) {
    bug_unless(a->in.n == 0);
    a->in = bytes;
    a->now_ms = now_ms;
}

size_t ul_assoc_unread(const struct ul_assoc *a) {
    return a->in.n;
}

size_t ul_assoc_data_due(const struct ul_assoc *a) {
    return a->step == IN_DATA && a->in.n == 0 && a->event_count == 0 ? a->pdv_left : 0;
}

void ul_assoc_eof(struct ul_assoc *a, int64_t now_ms) {
    a->now_ms = now_ms;
    a->eof = true;
}

struct slice ul_assoc_output(const struct ul_assoc *a) {
    return buf_slice(&a->out);
}

bool ul_assoc_output_ok(const struct ul_assoc *a) {
    return buf_ok(&a->out);
}

void ul_assoc_sent(struct ul_assoc *a, size_t n, int64_t now_ms) {
    a->now_ms = a->idle_from_ms = now_ms;
    buf_consume(&a->out, n);
}

bool ul_assoc_closed(const struct ul_assoc *a) {
    return a->close;
}

bool ul_assoc_established(const struct ul_assoc *a) {
    return a->state == STA_6;
}

// --- the acceptor's answers, release

enum err ul_assoc_accept(struct ul_assoc *a, const struct ul_associate *ac, int64_t now_ms, struct fault *f) {
    bug_unless(a->state == STA_3);
    a->now_ms = a->idle_from_ms = now_ms;
    enum err e = keep(a, UL_PDU_ASSOCIATE_AC, ac, &a->ac_bytes, &a->ac, f);
    if (e == OK)
        e = ul_assoc_agree(a, f);
    if (e != OK)
        return e;
    ul_assoc_step(a, EVT_7);
    return OK;
}

void ul_assoc_reject(struct ul_assoc *a, struct ul_refusal why, int64_t now_ms) {
    bug_unless(a->state == STA_3);
    a->now_ms = now_ms;
    a->refusal = why;
    ul_assoc_step(a, EVT_8);
}

void ul_assoc_release(struct ul_assoc *a, int64_t now_ms) {
    a->now_ms = now_ms;
    if (a->state == STA_6)
        ul_assoc_step(a, EVT_11);
}

void ul_assoc_release_reply(struct ul_assoc *a, int64_t now_ms) {
    a->now_ms = now_ms;
    if (a->state == STA_8 || a->state == STA_9 || a->state == STA_12)
        ul_assoc_step(a, EVT_14);
    else if (a->state == STA_10)
        a->reply_wanted = true;
}

// --- messages out

static enum err may_send(const struct ul_assoc *a, uint8_t context, struct fault *f) {
    if (std_ul_step(a->state, EVT_9).action == UL_ACTION_NONE)
        return fault_set(f, ERR_PROTOCOL, "no association to send on");
    if (!a->by_id[context])
        return fault_set(f, ERR_PROTOCOL, "presentation context %u is not accepted", context);
    return OK;
}

size_t ul_assoc_pdv_max(const struct ul_assoc *a) {
    return ((size_t)a->peer_max_pdu - UL_PDV_HEADER_BYTES) & ~(size_t)1; // even: PS3.8 9.3.5.1
}

void ul_assoc_pdv_header(const struct ul_assoc *a, uint8_t context, size_t body_bytes, bool last,
                         uint8_t ret_header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES]) {
    bug_unless(body_bytes <= ul_assoc_pdv_max(a) && a->by_id[context]);
    ul_pdv_header_encode(context, false, last, (uint32_t)body_bytes, ret_header);
}

static void send_pieces(struct ul_assoc *a, uint8_t context, bool command, struct slice s, bool last) {
    size_t max = ul_assoc_pdv_max(a);
    do {
        size_t n = s.n < max ? s.n : max;
        uint8_t header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES];
        ul_pdv_header_encode(context, command, last && n == s.n, (uint32_t)n, header);
        buf_append(&a->out, header, sizeof header);
        buf_append(&a->out, s.p, n);
        s = slice_sub(s, n, s.n);
    } while (s.n);
}

enum err ul_assoc_send_command(struct ul_assoc *a, uint8_t context, const struct dimse_command *c,
                               struct fault *f) {
    enum err e = may_send(a, context, f);
    if (e != OK)
        return e;
    struct buf raw = BUF_INIT(DIMSE_COMMAND_BYTES_MAX);
    dimse_command_encode(c, &raw);
    if (buf_ok(&raw))
        send_pieces(a, context, true, buf_slice(&raw), true);
    else
        buf_fail(&a->out, buf_error(&raw)); // the other side must not wait for it
    buf_fini(&raw);
    return buf_check(&a->out, f, "a command set");
}

enum err ul_assoc_send_data(struct ul_assoc *a, uint8_t context, struct slice data, bool last,
                            struct fault *f) {
    enum err e = may_send(a, context, f);
    if (e != OK)
        return e;
    send_pieces(a, context, false, data, last);
    return buf_check(&a->out, f, "output of %zu bytes", data.n);
}
