#include "dicom/text.h"

#include <stdio.h>

#include "base/rd.h"
#include "base/utf8.h"
#include "dicom/header.h"
#include "std/tag.h"

enum {
    VALUE_CHARS_DEFAULT = 64,
    KEYWORD_COLUMN = 72,
    HEX_BYTES = 16,
    DECODE_MAX = 4 << 20,
};

void dicom_text_init(struct dicom_text *t, struct buf *out, size_t value_chars) {
    *t = (struct dicom_text){.out = out, .value_chars = value_chars ? value_chars : VALUE_CHARS_DEFAULT};
    t->charset[0] = dicom_charset_ascii;
}

// --- What is safe to show -----------------------------------------------------------------------

// Controls of a terminal, and characters that reorder or hide others.
static bool is_harmful(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

static void put_harmful(struct buf *out, uint32_t c) {
    switch (c) {
    case '\n': buf_append(out, "\\n", 2); break;
    case '\r': buf_append(out, "\\r", 2); break;
    case '\t': buf_append(out, "\\t", 2); break;
    default:
        if (c < 0x80)
            buf_printf(out, "\\x%02x", c);
        else
            buf_printf(out, "\\u{%x}", c);
    }
}

// At most `max` characters; true when there were more.
static bool escape(struct buf *out, struct slice s, size_t max) {
    while (s.n > 0) {
        if (max-- == 0)
            return true;
        uint32_t c;
        size_t n = utf8_decode(s, &c);
        if (n == 0)
            buf_printf(out, "\\x%02x", s.p[0]);
        else if (is_harmful(c))
            put_harmful(out, c);
        else
            buf_append(out, s.p, n);
        s = slice_sub(s, n ? n : 1, s.n);
    }
    return false;
}

void dicom_text_escape(struct buf *out, struct slice utf8) {
    (void)escape(out, utf8, SIZE_MAX);
}

// --- Values -------------------------------------------------------------------------------------

static void put_string(struct dicom_text *t, const struct dicom_event *ev) {
    // Decoding what won't be shown is spared: no character takes more than 8 bytes, escapes included.
    struct slice raw = slice_sub(ev->value, 0, 8 * t->value_chars + 64);
    struct buf text = BUF_INIT(DECODE_MAX);
    dicom_charset_decode(&t->charset[ev->depth], ev->vr, raw, &text);
    buf_u8(t->out, '[');
    bool more = escape(t->out, slice_trim_right(buf_slice(&text), " "), t->value_chars);
    buf_append_str(t->out, more || raw.n < ev->value.n ? "...]" : "]");
    buf_fini(&text);
}

static void put_number(struct buf *out, enum vr vr, struct rd *r) {
    uint64_t u;
    uint32_t w;
    double d;
    float s;
    switch ((int)vr) {
    case VR_AT:
        w = rd_u16le(r);
        buf_printf(out, "(%04x,%04x)", w, rd_u16le(r));
        break;
    case VR_FL:
        w = rd_u32le(r);
        memcpy(&s, &w, sizeof s);
        buf_printf(out, "%.9g", (double)s);
        break;
    case VR_FD:
        u = rd_u64le(r);
        memcpy(&d, &u, sizeof d);
        buf_printf(out, "%.17g", d);
        break;
    case VR_SS: buf_printf(out, "%d", (int16_t)rd_u16le(r)); break;
    case VR_SL: buf_printf(out, "%d", (int32_t)rd_u32le(r)); break;
    case VR_SV: buf_printf(out, "%lld", (long long)rd_u64le(r)); break;
    case VR_US: buf_printf(out, "%u", rd_u16le(r)); break;
    case VR_UL: buf_printf(out, "%u", rd_u32le(r)); break;
    default: buf_printf(out, "%llu", (unsigned long long)rd_u64le(r)); break;
    }
}

static void put_numbers(struct dicom_text *t, const struct dicom_event *ev) {
    uint8_t le[512];
    size_t unit = std_vr_info(ev->vr)->value_bytes, n = ev->value.n < sizeof le ? ev->value.n : sizeof le;
    if (n > 0)
        memcpy(le, ev->value.p, n);
    if (ev->syntax == DICOM_EXPLICIT_BE)
        dicom_swap(ev->vr, le, n);
    struct rd r = rd_init(slice_of(le, n));
    size_t begin = t->out->n;
    for (bool first = true; rd_left(&r) >= unit; first = false) {
        if (t->out->n - begin >= t->value_chars) {
            buf_append_str(t->out, "...");
            return;
        }
        if (!first)
            buf_u8(t->out, '\\');
        put_number(t->out, ev->vr, &r);
    }
    if (n < ev->value.n)
        buf_append_str(t->out, "...");
}

static void put_bytes(struct dicom_text *t, struct slice v) {
    for (size_t i = 0; i < v.n && i < HEX_BYTES; i++)
        buf_printf(t->out, i ? " %02x" : "%02x", v.p[i]);
    if (v.n > HEX_BYTES)
        buf_append_str(t->out, " ...");
}

static void put_value(struct dicom_text *t, const struct dicom_event *ev) {
    switch ((enum vr_class)std_vr_info(ev->vr)->class_) {
    case VR_CLASS_STRING: put_string(t, ev); break;
    case VR_CLASS_NUMBER: put_numbers(t, ev); break;
    case VR_CLASS_NONE:
    case VR_CLASS_BYTES:
    case VR_CLASS_SEQUENCE: put_bytes(t, ev->value); break;
    }
}

// --- Lines --------------------------------------------------------------------------------------

static void begin_line(struct dicom_text *t, const struct dicom_event *ev) {
    for (unsigned i = 0; i < ev->depth; i++)
        buf_append(t->out, "  ", 2);
    char tag[12];
    dicom_tag_format(ev->tag, tag);
    buf_printf(t->out, "%s %s ", tag, std_vr_info(ev->vr)->code);
    if (ev->length == DICOM_LENGTH_UNDEFINED)
        buf_append_str(t->out, "#undefined ");
    else
        buf_printf(t->out, "#%u ", ev->length);
}

static void note_creator(struct dicom_text *t, const struct dicom_event *ev) {
    if (!tag_is_private_creator(ev->tag) || t->creator_count == DICOM_TEXT_CREATORS)
        return;
    struct dicom_text_creator *c = &t->creators[t->creator_count++];
    size_t n = ev->value.n < sizeof c->name ? ev->value.n : sizeof c->name;
    *c = (struct dicom_text_creator){
        (ev->tag & 0xFFFF0000u) | (ev->tag & 0xFF) << 8, ev->depth, (uint8_t)n, {0}};
    if (n > 0)
        memcpy(c->name, ev->value.p, n);
}

static void forget_creators(struct dicom_text *t, unsigned depth) {
    while (t->creator_count > 0 && t->creators[t->creator_count - 1].depth >= depth)
        t->creator_count--;
}

static void put_creator(struct dicom_text *t, const struct dicom_event *ev) {
    for (size_t i = t->creator_count; i-- > 0;) {
        const struct dicom_text_creator *c = &t->creators[i];
        if (c->depth != ev->depth || c->block != (ev->tag & 0xFFFFFF00u))
            continue;
        struct buf name = BUF_INIT(DECODE_MAX);
        dicom_charset_decode(&t->charset[ev->depth], VR_LO, slice_of(c->name, c->n), &name);
        buf_append_str(t->out, " of ");
        dicom_text_escape(t->out, slice_trim(buf_slice(&name), " "));
        buf_fini(&name);
        return;
    }
}

static const char *name_of(uint32_t tag) {
    const struct std_tag *row = std_tag_find(tag);
    if (row)
        return std_tag_keyword(row);
    if (tag_is_group_length(tag))
        return "GenericGroupLength";
    if (tag_is_private_creator(tag))
        return "PrivateCreator";
    return tag_is_private(tag) ? "private" : "unknown";
}

static void end_line(struct dicom_text *t, const struct dicom_event *ev, size_t line_at) {
    buf_u8(t->out, ' ');
    while (buf_ok(t->out) && t->out->n - line_at < KEYWORD_COLUMN)
        buf_u8(t->out, ' ');
    buf_append_str(t->out, name_of(ev->tag));
    if (tag_is_private(ev->tag))
        put_creator(t, ev);
    buf_u8(t->out, '\n');
}

static void put_line(struct dicom_text *t, const struct dicom_event *ev) {
    size_t at = t->out->n;
    begin_line(t, ev);
    if (ev->kind == DICOM_EV_BULK)
        buf_printf(t->out, "(%u bytes at %llu)", ev->length, (unsigned long long)ev->offset);
    else if (ev->kind == DICOM_EV_ELEMENT)
        put_value(t, ev);
    end_line(t, ev, at);
}

static void put_item(struct dicom_text *t, const struct dicom_event *ev, const char *what) {
    for (unsigned i = 0; i < ev->depth; i++)
        buf_append(t->out, "  ", 2);
    buf_printf(t->out, "%s %u", what, ev->item + (ev->kind == DICOM_EV_ITEM));
    if (ev->kind == DICOM_EV_FRAGMENT)
        buf_printf(t->out, " (%u bytes at %llu)", ev->length, (unsigned long long)ev->offset);
    buf_u8(t->out, '\n');
}

enum err dicom_text_event(void *text, const struct dicom_event *ev, struct fault *f) {
    struct dicom_text *t = text;
    switch (ev->kind) {
    case DICOM_EV_ELEMENT:
        if (ev->tag == TAG_SpecificCharacterSet)
            dicom_charset_init(&t->charset[ev->depth], ev->value);
        note_creator(t, ev);
        put_line(t, ev);
        break;
    case DICOM_EV_BULK:
    case DICOM_EV_SEQUENCE:
    case DICOM_EV_ENCAPSULATED: put_line(t, ev); break;
    case DICOM_EV_ITEM:
        t->charset[ev->depth] = t->charset[ev->depth - 1];
        forget_creators(t, ev->depth);
        put_item(t, ev, "- item");
        break;
    case DICOM_EV_FRAGMENT: put_item(t, ev, ev->item == 0 ? "  - offset table" : "  - fragment"); break;
    case DICOM_EV_ITEM_END: forget_creators(t, ev->depth); break;
    case DICOM_EV_SEQUENCE_END:
    case DICOM_EV_ENCAPSULATED_END:
    case DICOM_EV_CHUNK:
    case DICOM_EV_END: break;
    }
    return buf_check(t->out, f, "text longer than %zu bytes", t->out->max);
}
