#include "dicom/xml_write.h"

#include "base/utf8.h"
#include "dicom/json_value.h"
#include "dicom/model_walk.h"
#include "dicom/number_text.h"
#include "std/tag.h"

struct xml {
    struct model_walk walk;
    struct buf *out;
};

static void put(struct xml *x, const char *s) {
    buf_append_str(x->out, s);
}

static void newline(struct xml *x, size_t levels) {
    model_walk_newline(&x->walk, x->out, levels);
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

static void open_numbered(struct xml *x, const char *name, size_t number, size_t depth) {
    newline(x, 2 * depth + 2);
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
    buf_reset(&x->walk.text);
    dicom_charset_decode(cs, vr, value, &x->walk.text);
    buf_fail(x->out, buf_error(&x->walk.text));
    struct slice rest = buf_slice(&x->walk.text);
    if (json_value_trim(vr, rest).n == 0 || (vr == VR_PN && slice_trim(rest, " =^").n == 0))
        return;
    for (size_t number = 1; rest.p && buf_ok(x->out); number++) {
        struct slice one = rest;
        rest.p = NULL;
        if (std_vr_info(vr)->multi)
            one = slice_split(one, '\\', &rest);
        one = json_value_trim(vr, one);
        open_numbered(x, name, number, x->walk.depth);
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
        open_numbered(x, "Value", i + 1, x->walk.depth);
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
        newline(x, 2 * x->walk.depth + 2);
        put(x, "<InlineBinary>");
        json_value_base64(x->out, e->value);
        close_tag(x, "InlineBinary");
        break;
    }
}

// --- Attributes ---------------------------------------------------------------------------------

static void put_ref(struct xml *x, const struct dicom_element *e) {
    struct slice uri;
    if (!model_walk_uri(&x->walk, e, &uri))
        return;
    buf_fail(x->out, buf_error(&x->walk.text));
    newline(x, 2 * x->walk.depth + 2);
    put(x, "<BulkData uri=\"");
    put_text(x, uri);
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
    buf_reset(&x->walk.text);
    dicom_charset_decode(cs, VR_LO, creator, &x->walk.text);
    put_attribute(x, "privateCreator", buf_slice(&x->walk.text));
}

// At a sequence's begin and end the walk is another level deep than the attribute.
static void put_head(struct xml *x, const struct dicom_element *e, const struct model_level *l) {
    struct slice creator = dicom_dataset_creator(l->ds, e->tag);
    const struct std_tag *known = std_tag_find(e->tag);
    uint8_t tag[8];
    newline(x, 2 * (size_t)(l - x->walk.levels) + 1);
    dicom_hex_u32(creator.n ? e->tag & 0xFFFF00FFu : e->tag, tag);
    put(x, "<DicomAttribute");
    put_attribute(x, "tag", slice_of(tag, sizeof tag));
    put_attribute(x, "vr", slice_of(std_vr_info(json_value_vr(e))->code, 2));
    if (known)
        put_attribute(x, "keyword", slice_str(std_tag_keyword(known)));
    if (creator.n)
        put_creator(x, &l->charset, creator);
    buf_u8(x->out, '>');
}

static void end_attribute(struct xml *x) {
    newline(x, 2 * x->walk.depth + 1);
    close_tag(x, "DicomAttribute");
}

static void put_element(struct xml *x, const struct dicom_element *e) {
    const struct model_level *l = model_walk_level(&x->walk);
    put_head(x, e, l);
    if (e->is_ref)
        put_ref(x, e);
    else if (model_walk_is_charset(&x->walk, e)) {
        open_numbered(x, "Value", 1, x->walk.depth);
        put(x, "ISO_IR 192</Value>");
    } else if (e->value.n > 0) {
        put_value(x, e, &l->charset);
    }
    end_attribute(x);
}

static void close_item(struct xml *x, size_t depth) {
    newline(x, 2 * depth);
    close_tag(x, "Item");
}

static void put_step(struct xml *x, enum model_step step, const struct dicom_element *e) {
    struct model_walk *w = &x->walk;
    if (step == MODEL_ELEMENT) {
        put_element(x, e);
    } else if (step == MODEL_SEQUENCE) {
        put_head(x, e, model_walk_level(w) - 1);
        open_numbered(x, "Item", 1, w->depth - 1);
    } else if (step == MODEL_ITEM) {
        close_item(x, w->depth);
        open_numbered(x, "Item", model_walk_level(w)->item + 1, w->depth - 1);
    } else {
        close_item(x, w->depth + 1);
        end_attribute(x);
    }
}

static enum err put_set(struct xml *x, struct fault *f) {
    while (buf_ok(x->out)) {
        const struct dicom_element *e = NULL;
        enum model_step step = model_walk_next(&x->walk, &e);
        if (step == MODEL_TOO_DEEP)
            return fault_set(f, ERR_DEPTH, "data set to write");
        if (step == MODEL_END)
            break;
        put_step(x, step, e);
    }
    newline(x, 0);
    close_tag(x, "NativeDicomModel");
    return buf_check(x->out, f, "XML longer than %zu bytes", x->out->max);
}

enum err dicom_xml_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                         struct fault *f) {
    struct xml x = {.out = out};
    model_walk_init(&x.walk, ds, o);
    put(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<NativeDicomModel "
            "xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">");
    enum err e = put_set(&x, f);
    model_walk_fini(&x.walk);
    return e;
}
