#include "api.h"

#include "dicom/json.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum { TOKENS_MAX = 256, LINES_MAX_BYTES = 8 * 1024 * 1024 };

const struct api_word api_rights[] = {{"store", IPC_RIGHT_STORE},
                                      {"query", IPC_RIGHT_QUERY},
                                      {"retrieve", IPC_RIGHT_RETRIEVE},
                                      {"delete", IPC_RIGHT_DELETE},
                                      {"admin", IPC_RIGHT_ADMIN}};
const size_t api_right_count = sizeof api_rights / sizeof *api_rights;

// The bits of conf/user.h, which is not ours to include here: a worker knows no configuration.
const struct api_word api_roles[] = {{"reader", 1},     {"radiographer", 2}, {"referrer", 4},
                                     {"researcher", 8}, {"auditor", 16},     {"administrator", 32}};
const size_t api_role_count = sizeof api_roles / sizeof *api_roles;

bool api_body_read(struct request *rq, struct api_body *ret_body) {
    struct slice text;
    struct fault f = {0};
    *ret_body = (struct api_body){.text = BUF_INIT(API_BODY_MAX)};
    enum err e = request_body_whole(rq, API_BODY_MAX, &text, &f);
    if (e == OK)
        e = json_scan(text, TOKENS_MAX, &f, &ret_body->json);
    if (e == OK && ret_body->json.token[0].kind != JSON_OBJECT)
        e = fault_set(&f, ERR_SYNTAX, "the body must be a JSON object");
    if (e != OK && !rq->gone)
        answer_fault(rq, e, &f);
    return e == OK;
}

void api_body_free(struct api_body *b) {
    union {
        const uint8_t *in;
        uint8_t *out;
    } text = {b->json.text.p};
    if (text.out)
        OPENSSL_cleanse(text.out, b->json.text.n);
    if (b->text.p)
        OPENSSL_cleanse(b->text.p, b->text.cap);
    buf_fini(&b->text);
    json_fini(&b->json);
}

struct slice api_text(struct request *rq, struct api_body *b, const char *name) {
    size_t at = json_member(&b->json, 0, name);
    struct slice copy = {NULL, 0};
    if (at == 0 || b->json.token[at].kind != JSON_STRING)
        return copy;
    buf_reset(&b->text);
    json_string(&b->json, at, &b->text);
    if (!buf_ok(&b->text) || !arena_dup(&rq->arena, buf_slice(&b->text), &copy))
        b->no_memory = true;
    return copy;
}

void api_refuse(struct request *rq, const struct api_body *b, const char *fmt, ...) {
    char message[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (b->no_memory)
        answer_fault(rq, ERR_NO_MEMORY, NULL);
    else
        answer_error(rq, 400, "form", "%s", message);
}

bool api_number(struct api_body *b, const char *name, uint64_t max, uint64_t *ret_number) {
    size_t at = json_member(&b->json, 0, name);
    return at != 0 && b->json.token[at].kind == JSON_NUMBER &&
           slice_to_u64(json_raw(&b->json, at), max, ret_number);
}

bool api_words(struct api_body *b, const char *name, const struct api_word *words, size_t count,
               uint32_t *ret_bits) {
    size_t list = json_member(&b->json, 0, name);
    if (list == 0 || b->json.token[list].kind != JSON_ARRAY)
        return false;
    uint32_t bits = 0;
    for (size_t at = list + 1, i = 0; i < b->json.token[list].n; i++, at = b->json.token[at].next) {
        size_t w = 0;
        while (w < count && !json_is(&b->json, at, words[w].word))
            w++;
        if (w == count)
            return false;
        bits |= words[w].bit;
    }
    *ret_bits = bits;
    return true;
}

void api_put_words(struct buf *out, const struct api_word *words, size_t count, uint32_t bits) {
    const char *comma = "";
    buf_append_str(out, "[");
    for (size_t i = 0; i < count; i++)
        if (bits & words[i].bit) {
            buf_printf(out, "%s\"%s\"", comma, words[i].word);
            comma = ",";
        }
    buf_append_str(out, "]");
}

static void put_comma_words(struct buf *out, struct slice words) {
    struct slice rest = words;
    const char *comma = "";
    buf_append_str(out, "[");
    while (rest.p && words.n > 0) {
        buf_append_str(out, comma);
        dicom_json_string(out, slice_split(rest, ',', &rest));
        comma = ",";
    }
    buf_append_str(out, "]");
}

static void put_value(struct buf *out, enum api_kind kind, struct slice text) {
    uint64_t number;
    switch (kind) {
    case API_TEXT:
        dicom_json_string(out, text);
        break;
    case API_NUMBER:
        if (slice_to_u64(text, UINT64_MAX, &number))
            buf_append_slice(out, text);
        else
            buf_append_str(out, "null");
        break;
    case API_BOOL:
        buf_append_str(out, slice_eq_str(text, "1") ? "true" : "false");
        break;
    case API_WORDS_COMMA:
        put_comma_words(out, text);
        break;
    }
}

static void put_line(struct buf *out, struct slice line, const struct api_column *columns, size_t count) {
    struct slice rest = line;
    buf_append_str(out, "{");
    for (size_t i = 0; i < count; i++) {
        struct slice field = rest.p ? slice_split(rest, '\t', &rest) : slice_of(NULL, 0);
        if (i > 0)
            buf_append_str(out, ",");
        buf_printf(out, "\"%s\":", columns[i].name);
        put_value(out, columns[i].kind, field);
    }
    buf_append_str(out, "}");
}

// Auth's details are sentences for people. What does not match is a form filled in wrong: no data set is
// meant.
void api_answer_error(struct request *rq, enum err e, struct slice detail) {
    struct slice text = detail.n > 0 ? detail : slice_str(err_text(e));
    bool form = e == ERR_MISMATCH;
    answer_error(rq, form ? 400 : (int)err_http_status(e), form ? "form" : err_name(e), "%.*s",
                 SLICE_FMT(text));
}

void api_answer_lines(struct request *rq, enum ipc_type type, void *body,
                      void (*more)(void *body, uint32_t from), const struct api_column *columns,
                      size_t count) {
    struct buf out = BUF_INIT(LINES_MAX_BYTES);
    uint32_t lines = 0;
    enum err e = OK;
    buf_append_str(&out, "[");
    for (bool done = false; !done && e == OK;) {
        struct ipc_msg m = channel_call(&rq->archive, type, body, IPC_LINES);
        e = (enum err)m.u.lines.error;
        done = m.u.lines.done || !more;
        struct slice rest = m.u.lines.text;
        while (e == OK && rest.p && rest.n > 0) {
            struct slice line = slice_split(rest, '\n', &rest);
            buf_append_str(&out, lines++ ? "," : "");
            put_line(&out, line, columns, count);
        }
        if (!done && more)
            more(body, lines);
    }
    buf_append_str(&out, "]\n");
    if (e != OK || !buf_ok(&out))
        api_answer_error(rq, e != OK ? e : ERR_LIMIT, SLICE_LIT(""));
    else
        answer_json(rq, 200, &out);
    buf_fini(&out);
}

void api_answer_done(struct request *rq, enum ipc_type type, const void *body) {
    struct ipc_msg m = channel_call(&rq->archive, type, body, IPC_DONE);
    if (m.u.done.error == OK)
        answer_empty(rq, 204);
    else
        api_answer_error(rq, (enum err)m.u.done.error, m.u.done.detail);
}
