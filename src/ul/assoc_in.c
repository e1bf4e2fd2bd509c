// Bytes in: PDUs, PDVs, and the messages they make up. One small step at a time, so that a caller
// gets each event before anything behind it is looked at.
#include "ul/assoc_int.h"

static struct slice take(struct ul_assoc *a, size_t n) {
    struct slice s = {a->in.p, n < a->in.n ? n : a->in.n};
    a->in.p += s.n;
    a->in.n -= s.n;
    return s;
}

static void invalid(struct ul_assoc *a, uint8_t reason, struct fault f) {
    // Nothing behind a broken PDU can be told apart any more.
    a->step = IN_SKIP;
    a->pdu_left = UINT32_MAX;
    ul_assoc_invalid(a, reason, &f);
}

#define INVALID(a, code, ...)                                        \
    do {                                                             \
        struct fault invalid_ = {OK, ""};                            \
        fault_set(&invalid_, (code), __VA_ARGS__);                   \
        invalid((a), UL_ABORT_INVALID_PARAMETER, invalid_);          \
    } while (0)

static void pdu_done(struct ul_assoc *a) {
    a->step = IN_PDU_HEADER;
    a->header_have = 0;
    a->idle_from_ms = a->now_ms;
}

// Collects the bytes of a fixed header across feeds; true once it is complete.
static bool header_fill(struct ul_assoc *a) {
    while (a->header_have < sizeof a->header && a->in.n) {
        a->header[a->header_have++] = *a->in.p++;
        a->in.n--;
    }
    if (a->header_have < sizeof a->header)
        return false;
    a->header_have = 0;
    return true;
}

static const enum ul_event event_of[] = {
    [UL_PDU_ASSOCIATE_RQ] = EVT_6, [UL_PDU_ASSOCIATE_AC] = EVT_3, [UL_PDU_ASSOCIATE_RJ] = EVT_4,
    [UL_PDU_P_DATA_TF] = EVT_10,   [UL_PDU_RELEASE_RQ] = EVT_12,  [UL_PDU_RELEASE_RP] = EVT_13,
    [UL_PDU_ABORT] = EVT_16,
};

static bool is_known(uint8_t type) {
    return type >= UL_PDU_ASSOCIATE_RQ && type <= UL_PDU_ABORT;
}

// The table sends an abort where a PDU comes that the state does not expect.
static bool is_unexpected(const struct ul_assoc *a, enum ul_event event) {
    enum ul_action action = std_ul_step(a->state, event).action;
    return action == AA_1 || action == AA_7 || action == AA_8;
}

static void unexpected(struct ul_assoc *a, enum ul_event event) {
    fault_set(&a->fault, ERR_PROTOCOL, "%s while %s", std_ul_event_text(event), std_ul_state_text(a->state));
    a->provider_reason = UL_ABORT_UNEXPECTED_PDU;
    a->step = IN_SKIP;
    ul_assoc_step(a, event);
}

static void begin_p_data(struct ul_assoc *a) {
    if (a->our_max_pdu && a->pdu_left > a->our_max_pdu) {
        INVALID(a, ERR_LIMIT, "P-DATA PDU of %u bytes, agreed are %u", a->pdu_left, a->our_max_pdu);
        return;
    }
    if (a->pdu_left < UL_PDV_HEADER_BYTES) {
        INVALID(a, ERR_PROTOCOL, "P-DATA PDU of %u bytes", a->pdu_left);
        return;
    }
    enum ul_action action = std_ul_step(a->state, EVT_10).action;
    a->step = action == DT_2 || action == AR_6 ? IN_PDV_HEADER : IN_SKIP;
    ul_assoc_step(a, EVT_10);
}

static void unrecognized(struct ul_assoc *a) {
    struct fault f = {OK, ""};
    bool tls = a->pdu_type == 0x16 && a->header[1] == 3;
    bool http = a->header[0] >= 'A' && a->header[0] <= 'Z' && a->header[1] >= 'A' && a->header[1] <= 'Z';
    fault_set(&f, ERR_PROTOCOL, "PDU of unknown type %02Xh%s", a->pdu_type,
              tls ? ": this is TLS, sent to a port without it"
                  : http ? ": this is HTTP, not DICOM" : "");
    invalid(a, UL_ABORT_UNRECOGNIZED_PDU, f);
}

