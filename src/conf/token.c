#include "conf/token.h"

#include "base/cleanup.h"
#include "base/hex.h"
#include "conf/file.h"
#include "conf/folder.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *word;
    unsigned right;
} words[] = {
    {"store", CONF_TOKEN_STORE},   {"query", CONF_TOKEN_QUERY}, {"retrieve", CONF_TOKEN_RETRIEVE},
    {"delete", CONF_TOKEN_DELETE}, {"admin", CONF_TOKEN_ADMIN},
};
enum { WORDS = sizeof words / sizeof *words };

static unsigned right_of(struct slice word) {
    for (size_t i = 0; i < WORDS; i++)
        if (slice_eq_str(word, words[i].word))
            return words[i].right;
    return 0;
}

bool conf_token_can_parse(struct slice text, unsigned *ret_can) {
    unsigned can = 0;
    struct slice rest = text;
    do {
        unsigned right = right_of(slice_trim(slice_split(rest, ',', &rest), " "));
        if (!right)
            return false;
        can |= right;
    } while (rest.p);
    *ret_can = can;
    return true;
}

void conf_token_can_format(unsigned can, char ret_text[CONF_TOKEN_CAN_MAX]) {
    size_t n = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < WORDS; i++)
        if (can & words[i].right)
            n += (size_t)snprintf(ret_text + n, CONF_TOKEN_CAN_MAX - n, "%s%s", n ? "," : "", words[i].word);
}

void conf_time_format(int64_t s, char ret_text[CONF_TIME_TEXT]) {
    time_t t = (time_t)s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(ret_text, CONF_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        strcpy(ret_text, "?");
}

static bool take_time(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    char text[CONF_TIME_TEXT];
    struct tm tm = {0};
    const char *end =
        slice_to_cstr(value, text, sizeof text) ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
    if (!end || *end || tm.tm_year < 70) {
        fault_set(f, ERR_CONFIG, "must be a time such as \"2027-01-31T12:00:00Z\"");
        return false;
    }
    int64_t s = timegm(&tm);
    memcpy((uint8_t *)dst + o->offset, &s, sizeof s);
    return true;
}

static bool take_name(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (conf_title_valid(value))
        return slice_to_cstr(value, ((struct conf_token *)dst)->name, CONF_NAME_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be 1 to %d bytes of UTF-8 text", CONF_NAME_MAX);
    return false;
}

static bool take_user(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (conf_name_valid(value))
        return slice_to_cstr(value, ((struct conf_token *)dst)->user, CONF_NAME_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be a user's name");
    return false;
}

static bool take_can(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (conf_token_can_parse(value, &((struct conf_token *)dst)->can))
        return true;
    fault_set(f, ERR_CONFIG, "must be a list of store, query, retrieve, delete, admin");
    return false;
}

static bool take_digest(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    (void)o;
    if (hex_decode(value, ((struct conf_token *)dst)->digest, CONF_TOKEN_DIGEST_BYTES))
        return true;
    fault_set(f, ERR_CONFIG, "must be a SHA-256 in hexadecimal, not the token");
    return false;
}

#define AT(member) offsetof(struct conf_token, member)
static const struct conf_option options[] = {
    {"name", take_name, 0, 0, 0, "What it is for.", false, true},
    {"user", take_user, 0, 0, 0, "Whose it is: it never may more than this user.", false, true},
    {"can", take_can, 0, 0, 0, "What it may do, if its user may.", false, true},
    {"sha256", take_digest, 0, 0, 0, "Of the token, which is kept nowhere.", false, true},
    {"created", take_time, AT(created_s), 0, 0, "", false, true},
    {"expires", take_time, AT(expires_s), 0, 0, "It is good for nothing afterwards.", false, true},
    {"collections", conf_take_collections, AT(collections), 0, 0,
     "Only these parts of the archive; empty: all its user sees.", false, false},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

enum err conf_token_load(const char *dir, const char *id, struct conf_token *ret_token, struct fault *f) {
    char path[4096], shown[CONF_NAME_MAX + 32];
    struct conf_token t = {0};
    snprintf(shown, sizeof shown, "tokens/%s.conf", id);
    if (!slice_to_cstr(slice_str(id), t.id, sizeof t.id) ||
        (size_t)snprintf(path, sizeof path, "%s/%s", dir, shown) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "%s: the name is too long", shown);
    enum err e = conf_file_parse(path, shown, options, OPTION_COUNT, &t, f);
    if (e == OK)
        *ret_token = t;
    return e;
}

static void put_time(struct buf *b, const char *name, int64_t s) {
    char text[CONF_TIME_TEXT];
    conf_time_format(s, text);
    conf_put_text(b, name, text);
}

static void put_token(struct buf *b, const struct conf_token *t) {
    char text[2 * CONF_TOKEN_DIGEST_BYTES + 1];
    conf_put_text(b, "name", t->name);
    conf_put_text(b, "user", t->user);
    conf_token_can_format(t->can, text);
    conf_put_text(b, "can", text);
    hex_encode(t->digest, sizeof t->digest, text);
    conf_put_comment(b, options[3].comment);
    conf_put_text(b, "sha256", text);
    put_time(b, "created", t->created_s);
    put_time(b, "expires", t->expires_s);
    if (t->collections[0])
        conf_put_text(b, "collections", t->collections);
}

enum err conf_token_save(const char *dir, const struct conf_token *t, struct fault *f) {
    char path[4096], file[CONF_TOKEN_ID_MAX + 16];
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CONF_FILE_MAX_BYTES);
    put_token(&b, t);
    snprintf(file, sizeof file, "%s.conf", t->id);
    if (!buf_ok(&b) || (size_t)snprintf(path, sizeof path, "%s/tokens", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "tokens/%s: the path is too long", file);
    return conf_write_file(path, file, 0600, buf_slice(&b), f);
}

enum err conf_token_remove(const char *dir, const char *id, struct fault *f) {
    char path[4096];
    if (!conf_name_valid(slice_str(id)) ||
        (size_t)snprintf(path, sizeof path, "%s/tokens/%s.conf", dir, id) >= sizeof path)
        return ERR_NO_SUCH_OBJECT;
    if (unlink(path) == 0)
        return OK;
    return errno == ENOENT ? ERR_NO_SUCH_OBJECT : fault_errno(f, "tokens");
}

enum err conf_tokens_load(const char *dir, struct conf_tokens *ret_tokens, struct fault *f) {
    char path[4096];
    struct conf_names names = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/tokens", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_folder_list(path, ".conf", CONF_TOKENS_MAX, &names, f);
    if (e != OK)
        return e;
    struct conf_tokens all = {.v = calloc(names.n + 1, sizeof *all.v)};
    for (size_t i = 0; e == OK && all.v && i < names.n; i++) {
        struct fault why = {0};
        if (conf_token_load(dir, names.v[i], &all.v[all.n], &why) == OK)
            all.n++;
        else
            e = conf_leave_out(&why, &all.problems, &all.problem_count, f);
    }
    free(names.v);
    if (!all.v)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory for the tokens");
    if (e != OK) {
        conf_tokens_fini(&all);
        return e;
    }
    *ret_tokens = all;
    return OK;
}

void conf_tokens_fini(struct conf_tokens *t) {
    free(t->v);
    free(t->problems);
    *t = (struct conf_tokens){0};
}
