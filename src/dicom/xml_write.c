#include "dicom/xml_write.h"

#include <stdio.h>

#include "base/utf8.h"
#include "dicom/json_value.h"
#include "dicom/number_text.h"
#include "std/tag.h"

enum {
    TEXT_MAX = 64 << 20,
    PATH_CHARS = (DICOM_DEPTH_MAX + 1) * 24,
};

// A data set being written, and the sequence whose item it is.
struct frame {
    const struct dicom_dataset *ds;
    size_t next;
    const struct dicom_element *parent;
    size_t item;
    struct dicom_charset charset;
};

struct xml {
    const struct dicom_json_options *o;
    struct buf *out;
    struct buf text;
    size_t depth;
    struct frame stack[DICOM_DEPTH_MAX + 1];
};

static void put(struct xml *x, const char *s) {
    buf_append_str(x->out, s);
}

static void newline(struct xml *x, size_t levels) {
    if (!x->o->indent)
        return;
    buf_u8(x->out, '\n');
    for (size_t i = 0; i < levels; i++)
        put(x, "  ");
}

// --- Characters ---------------------------------------------------------------------------------

static const char *escaped(uint8_t c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;"; // in an attribute it would become a blank
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return "\xEF\xBF\xBD";
    }
}

static size_t plain_run(struct slice s) {
    size_t n = 0;
    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x80 && s.p[n] != '&' && s.p[n] != '<' && s.p[n] != '>' &&
           s.p[n] != '"')
        n++;
    return n;
}

static void put_text(struct xml *x, struct slice s) {
    while (s.n > 0) {
        size_t n = plain_run(s);
        buf_append(x->out, s.p, n);
        s = slice_sub(s, n, s.n);
        if (s.n == 0)
            return;
        uint32_t c;
        n = s.p[0] < 0x80 ? 0 : utf8_decode(s, &c);
        if (n == 0 || c == 0xFFFE || c == 0xFFFF)
            put(x, escaped(s.p[0]));
        else
            buf_append(x->out, s.p, n);
        s = slice_sub(s, n ? n : 1, s.n);
    }
}

// --- Values -------------------------------------------------------------------------------------

static void open_numbered(struct xml *x, const char *name, size_t number) {
    newline(x, 2 * x->depth + 2);
    buf_u8(x->out, '<');
    put(x, name);
    put(x, " number=\"");
    dicom_put_u64(x->out, number);
    put(x, "\">");
}

static void close_tag(struct xml *x, const char *name) {
    put(x, "</");
    put(x, name);
    buf_u8(x->out, '>');
}

static void put_group(struct xml *x, const char *name, struct slice group) {
    static const char *const parts[] = {"FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"};
    group = slice_trim_right(slice_trim(group, " "), " ^");
    if (group.n == 0)
        return;
    buf_u8(x->out, '<');
    put(x, name);
    buf_u8(x->out, '>');
    for (size_t i = 0; i < 5 && group.p; i++) {
        struct slice part = group; // the last takes what is too much
        if (i < 4)
            part = slice_split(group, '^', &group);
        part = slice_trim(part, " ");
        if (part.n == 0)
            continue;
        buf_u8(x->out, '<');
        put(x, parts[i]);
        buf_u8(x->out, '>');
        put_text(x, part);
        close_tag(x, parts[i]);
    }
    close_tag(x, name);
}

static void put_pn(struct xml *x, struct slice name) {
    static const char *const groups[] = {"Alphabetic", "Ideographic", "Phonetic"};
    for (size_t i = 0; i < 3 && name.p; i++)
        put_group(x, groups[i], slice_split(name, '=', &name));
}

static void put_texts(struct xml *x, enum vr vr, struct slice value, const struct dicom_charset *cs) {
    const char *name = vr == VR_PN ? "PersonName" : "Value";
    buf_reset(&x->text);
    dicom_charset_decode(cs, vr, value, &x->text);
    if (!buf_ok(&x->text))
        x->out->failed = true;
    struct slice rest = buf_slice(&x->text);
    if (json_value_trim(vr, rest).n == 0 || (vr == VR_PN && slice_trim(rest, " =^").n == 0))
        return;
    for (size_t number = 1; rest.p && buf_ok(x->out); number++) {
        struct slice one = rest;
        rest.p = NULL;
        if (std_vr_info(vr)->multi)
            one = slice_split(one, '\\', &rest);
        one = json_value_trim(vr, one);
        open_numbered(x, name, number);
        if (vr == VR_PN)
            put_pn(x, one);
        else
            put_text(x, one);
        close_tag(x, name);
    }
}

static void put_numbers(struct xml *x, enum vr vr, struct slice value) {
    size_t unit = std_vr_info(vr)->value_bytes;
    for (size_t i = 0; i < value.n / unit && buf_ok(x->out); i++) {
        open_numbered(x, "Value", i + 1);
        (void)dicom_number_text(x->out, vr, value.p + i * unit);
        close_tag(x, "Value");
    }
}

static void put_value(struct xml *x, const struct dicom_element *e, const struct dicom_charset *cs) {
    enum vr vr = json_value_vr(e);
    switch ((enum vr_class)std_vr_info(vr)->class_) {
    case VR_CLASS_STRING:
        put_texts(x, vr, e->value, cs);
        break;
    case VR_CLASS_NUMBER:
        put_numbers(x, vr, e->value);
        break;
    case VR_CLASS_BYTES:
    case VR_CLASS_NONE:
    case VR_CLASS_SEQUENCE: // one that came as bytes
        newline(x, 2 * x->depth + 2);
        put(x, "<InlineBinary>");
        json_value_base64(x->out, e->value);
        close_tag(x, "InlineBinary");
        break;
    }
}

