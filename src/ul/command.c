#include "ul/command.h"

#include "base/rd.h"

#include <stddef.h>
#include <stdio.h>

enum value_kind { KIND_US, KIND_UID, KIND_INSTANCE, KIND_AE, KIND_LO, KIND_TAGS };

struct element {
    uint16_t element; // of group 0000
    uint16_t kind;
    uint32_t has;
    size_t offset, size;
};

#define ROW(number, kind, bit, member)                                                             \
    {number, kind, bit, offsetof(struct dimse_command, member), sizeof(((struct dimse_command *)0)->member)}

// PS3.7 Table E.1-1, ascending: the elements that messages we know are made of.
static const struct element elements[] = {
    ROW(0x0002, KIND_UID, DIMSE_HAS_AFFECTED_CLASS, affected_class),
    ROW(0x0003, KIND_UID, DIMSE_HAS_REQUESTED_CLASS, requested_class),
    ROW(0x0100, KIND_US, DIMSE_HAS_FIELD, field),
    ROW(0x0110, KIND_US, DIMSE_HAS_MESSAGE_ID, message_id),
    ROW(0x0120, KIND_US, DIMSE_HAS_RESPONDED_TO, responded_to),
    ROW(0x0600, KIND_AE, DIMSE_HAS_MOVE_DESTINATION, move_destination),
    ROW(0x0700, KIND_US, DIMSE_HAS_PRIORITY, priority),
    ROW(0x0800, KIND_US, DIMSE_HAS_DATA_SET_TYPE, data_set_type),
    ROW(0x0900, KIND_US, DIMSE_HAS_STATUS, status),
    ROW(0x0901, KIND_TAGS, DIMSE_HAS_OFFENDING, offending),
    ROW(0x0902, KIND_LO, DIMSE_HAS_COMMENT, comment),
    ROW(0x0903, KIND_US, DIMSE_HAS_ERROR_ID, error_id),
    ROW(0x1000, KIND_INSTANCE, DIMSE_HAS_AFFECTED_INSTANCE, affected_instance),
    ROW(0x1001, KIND_INSTANCE, DIMSE_HAS_REQUESTED_INSTANCE, requested_instance),
    ROW(0x1002, KIND_US, DIMSE_HAS_EVENT_TYPE, event_type),
    ROW(0x1005, KIND_TAGS, DIMSE_HAS_ATTRIBUTES, attributes),
    ROW(0x1008, KIND_US, DIMSE_HAS_ACTION_TYPE, action_type),
    ROW(0x1020, KIND_US, DIMSE_HAS_REMAINING, remaining),
    ROW(0x1021, KIND_US, DIMSE_HAS_COMPLETED, completed),
    ROW(0x1022, KIND_US, DIMSE_HAS_FAILED, failed),
    ROW(0x1023, KIND_US, DIMSE_HAS_WARNING, warning),
    ROW(0x1030, KIND_AE, DIMSE_HAS_ORIGINATOR_AE, originator_ae),
    ROW(0x1031, KIND_US, DIMSE_HAS_ORIGINATOR_ID, originator_id),
};
enum { ELEMENT_COUNT = sizeof elements / sizeof *elements };

// PS3.7 9.3 and 10.3: these messages always have a data set, or never; the others may.
static const struct data_set_rule {
    uint16_t field;
    bool always;
} data_set_rules[] = {
    {DIMSE_C_STORE_RQ, true},
    {DIMSE_C_STORE_RSP, false},
    {DIMSE_C_GET_RQ, true},
    {DIMSE_C_FIND_RQ, true},
    {DIMSE_C_MOVE_RQ, true},
    {DIMSE_C_ECHO_RQ, false},
    {DIMSE_C_ECHO_RSP, false},
    {DIMSE_N_GET_RQ, false},
    {DIMSE_N_SET_RQ, true},
    {DIMSE_N_DELETE_RQ, false},
    {DIMSE_N_DELETE_RSP, false},
    {DIMSE_C_CANCEL_RQ, false},
};

static const struct data_set_rule *data_set_rule(uint16_t field) {
    for (size_t i = 0; i < sizeof data_set_rules / sizeof *data_set_rules; i++)
        if (data_set_rules[i].field == field)
            return &data_set_rules[i];
    return NULL;
}

static const struct element *element_find(uint16_t number) {
    for (size_t i = 0; i < ELEMENT_COUNT && elements[i].element <= number; i++)
        if (elements[i].element == number)
            return &elements[i];
    return NULL;
}

const char *dimse_field_name(uint16_t field) {
    const struct std_command_info *m = std_command_find(field);
    return m ? m->name : "unknown";
}

static enum err get_uid(const struct element *el, struct slice v, char *dst, struct fault *f) {
    v = uid_trim(v);
    if (!uid_tolerable(v))
        return fault_set(f, ERR_SYNTAX, "command element (0000,%04X) is no UID", el->element);
    memcpy(dst, v.p, v.n);
    return OK; // dst was zeroed with the whole command
}

