#include "ul/pdu.h"

#include "base/rd.h"

struct refusal_text {
    uint8_t source, reason;
    const char *text;
};

// PS3.8 Table 9-21.
static const struct refusal_text reject_texts[] = {
    {UL_REJECT_BY_USER, UL_REJECT_USER_NO_REASON, "no reason given"},
    {UL_REJECT_BY_USER, UL_REJECT_APPLICATION_CONTEXT, "application context name not supported"},
    {UL_REJECT_BY_USER, UL_REJECT_CALLING_AE, "calling AE title not recognized"},
    {UL_REJECT_BY_USER, UL_REJECT_CALLED_AE, "called AE title not recognized"},
    {UL_REJECT_BY_ACSE, UL_REJECT_ACSE_NO_REASON, "no reason given (ACSE)"},
    {UL_REJECT_BY_ACSE, UL_REJECT_PROTOCOL_VERSION, "protocol version not supported"},
    {UL_REJECT_BY_PRESENTATION, UL_REJECT_CONGESTION, "temporary congestion"},
    {UL_REJECT_BY_PRESENTATION, UL_REJECT_LOCAL_LIMIT, "local limit exceeded"},
};

// PS3.8 Table 9-26.
static const struct refusal_text abort_texts[] = {
    {UL_ABORT_BY_PROVIDER, UL_ABORT_NO_REASON, "no reason given"},
    {UL_ABORT_BY_PROVIDER, UL_ABORT_UNRECOGNIZED_PDU, "unrecognized PDU"},
    {UL_ABORT_BY_PROVIDER, UL_ABORT_UNEXPECTED_PDU, "unexpected PDU"},
    {UL_ABORT_BY_PROVIDER, UL_ABORT_UNRECOGNIZED_PARAMETER, "unrecognized PDU parameter"},
    {UL_ABORT_BY_PROVIDER, UL_ABORT_UNEXPECTED_PARAMETER, "unexpected PDU parameter"},
    {UL_ABORT_BY_PROVIDER, UL_ABORT_INVALID_PARAMETER, "invalid PDU parameter value"},
};

static const char *refusal_text(const struct refusal_text *table, size_t count, struct ul_refusal r) {
    for (size_t i = 0; i < count; i++)
        if (table[i].source == r.source && table[i].reason == r.reason)
            return table[i].text;
    return "a reason unknown to the standard";
}

const char *ul_reject_text(struct ul_refusal r) {
    return refusal_text(reject_texts, sizeof reject_texts / sizeof *reject_texts, r);
}

const char *ul_abort_text(struct ul_refusal r) {
    if (r.source == UL_ABORT_BY_USER)
        return "ended by the application";
    return refusal_text(abort_texts, sizeof abort_texts / sizeof *abort_texts, r);
}

bool ul_ae_parse(struct slice raw, char ret_title[UL_AE_MAX + 1]) {
    ret_title[0] = 0;
    // Senders written in C pad with NUL where the standard wants blanks.
    struct slice s = raw;
    while (s.n && (s.p[s.n - 1] == 0 || s.p[s.n - 1] == ' '))
        s.n--;
    s = slice_trim(s, " ");
    if (s.n == 0 || s.n > UL_AE_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7E || s.p[i] == '\\')
            return false;
    memcpy(ret_title, s.p, s.n);
    ret_title[s.n] = 0;
    return true;
}

static uint32_t load32be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store32be(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

struct ul_pdu_header ul_pdu_header_decode(const uint8_t raw[UL_PDU_HEADER_BYTES]) {
    return (struct ul_pdu_header){.type = raw[0], .length = load32be(raw + 2)};
}

enum err ul_refusal_decode(struct slice body, struct ul_refusal *ret_refusal, struct fault *f) {
    if (body.n != 4)
        return fault_set(f, ERR_PROTOCOL, "reject or abort PDU with %zu bytes instead of 4", body.n);
    *ret_refusal = (struct ul_refusal){.result = body.p[1], .source = body.p[2], .reason = body.p[3]};
    return OK;
}

static void short_encode(enum ul_pdu_type type, struct ul_refusal r, struct buf *out) {
    const uint8_t pdu[10] = {(uint8_t)type, 0, 0, 0, 0, 4, 0, r.result, r.source, r.reason};
    buf_append(out, pdu, sizeof pdu);
}

void ul_reject_encode(struct ul_refusal r, struct buf *out) {
    short_encode(UL_PDU_ASSOCIATE_RJ, r, out);
}

void ul_abort_encode(struct ul_refusal r, struct buf *out) {
    r.result = 0;
    short_encode(UL_PDU_ABORT, r, out);
}

void ul_release_encode(enum ul_pdu_type type, struct buf *out) {
    bug_unless(type == UL_PDU_RELEASE_RQ || type == UL_PDU_RELEASE_RP);
    short_encode(type, (struct ul_refusal){0, 0, 0}, out);
}

void ul_pdv_header_encode(uint8_t context, bool command, bool last, uint32_t body_bytes,
                          uint8_t ret_header[UL_PDU_HEADER_BYTES + UL_PDV_HEADER_BYTES]) {
    bug_unless(body_bytes <= UINT32_MAX - UL_PDV_HEADER_BYTES);
    ret_header[0] = UL_PDU_P_DATA_TF;
    ret_header[1] = 0;
    store32be(ret_header + 2, body_bytes + UL_PDV_HEADER_BYTES);
    store32be(ret_header + 6, body_bytes + 2);
    ret_header[10] = context;
    ret_header[11] = (uint8_t)((command ? 1 : 0) | (last ? 2 : 0));
}