// --- Attributes ---------------------------------------------------------------------------------

static void path_of(const struct xml *x, const struct dicom_element *e, char path[PATH_CHARS]) {
    size_t n = 0;
    for (size_t i = 1; i <= x->depth; i++)
        n += (size_t)snprintf(path + n, PATH_CHARS - n, "%08X/%zu/", x->stack[i].parent->tag,
                              x->stack[i].item + 1);
    snprintf(path + n, PATH_CHARS - n, "%08X", e->tag);
}

static void put_ref(struct xml *x, const struct dicom_element *e) {
    char path[PATH_CHARS];
    if (!x->o->uri)
        return;
    path_of(x, e, path);
    buf_reset(&x->text);
    if (!x->o->uri(x->o->uri_ctx, path, e, &x->text))
        return;
    if (!buf_ok(&x->text))
        x->out->failed = true;
    newline(x, 2 * x->depth + 2);
    put(x, "<BulkData uri=\"");
    put_text(x, buf_slice(&x->text));
    put(x, "\"/>");
}

static void put_attribute(struct xml *x, const char *name, struct slice value) {
    buf_u8(x->out, ' ');
    put(x, name);
    put(x, "=\"");
    put_text(x, value);
    buf_u8(x->out, '"');
}

static void put_creator(struct xml *x, const struct dicom_charset *cs, struct slice creator) {
    buf_reset(&x->text);
    dicom_charset_decode(cs, VR_LO, creator, &x->text);
    put_attribute(x, "privateCreator", buf_slice(&x->text));
}

static void put_head(struct xml *x, const struct dicom_element *e) {
    const struct frame *fr = &x->stack[x->depth];
    struct slice creator = dicom_dataset_creator(fr->ds, e->tag);
    const struct std_tag *known = std_tag_find(e->tag);
    uint8_t tag[8];
    newline(x, 2 * x->depth + 1);
    dicom_hex_u32(creator.n ? e->tag & 0xFFFF00FFu : e->tag, tag);
    put(x, "<DicomAttribute");
    put_attribute(x, "tag", slice_of(tag, sizeof tag));
    put_attribute(x, "vr", slice_of(std_vr_info(json_value_vr(e))->code, 2));
    if (known)
        put_attribute(x, "keyword", slice_str(std_tag_keyword(known)));
    if (creator.n)
        put_creator(x, &fr->charset, creator);
    buf_u8(x->out, '>');
}

static void end_attribute(struct xml *x) {
    newline(x, 2 * x->depth + 1);
    close_tag(x, "DicomAttribute");
}

static void begin_set(struct frame *fr, const struct dicom_charset *outer) {
    const struct dicom_element *e = dicom_dataset_find(fr->ds, TAG_SpecificCharacterSet);
    if (e)
        dicom_charset_init(&fr->charset, e->value);
    else
        fr->charset = *outer;
    fr->next = 0;
}

static bool is_left_out(const struct dicom_element *e) {
    return tag_is_group_length(e->tag) || tag_group(e->tag) == 0x0002 || tag_group(e->tag) == 0x0000;
}

// Goes down into a sequence that has items.
static void put_element(struct xml *x, const struct dicom_element *e) {
    struct frame *fr = &x->stack[x->depth];
    put_head(x, e);
    if (e->is_sequence && dicom_items_count(e) > 0) {
        open_numbered(x, "Item", 1);
        struct frame *child = &x->stack[++x->depth];
        *child = (struct frame){.ds = dicom_items_at(e, 0), .parent = e};
        begin_set(child, &fr->charset);
        return;
    }
    if (e->is_ref)
        put_ref(x, e);
    else if (e->tag == TAG_SpecificCharacterSet && !x->o->keep_charset && e->value.n > 0) {
        open_numbered(x, "Value", 1);
        put(x, "ISO_IR 192</Value>");
    } else if (e->value.n > 0) {
        put_value(x, e, &fr->charset);
    }
    end_attribute(x);
}

// The item is done: the next one, or back to what the sequence is in.
static void end_item(struct xml *x) {
    struct frame *fr = &x->stack[x->depth];
    x->depth--;
    newline(x, 2 * x->depth + 2);
    close_tag(x, "Item");
    if (++fr->item >= dicom_items_count(fr->parent)) {
        end_attribute(x);
        return;
    }
    open_numbered(x, "Item", fr->item + 1);
    x->depth++;
    fr->ds = dicom_items_at(fr->parent, fr->item);
    begin_set(fr, &x->stack[x->depth - 1].charset);
}

static enum err put_set(struct xml *x, struct fault *f) {
    begin_set(&x->stack[0], &dicom_charset_ascii);
    while (buf_ok(x->out)) {
        struct frame *fr = &x->stack[x->depth];
        const struct dicom_element *e = dicom_dataset_at(fr->ds, fr->next++);
        if (!e && x->depth == 0)
            break;
        if (!e)
            end_item(x);
        else if (e->is_sequence && dicom_items_count(e) > 0 && x->depth == DICOM_DEPTH_MAX)
            return fault_set(f, ERR_DEPTH, "data set to write");
        else if (!is_left_out(e))
            put_element(x, e);
    }
    newline(x, 0);
    close_tag(x, "NativeDicomModel");
    return buf_ok(x->out) ? OK : fault_set(f, ERR_LIMIT, "XML longer than %zu bytes", x->out->max);
}

enum err dicom_xml_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                         struct fault *f) {
    static const struct dicom_json_options plain;
    struct xml x = {.o = o ? o : &plain, .out = out, .text = BUF_INIT(TEXT_MAX)};
    x.stack[0].ds = ds;
    put(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<NativeDicomModel "
            "xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">");
    enum err e = put_set(&x, f);
    buf_fini(&x.text);
    return e;
}