static enum err get_tags(const struct element *el, struct rd *r, struct dimse_tags *dst, struct fault *f) {
    if (rd_left(r) % 4 || rd_left(r) / 4 > DIMSE_TAGS_MAX)
        return fault_set(f, ERR_SYNTAX, "command element (0000,%04X) has %zu bytes", el->element, rd_left(r));
    while (rd_left(r)) {
        uint32_t group = rd_u16le(r);
        dst->tag[dst->count++] = group << 16 | rd_u16le(r);
    }
    return OK;
}

static void get_comment(struct slice v, char dst[DIMSE_COMMENT_MAX + 1]) {
    v = slice_trim(v, " ");
    if (v.n > DIMSE_COMMENT_MAX)
        v.n = DIMSE_COMMENT_MAX;
    for (size_t i = 0; i < v.n; i++) // only ever shown in a log: keep it printable
        dst[i] = v.p[i] >= 0x20 && v.p[i] < 0x7F ? (char)v.p[i] : '.';
}

static enum err get_value(const struct element *el, struct rd *r, struct dimse_command *c, struct fault *f) {
    uint8_t *at = (uint8_t *)c + el->offset;
    size_t n = rd_left(r);
    switch (el->kind) {
    case KIND_US: {
        if (n != 2)
            return fault_set(f, ERR_SYNTAX, "command element (0000,%04X) has %zu bytes, not 2", el->element,
                             n);
        uint16_t v = rd_u16le(r);
        memcpy(at, &v, sizeof v);
        return OK;
    }
    case KIND_UID:
        return get_uid(el, rd_bytes(r, n), (char *)at, f);
    case KIND_INSTANCE: // a bad one is that instance's fault alone: the member stays empty
        (void)get_uid(el, rd_bytes(r, n), (char *)at, NULL);
        return OK;
    case KIND_AE:
        if (!ul_ae_parse(rd_bytes(r, n), (char *)at))
            return fault_set(f, ERR_SYNTAX, "command element (0000,%04X) is no AE title", el->element);
        return OK;
    case KIND_TAGS:
        return get_tags(el, r, (struct dimse_tags *)(void *)at, f);
    default:
        get_comment(rd_bytes(r, n), (char *)at);
        return OK;
    }
}

// Empty where the standard has a value of type 2 or a sender has nothing to say: as if left out. An
// empty UID or title that the message needs is then reported as missing.
static bool counts_as_absent(const struct element *el, size_t n) {
    return n == 0 && el->kind != KIND_US;
}

static enum err decode_element(struct rd *r, struct dimse_command *c, struct fault *f) {
    uint16_t group = rd_u16le(r), number = rd_u16le(r);
    uint32_t length = rd_u32le(r);
    if (!rd_ok(r) || length > rd_left(r))
        return fault_set(f, ERR_TRUNCATED, "command element (%04X,%04X) overruns the command", group, number);
    struct rd value = rd_sub(r, length);
    if (group != 0)
        return fault_set(f, ERR_SYNTAX, "element (%04X,%04X) in a command set", group, number);
    const struct element *el = element_find(number);
    if (!el || counts_as_absent(el, length))
        return OK;
    if (c->has & el->has)
        return fault_set(f, ERR_SYNTAX, "command element (0000,%04X) comes twice", number);
    enum err e = get_value(el, &value, c, f);
    if (e == OK && (el->kind != KIND_LO || c->comment[0])) // a comment of blanks is none
        c->has |= el->has;
    return e;
}

// What the standard calls mandatory, without Priority: real senders leave it out and nothing hangs on it.
static uint32_t needs_of(uint16_t field) {
    const uint32_t *tags = NULL;
    uint32_t needs = 0;
    size_t n = std_command_mandatory(field, &tags);
    for (size_t i = 0; i < n; i++) {
        const struct element *el = element_find((uint16_t)tags[i]);
        needs |= el ? el->has : 0;
    }
    return needs & ~(uint32_t)DIMSE_HAS_PRIORITY;
}

static enum err missing(const struct dimse_command *c, uint32_t lacking, struct fault *f) {
    const struct std_command_info *m = std_command_find(c->field);
    for (size_t i = 0; i < ELEMENT_COUNT; i++)
        if (elements[i].has & lacking)
            return fault_set(f, ERR_PROTOCOL, "%s without element (0000,%04X)", m ? m->name : "command",
                             elements[i].element);
    return fault_set(f, ERR_PROTOCOL, "incomplete command");
}

