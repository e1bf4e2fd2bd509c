#include "dicom/json.h"

#include <stdio.h>

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
    bool any; // a member has been written
    const struct dicom_element *parent;
    size_t item;
    struct dicom_charset charset;
};

struct json {
    const struct dicom_json_options *o;
    struct buf *out;
    struct buf text;
    size_t depth;
    struct frame stack[DICOM_DEPTH_MAX + 1];
};

static void newline(struct json *j, size_t levels) {
    if (!j->o->indent)
        return;
    buf_u8(j->out, '\n');
    for (size_t i = 0; i < levels; i++)
        buf_append(j->out, "  ", 2);
}

static void begin_set(struct json *j, struct frame *fr, const struct dicom_charset *outer) {
    const struct dicom_element *e = dicom_dataset_find(fr->ds, TAG_SpecificCharacterSet);
    if (e)
        dicom_charset_init(&fr->charset, e->value);
    else
        fr->charset = *outer;
    fr->next = 0;
    fr->any = false;
    buf_u8(j->out, '{');
}

static void path_of(const struct json *j, const struct dicom_element *e, char path[PATH_CHARS]) {
    size_t n = 0;
    path[0] = 0;
    for (size_t i = 1; i <= j->depth; i++)
        n += (size_t)snprintf(path + n, PATH_CHARS - n, "%08X/%zu/", j->stack[i].parent->tag,
                              j->stack[i].item + 1);
    snprintf(path + n, PATH_CHARS - n, "%08X", e->tag);
}

static void write_ref(struct json *j, const struct dicom_element *e) {
    char path[PATH_CHARS];
    if (!j->o->uri)
        return;
    path_of(j, e, path);
    buf_reset(&j->text);
    if (!j->o->uri(j->o->uri_ctx, path, e, &j->text))
        return;
    if (!buf_ok(&j->text))
        j->out->failed = true;
    buf_append_str(j->out, ",\"BulkDataURI\":");
    dicom_json_string(j->out, buf_slice(&j->text));
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

static bool is_left_out(const struct dicom_element *e) {
    return tag_is_group_length(e->tag) || tag_group(e->tag) == 0x0002 || tag_group(e->tag) == 0x0000;
}

// Goes down into a sequence that has items.
static void write_element(struct json *j, const struct dicom_element *e) {
    struct frame *fr = &j->stack[j->depth];
    if (fr->any)
        buf_u8(j->out, ',');
    fr->any = true;
    newline(j, 2 * j->depth + 1);
    put_head(j->out, e);
    if (e->is_sequence && dicom_items_count(e) > 0) {
        buf_append_str(j->out, ",\"Value\":[");
        newline(j, 2 * j->depth + 2);
        struct frame *child = &j->stack[++j->depth];
        child->parent = e;
        child->item = 0;
        child->ds = dicom_items_at(e, 0);
        begin_set(j, child, &fr->charset);
        return;
    }
    if (e->is_ref)
        write_ref(j, e);
    else if (e->tag == TAG_SpecificCharacterSet && !j->o->keep_charset && e->value.n > 0)
        buf_append_str(j->out, ",\"Value\":[\"ISO_IR 192\"]");
    else
        json_value_write(j->out, &j->text, e, &fr->charset);
    buf_u8(j->out, '}');
}

// The item is done: the next one, or back to what the sequence is in.
static void end_item(struct json *j) {
    struct frame *fr = &j->stack[j->depth];
    if (fr->any)
        newline(j, 2 * j->depth);
    buf_u8(j->out, '}');
    if (++fr->item < dicom_items_count(fr->parent)) {
        buf_u8(j->out, ',');
        newline(j, 2 * j->depth);
        fr->ds = dicom_items_at(fr->parent, fr->item);
        begin_set(j, fr, &j->stack[j->depth - 1].charset);
        return;
    }
    j->depth--;
    buf_append(j->out, "]}", 2);
}

static enum err write_set(struct json *j, struct fault *f) {
    begin_set(j, &j->stack[0], &dicom_charset_ascii);
    for (;;) {
        struct frame *fr = &j->stack[j->depth];
        const struct dicom_element *e = dicom_dataset_at(fr->ds, fr->next++);
        if (!buf_ok(j->out))
            return fault_set(f, ERR_LIMIT, "JSON longer than %zu bytes", j->out->max);
        if (!e && j->depth == 0)
            break;
        if (!e)
            end_item(j);
        else if (e->is_sequence && dicom_items_count(e) > 0 && j->depth == DICOM_DEPTH_MAX)
            return fault_set(f, ERR_DEPTH, "data set to write");
        else if (!is_left_out(e))
            write_element(j, e);
    }
    if (j->stack[0].any)
        newline(j, 0);
    buf_u8(j->out, '}');
    return buf_ok(j->out) ? OK : fault_set(f, ERR_LIMIT, "JSON longer than %zu bytes", j->out->max);
}

enum err dicom_json_write(const struct dicom_dataset *ds, const struct dicom_json_options *o, struct buf *out,
                          struct fault *f) {
    static const struct dicom_json_options plain;
    struct json j = {.o = o ? o : &plain, .out = out, .text = BUF_INIT(TEXT_MAX)};
    j.stack[0].ds = ds;
    enum err e = write_set(&j, f);
    buf_fini(&j.text);
    return e;
}
