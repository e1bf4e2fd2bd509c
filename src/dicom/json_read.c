#include "dicom/json_read.h"

#include "base/hex.h"
#include "dicom/model_build.h"

// A data set being read: its remaining members, and what else is in its sequence.
struct frame {
    size_t key, key_end;
    size_t item, item_end;
};

struct reading {
    const struct json *json;
    struct model_build build;
    struct buf text;
    size_t depth;
    struct frame stack[DICOM_DEPTH_MAX + 1];
};

// The members of one attribute: token indices, 0 for none.
struct members {
    size_t vr, value, binary, uri;
};

static const struct json_token *token(const struct reading *r, size_t i) {
    return &r->json->token[i];
}

static struct slice text_of(struct reading *r, size_t i) {
    if (!token(r, i)->escaped)
        return json_raw(r->json, i);
    buf_reset(&r->text);
    json_string(r->json, i, &r->text);
    return buf_slice(&r->text);
}

static enum err wrong(struct reading *r, const char *why) {
    return model_wrong(&r->build, ERR_SYNTAX, why);
}

// --- Values -------------------------------------------------------------------------------------

static enum err read_pn(struct reading *r, size_t i) {
    static const char *const names[] = {"Alphabetic", "Ideographic", "Phonetic"};
    size_t group[3] = {0}, known = 0;
    for (size_t g = 0; g < 3; g++) {
        group[g] = json_member(r->json, i, names[g]);
        known += group[g] != 0;
    }
    if (known != token(r, i)->n)
        return wrong(r, "a person name with an unknown key, or one twice");
    enum err e = model_pn(&r->build);
    for (unsigned g = 0; g < 3 && e == OK; g++) {
        if (group[g] && token(r, group[g])->kind != JSON_STRING)
            return wrong(r, "a part of a person name is no string");
        if (group[g])
            e = model_pn_group(&r->build, g, text_of(r, group[g]));
    }
    return e;
}

static bool may_be_string(enum vr vr) {
    return std_vr_info(vr)->class_ != VR_CLASS_NUMBER || vr == VR_AT || vr == VR_SV || vr == VR_UV ||
           vr == VR_FL || vr == VR_FD;
}

static enum err read_string(struct reading *r, enum vr vr, size_t i) {
    struct slice s = text_of(r, i);
    if (!may_be_string(vr))
        return wrong(r, "a string where a number is expected");
    // Of the numbers that have words, only these are strings.
    if ((vr == VR_FL || vr == VR_FD) && s.n > 0 && strchr("0123456789.", s.p[s.n - 1]))
        return wrong(r, "a string where a number is expected");
    return model_text(&r->build, s);
}

static enum err read_value(struct reading *r, enum vr vr, size_t i) {
    switch ((enum json_kind)token(r, i)->kind) {
    case JSON_NULL:
        return model_null(&r->build);
    case JSON_NUMBER:
        return vr == VR_AT ? wrong(r, "a number where a tag is expected")
                           : model_number(&r->build, json_raw(r->json, i));
    case JSON_STRING:
        return read_string(r, vr, i);
    case JSON_OBJECT:
        return read_pn(r, i);
    case JSON_FALSE:
    case JSON_TRUE:
    case JSON_ARRAY:
        break;
    }
    return wrong(r, "a value that is none");
}

static enum err read_values(struct reading *r, enum vr vr, size_t array) {
    if (std_vr_info(vr)->class_ != VR_CLASS_STRING && std_vr_info(vr)->class_ != VR_CLASS_NUMBER)
        return wrong(r, "a Value where this VR has none");
    enum err e = OK;
    for (size_t i = array + 1; i < token(r, array)->next && e == OK; i = token(r, i)->next)
        e = read_value(r, vr, i);
    return e;
}

// --- Attributes ---------------------------------------------------------------------------------

static enum err find_members(struct reading *r, size_t object, struct members *m) {
    const struct {
        const char *name;
        size_t *at;
        enum json_kind kind;
    } known[] = {{"vr", &m->vr, JSON_STRING},
                 {"Value", &m->value, JSON_ARRAY},
                 {"InlineBinary", &m->binary, JSON_STRING},
                 {"BulkDataURI", &m->uri, JSON_STRING}};
    *m = (struct members){0};
    for (size_t k = object + 1; k < token(r, object)->next; k = token(r, k + 1)->next) {
        size_t i = 0;
        while (i < 4 && !json_is(r->json, k, known[i].name))
            i++;
        if (i == 4)
            return wrong(r, "an unknown key");
        if (*known[i].at)
            return wrong(r, "a key that comes twice");
        if (token(r, k + 1)->kind != known[i].kind)
            return wrong(r, "a key with a value of the wrong kind");
        *known[i].at = k + 1;
    }
    if (!m->vr)
        return wrong(r, "no vr");
    if ((m->value != 0) + (m->binary != 0) + (m->uri != 0) > 1)
        return wrong(r, "more than one of Value, InlineBinary and BulkDataURI");
    return OK;
}

