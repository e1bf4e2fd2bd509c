#include "dicom/json.h"

#include "dicom/json_value.h"
#include "dicom/model_walk.h"
#include "dicom/number_text.h"
#include "std/tag.h"

static void begin_member(struct model_walk *w, struct model_level *l, size_t depth, struct buf *out) {
    if (l->any)
        buf_u8(out, ',');
    l->any = true;
    model_walk_newline(w, out, 2 * depth + 1);
}

static void put_head(struct buf *out, const struct dicom_element *e) {
    static const char head[] = "\"00000000\":{\"vr\":\"??\"";
    enum { TAG_PLACE = 1, VR_PLACE = 18 };
    uint8_t *p = buf_extend(out, sizeof head - 1);
    if (!p)
        return;
    memcpy(p, head, sizeof head - 1);
    dicom_hex_u32(e->tag, p + TAG_PLACE);
    memcpy(p + VR_PLACE, std_vr_info(json_value_vr(e))->code, 2);
}

static void write_ref(struct model_walk *w, const struct dicom_element *e, struct buf *out) {
    struct slice uri;
    if (!model_walk_uri(w, e, &uri))
        return;
    buf_fail(out, buf_error(&w->text));
    buf_append_str(out, ",\"BulkDataURI\":");
    dicom_json_string(out, uri);
}

static void write_element(struct model_walk *w, const struct dicom_element *e, struct buf *out) {
    struct model_level *l = model_walk_level(w);
    begin_member(w, l, w->depth, out);
    put_head(out, e);
    if (e->is_ref)
        write_ref(w, e, out);
    else if (model_walk_is_charset(w, e))
        buf_append_str(out, ",\"Value\":[\"ISO_IR 192\"]");
    else
        json_value_write(out, &w->text, e, &l->charset);
    buf_u8(out, '}');
}

// The walk is in the first item already.
static void open_sequence(struct model_walk *w, const struct dicom_element *e, struct buf *out) {
    begin_member(w, model_walk_level(w) - 1, w->depth - 1, out);
    put_head(out, e);
    buf_append_str(out, ",\"Value\":[");
    model_walk_newline(w, out, 2 * w->depth);
    buf_u8(out, '{');
}

static void close_set(const struct model_walk *w, size_t depth, bool any, struct buf *out) {
    if (any)
        model_walk_newline(w, out, 2 * depth);
    buf_u8(out, '}');
}

static enum err write_set(struct model_walk *w, struct buf *out, struct fault *f) {
    buf_u8(out, '{');
    while (buf_ok(out)) {
        const struct dicom_element *e;
        bool any = model_walk_level(w)->any;
        switch (model_walk_next(w, &e)) {
        case MODEL_ELEMENT:
            write_element(w, e, out);
            break;
        case MODEL_SEQUENCE:
            open_sequence(w, e, out);
            break;
        case MODEL_ITEM:
            close_set(w, w->depth, any, out);
            buf_u8(out, ',');
            model_walk_newline(w, out, 2 * w->depth);
            buf_u8(out, '{');
            break;
        case MODEL_SEQUENCE_END:
            close_set(w, w->depth + 1, any, out);
            buf_append(out, "]}", 2);
            break;
        case MODEL_TOO_DEEP:
            return fault_set(f, ERR_DEPTH, "data set to write");
        case MODEL_END:
            close_set(w, 0, any, out);
            return buf_check(out, f, "JSON longer than %zu bytes", out->max);
        }
    }
    return buf_check(out, f, "JSON longer than %zu bytes", out->max);
}

enum err dicom_json_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                          struct fault *f) {
    struct model_walk w;
    model_walk_init(&w, ds, o);
    enum err e = write_set(&w, out, f);
    model_walk_fini(&w);
    return e;
}