static enum err check(const struct dimse_command *c, struct fault *f) {
    uint32_t needs = DIMSE_HAS_FIELD | DIMSE_HAS_DATA_SET_TYPE | needs_of(c->field);
    const struct data_set_rule *rule = data_set_rule(c->field);
    if ((c->has & needs) != needs)
        return missing(c, needs & ~c->has, f);
    if (rule && rule->always != dimse_has_data_set(c))
        return fault_set(f, ERR_PROTOCOL, "%s announces %s data set", dimse_field_name(c->field),
                         rule->always ? "no" : "a");
    return OK;
}

enum err dimse_command_decode(struct slice raw, struct dimse_command *ret_command, struct fault *f) {
    if (raw.n > DIMSE_COMMAND_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "command set of %zu bytes", raw.n);
    struct dimse_command c = {.has = 0};
    struct rd r = rd_init(raw);
    while (rd_left(&r)) {
        enum err e = decode_element(&r, &c, f);
        if (e != OK)
            return e;
    }
    enum err e = check(&c, f);
    if (e == OK)
        *ret_command = c;
    return e;
}

static void put_element(struct buf *out, uint16_t number, const void *p, size_t n, char pad) {
    buf_u16le(out, 0);
    buf_u16le(out, number);
    buf_u32le(out, (uint32_t)(n + (n & 1)));
    buf_append(out, p, n);
    if (n & 1)
        buf_u8(out, (uint8_t)pad);
}

static void put_tags(struct buf *out, uint16_t number, const struct dimse_tags *tags) {
    uint8_t raw[DIMSE_TAGS_MAX * 4];
    size_t count = tags->count < DIMSE_TAGS_MAX ? tags->count : DIMSE_TAGS_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t t = tags->tag[i];
        const uint8_t le[4] = {(uint8_t)(t >> 16), (uint8_t)(t >> 24), (uint8_t)t, (uint8_t)(t >> 8)};
        memcpy(raw + i * 4, le, 4);
    }
    put_element(out, number, raw, count * 4, 0);
}

static void put_value(struct buf *out, const struct element *el, const struct dimse_command *c) {
    const uint8_t *at = (const uint8_t *)c + el->offset;
    switch (el->kind) {
    case KIND_US: {
        uint16_t v;
        memcpy(&v, at, sizeof v);
        const uint8_t le[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
        put_element(out, el->element, le, 2, 0);
        break;
    }
    case KIND_TAGS:
        put_tags(out, el->element, (const struct dimse_tags *)(const void *)at);
        break;
    default:
        put_element(out, el->element, at, strnlen((const char *)at, el->size),
                    el->kind == KIND_UID || el->kind == KIND_INSTANCE ? 0 : ' ');
    }
}

void dimse_command_encode(const struct dimse_command *c, struct buf *out) {
    static const uint8_t group_length[12] = {0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
    uint32_t has = c->has | DIMSE_HAS_FIELD | DIMSE_HAS_DATA_SET_TYPE;
    buf_append(out, group_length, sizeof group_length);
    size_t start = out->n;
    for (size_t i = 0; i < ELEMENT_COUNT; i++)
        if (has & elements[i].has)
            put_value(out, &elements[i], c);
    if (!buf_ok(out))
        return;
    size_t n = out->n - start;
    for (unsigned i = 0; i < 4; i++)
        out->p[start - 4 + i] = (uint8_t)(n >> (8 * i));
}

struct dimse_command dimse_response(const struct dimse_command *request, uint16_t status) {
    struct dimse_command c = {.has = DIMSE_HAS_RESPONDED_TO | DIMSE_HAS_STATUS};
    c.field = request->field | DIMSE_RSP;
    c.responded_to = request->message_id;
    c.status = status;
    c.data_set_type = DIMSE_NO_DATA_SET;
    // N-services name what they work on "requested"; the response calls it "affected" (PS3.7 10.3).
    bool requested = request->has & DIMSE_HAS_REQUESTED_CLASS;
    const char *class_uid = requested ? request->requested_class : request->affected_class;
    const char *instance = requested ? request->requested_instance : request->affected_instance;
    if (class_uid[0])
        dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, slice_str(class_uid));
    if (instance[0])
        dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, slice_str(instance));
    return c;
}

void dimse_command_set_uid(struct dimse_command *c, enum dimse_has which, struct slice uid) {
    for (size_t i = 0; i < ELEMENT_COUNT; i++) {
        if (elements[i].has != (uint32_t)which)
            continue;
        bug_unless(elements[i].kind == KIND_UID || elements[i].kind == KIND_INSTANCE);
        char *at = (char *)c + elements[i].offset;
        bug_unless(slice_to_cstr(uid, at, elements[i].size));
        c->has |= (uint32_t)which;
        return;
    }
    bug("no UID element");
}

void dimse_command_set_comment(struct dimse_command *c, const char *text) {
    snprintf(c->comment, sizeof c->comment, "%s", text);
    c->has |= DIMSE_HAS_COMMENT;
}