static void begin_pdu(struct ul_assoc *a) {
    struct ul_pdu_header h = ul_pdu_header_decode(a->header);
    a->pdu_type = h.type;
    a->pdu_left = h.length;
    if (!is_known(h.type)) {
        unrecognized(a);
        return;
    }
    enum ul_event event = event_of[h.type];
    if (is_unexpected(a, event)) {
        unexpected(a, event);
        return;
    }
    if (event == EVT_10) {
        begin_p_data(a);
        return;
    }
    bool associate = h.type == UL_PDU_ASSOCIATE_RQ || h.type == UL_PDU_ASSOCIATE_AC;
    if (associate ? h.length > UL_ASSOCIATE_BYTES_MAX : h.length != 4) {
        INVALID(a, ERR_PROTOCOL, "PDU of type %02Xh with %u bytes", h.type, h.length);
        return;
    }
    buf_reset(&a->body);
    a->step = IN_BODY;
}

static void got_associate_rq(struct ul_assoc *a) {
    struct fault f = {OK, ""};
    if (ul_associate_decode(UL_PDU_ASSOCIATE_RQ, buf_slice(&a->body), &a->arena, &a->rq, &f) != OK) {
        invalid(a, UL_ABORT_INVALID_PARAMETER, f);
        return;
    }
    // rq points into the body, so that the body is the request's from now on.
    struct buf spare = a->rq_bytes;
    a->rq_bytes = a->body;
    a->body = spare;
    a->body.max = UL_ASSOCIATE_BYTES_MAX;
    a->has_rq = true;
    ul_assoc_step(a, EVT_6);
}

static void got_associate_ac(struct ul_assoc *a) {
    struct fault f = {OK, ""};
    buf_append_slice(&a->ac_bytes, buf_slice(&a->body));
    enum err e = buf_ok(&a->ac_bytes)
        ? ul_associate_decode(UL_PDU_ASSOCIATE_AC, buf_slice(&a->ac_bytes), &a->arena, &a->ac, &f)
        : fault_set(&f, ERR_NO_MEMORY, "an association answer");
    if (e == OK)
        e = ul_assoc_agree(a, &f);
    if (e != OK)
        invalid(a, UL_ABORT_INVALID_PARAMETER, f);
    else
        ul_assoc_step(a, EVT_3);
}

static void got_body(struct ul_assoc *a) {
    struct fault f = {OK, ""};
    pdu_done(a);
    switch (a->pdu_type) {
    case UL_PDU_ASSOCIATE_RQ:
        if (a->state == STA_2)
            got_associate_rq(a);
        break;
    case UL_PDU_ASSOCIATE_AC:
        if (a->state == STA_5)
            got_associate_ac(a);
        break;
    case UL_PDU_ASSOCIATE_RJ:
    case UL_PDU_ABORT:
        if (a->state != STA_13 && ul_refusal_decode(buf_slice(&a->body), &a->refusal, &f) != OK)
            bug("length was checked");
        ul_assoc_step(a, event_of[a->pdu_type]);
        break;
    default:
        ul_assoc_step(a, event_of[a->pdu_type]);
    }
}

static void collect_body(struct ul_assoc *a) {
    struct slice s = take(a, a->pdu_left);
    buf_append_slice(&a->body, s);
    a->pdu_left -= (uint32_t)s.n;
    if (!buf_ok(&a->body))
        INVALID(a, ERR_NO_MEMORY, "a PDU of type %02Xh", a->pdu_type);
    else if (a->pdu_left == 0)
        got_body(a);
}

static void pdv_done(struct ul_assoc *a) {
    if (a->pdu_left == 0)
        pdu_done(a);
    else
        a->step = IN_PDV_HEADER;
}

static void got_command(struct ul_assoc *a) {
    struct fault f = {OK, ""};
    enum err e = dimse_command_decode(buf_slice(&a->command_raw), &a->command, &f);
    buf_reset(&a->command_raw);
    a->in_command = false;
    if (e != OK) {
        invalid(a, UL_ABORT_INVALID_PARAMETER, f);
        return;
    }
    a->in_data = dimse_has_data_set(&a->command);
    ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_COMMAND, .context = a->message_context,
                                                  .command = &a->command});
}

static void command_bytes(struct ul_assoc *a) {
    struct slice s = take(a, a->pdv_left);
    buf_append_slice(&a->command_raw, s);
    a->pdv_left -= (uint32_t)s.n;
    a->pdu_left -= (uint32_t)s.n;
    if (!buf_ok(&a->command_raw)) {
        INVALID(a, ERR_LIMIT, "a command set of more than %d bytes", DIMSE_COMMAND_BYTES_MAX);
        return;
    }
    if (a->pdv_left)
        return;
    pdv_done(a);
    if (a->pdv_last)
        got_command(a);
}