static enum vr vr_of(struct reading *r, size_t i) {
    struct slice s = text_of(r, i);
    return s.n == 2 ? std_vr_from_code(s.p[0], s.p[1]) : VR_UNKNOWN;
}

// The next item, or the end of the sequence.
static enum err next_item(struct reading *r) {
    struct frame *fr = &r->stack[r->depth];
    if (fr->item == fr->item_end) {
        r->depth--;
        return model_element_end(&r->build);
    }
    if (token(r, fr->item)->kind != JSON_OBJECT)
        return wrong(r, "an item that is no object");
    enum err e = model_item(&r->build);
    fr->key = fr->item + 1;
    fr->key_end = fr->item = token(r, fr->item)->next;
    return e;
}

static enum err read_sequence(struct reading *r, size_t array) {
    if (r->depth == DICOM_DEPTH_MAX)
        return model_wrong(&r->build, ERR_DEPTH, "nested too deeply");
    r->stack[++r->depth] = (struct frame){.item = array + 1, .item_end = token(r, array)->next};
    return next_item(r);
}

static enum err read_attribute(struct reading *r, size_t key) {
    struct members m;
    uint32_t tag;
    if (!hex_u32(json_raw(r->json, key), &tag))
        return wrong(r, "a key that is no tag of 8 hexadecimal digits");
    enum err e = model_element(&r->build, tag, VR_UN);
    if (e == OK && token(r, key + 1)->kind != JSON_OBJECT)
        return wrong(r, "an attribute that is no object");
    if (e == OK)
        e = find_members(r, key + 1, &m);
    if (e != OK)
        return e;
    enum vr vr = vr_of(r, m.vr);
    e = model_element(&r->build, tag, vr);
    if (e == OK && vr == VR_SQ && m.value)
        return read_sequence(r, m.value);
    if (e == OK && m.value)
        e = read_values(r, vr, m.value);
    else if (e == OK && m.binary)
        e = model_binary(&r->build, text_of(r, m.binary));
    else if (e == OK && m.uri)
        e = model_uri(&r->build, text_of(r, m.uri));
    return e == OK ? model_element_end(&r->build) : e;
}

// --- Data sets ----------------------------------------------------------------------------------

static enum err read_set(struct reading *r) {
    enum err e = OK;
    while (e == OK) {
        struct frame *fr = &r->stack[r->depth];
        if (!buf_ok(&r->text))
            return model_wrong(&r->build, ERR_NO_MEMORY, "for a value");
        if (fr->key < fr->key_end) {
            size_t key = fr->key;
            fr->key = token(r, key + 1)->next;
            e = read_attribute(r, key);
        } else if (r->depth == 0) {
            break;
        } else {
            e = model_item_end(&r->build);
            if (e == OK)
                e = next_item(r);
        }
    }
    return e;
}

static enum err read_one(struct reading *r, size_t object, struct arena *a, struct fault *f,
                         struct dicom_model *ret_model) {
    if (token(r, object)->kind != JSON_OBJECT)
        return fault_set(f, ERR_SYNTAX, "a data set that is no object");
    r->stack[0] = (struct frame){.key = object + 1, .key_end = token(r, object)->next};
    enum err e = model_begin(&r->build, a, f);
    if (e == OK)
        e = read_set(r);
    return e == OK ? model_end(&r->build, ret_model) : e;
}

enum err dicom_json_read(struct dicom_json_reader *r, struct arena *a, struct fault *f,
                         struct dicom_model *ret_model) {
    bug_unless(dicom_json_reader_more(r));
    struct reading rd = {.json = &r->json, .text = BUF_INIT(DICOM_MODEL_TEXT_MAX)};
    size_t object = r->next;
    r->next = r->json.token[object].next;
    r->number++;
    model_init(&rd.build);
    enum err e = read_one(&rd, object, a, f, ret_model);
    model_fini(&rd.build);
    buf_fini(&rd.text);
    return e;
}

enum err dicom_json_reader_init(struct dicom_json_reader *r, struct slice text, struct fault *f) {
    struct json j;
    if (text.n > DICOM_MODEL_TEXT_MAX)
        return fault_set(f, ERR_LIMIT, "JSON longer than %d bytes", DICOM_MODEL_TEXT_MAX);
    enum err e = json_scan(text, DICOM_JSON_TOKENS_MAX, f, &j);
    if (e != OK)
        return e;
    if (j.token[0].kind != JSON_ARRAY && j.token[0].kind != JSON_OBJECT) {
        json_fini(&j);
        return fault_set(f, ERR_SYNTAX, "JSON that is no data set");
    }
    *r = (struct dicom_json_reader){.json = j, .next = j.token[0].kind == JSON_ARRAY, .end = j.count};
    return OK;
}

void dicom_json_reader_fini(struct dicom_json_reader *r) {
    json_fini(&r->json);
}

size_t dicom_json_reader_count(const struct dicom_json_reader *r) {
    return r->json.token[0].kind == JSON_ARRAY ? r->json.token[0].n : 1;
}

bool dicom_json_reader_more(const struct dicom_json_reader *r) {
    return r->next < r->end;
}