static void data_bytes(struct ul_assoc *a) {
    struct slice s = take(a, a->pdv_left);
    a->pdv_left -= (uint32_t)s.n;
    a->pdu_left -= (uint32_t)s.n;
    bool last = a->pdv_last && a->pdv_left == 0;
    if (a->pdv_left == 0)
        pdv_done(a);
    if (last)
        a->in_data = false;
    if (s.n || last)
        ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_DATA, .context = a->message_context,
                                                      .data = s, .last = last});
}

// Whether this fragment may come now (PS3.7 6.3.1, PS3.8 Annex E); "" when it may.
static const char *pdv_objection(const struct ul_assoc *a, uint8_t context, bool command) {
    if (!a->by_id[context])
        return "presentation context not accepted";
    if ((a->in_command || a->in_data) && context != a->message_context)
        return "another presentation context inside a message";
    if (command && a->in_data)
        return "command fragment inside a data set";
    if (!command && !a->in_data)
        return a->in_command ? "data set fragment inside a command" : "data set fragment without a command";
    return "";
}

static void begin_pdv(struct ul_assoc *a) {
    uint32_t length = (uint32_t)a->header[0] << 24 | (uint32_t)a->header[1] << 16 |
                      (uint32_t)a->header[2] << 8 | a->header[3];
    uint8_t context = a->header[4], control = a->header[5];
    a->pdu_left -= UL_PDV_HEADER_BYTES;
    if (length < 2 || length - 2 > a->pdu_left) {
        INVALID(a, ERR_PROTOCOL, "PDV of %u bytes, %u are left in its PDU", length, a->pdu_left + 2);
        return;
    }
    bool command = control & 1;
    const char *objection = pdv_objection(a, context, command);
    if (*objection) {
        INVALID(a, ERR_PROTOCOL, "%s (context %u)", objection, context);
        return;
    }
    a->pdv_left = length - 2;
    a->pdv_last = control & 2;
    a->pdv_context = context;
    a->message_context = context;
    a->in_command = a->in_command || command;
    a->step = command ? IN_COMMAND : IN_DATA;
}

// A PDU must have room for another PDV header once the last PDV is read.
static void pdv_header(struct ul_assoc *a) {
    if (a->header_have == 0 && a->pdu_left < UL_PDV_HEADER_BYTES) {
        INVALID(a, ERR_PROTOCOL, "%u stray bytes at the end of a P-DATA PDU", a->pdu_left);
        return;
    }
    if (header_fill(a))
        begin_pdv(a);
}

static void skip(struct ul_assoc *a) {
    if (a->pdu_left == UINT32_MAX) { // to the end of time
        take(a, a->in.n);
        return;
    }
    a->pdu_left -= (uint32_t)take(a, a->pdu_left).n;
    if (a->pdu_left == 0)
        pdu_done(a);
}

// Empty fragments have no byte to wait for.
static bool can_go_on(const struct ul_assoc *a) {
    if (a->in.n)
        return true;
    return (a->step == IN_COMMAND || a->step == IN_DATA) ? a->pdv_left == 0
        : (a->step == IN_BODY || a->step == IN_SKIP) && a->pdu_left == 0;
}

static void input_step(struct ul_assoc *a) {
    switch (a->step) {
    case IN_PDU_HEADER:
        if (header_fill(a))
            begin_pdu(a);
        break;
    case IN_BODY:
        collect_body(a);
        break;
    case IN_PDV_HEADER:
        pdv_header(a);
        break;
    case IN_COMMAND:
        command_bytes(a);
        break;
    case IN_DATA:
        data_bytes(a);
        break;
    case IN_SKIP:
        skip(a);
        break;
    default:
        bug("no such step");
    }
}

static void transport_closed(struct ul_assoc *a) {
    a->eof_seen = true;
    if (a->state == STA_1)
        return;
    bool silent = a->state == STA_2; // AA-5: the table tells nobody, but a log wants to know
    if (a->step != IN_PDU_HEADER || a->header_have)
        fault_set(&a->fault, ERR_TRUNCATED, "the connection ended inside a PDU");
    ul_assoc_step(a, EVT_17);
    if (silent)
        ul_assoc_event_put(a, (struct ul_assoc_event){.kind = UL_EV_CLOSED,
                                                      .fault = a->fault.code ? &a->fault : NULL});
}

void ul_assoc_input(struct ul_assoc *a) {
    if (a->state == STA_1) { // over: what still comes is nobody's
        a->in.n = 0;
        return;
    }
    while (a->event_count == 0 && a->state != STA_1 && can_go_on(a))
        input_step(a);
    if (a->state == STA_1)
        a->in.n = 0;
    if (a->event_count == 0 && a->in.n == 0 && a->eof && !a->eof_seen)
        transport_closed(a);
}
