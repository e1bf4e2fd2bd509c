#include "bed.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

const uint8_t bed_key[INDEX_KEY_BYTES] = "a key of thirty-two bytes, all .";

const char *bed_folder(void) {
    static char path[256];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/galena-index-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

void bed_path(const char *dir, const char *name, char path[256]) {
    assert_true(snprintf(path, 256, "%s/%s", dir, name) < 256);
}

void bed_clean(const char *dir) {
    DIR *d = opendir(dir);
    struct dirent *entry;
    assert_non_null(d);
    while ((entry = readdir(d))) {
        char path[256];
        if (entry->d_name[0] == '.')
            continue;
        bed_path(dir, entry->d_name, path);
        unlink(path);
    }
    closedir(d);
    assert_int_equal(rmdir(dir), 0);
}

struct index *bed_open(const char *dir) {
    struct index *ix = NULL;
    struct fault f = {0};
    if (index_open(dir, bed_key, NULL, &f, &ix) != OK)
        fail_msg("%s", f.detail);
    return ix;
}

void bed_object_init(struct bed_object *b, int study, int series, int sop) {
    static uint64_t offset;
    *b = (struct bed_object){.attributes = BUF_INIT(65536)};
    snprintf(b->study, sizeof b->study, "1.2.%d", study);
    snprintf(b->series, sizeof b->series, "1.2.%d.%d", study, series);
    snprintf(b->sop, sizeof b->sop, "1.2.%d.%d.%d", study, series, sop);
    offset += 1000;
    b->o = (struct index_object){.study = slice_str(b->study),
                                 .series = slice_str(b->series),
                                 .sop_instance = slice_str(b->sop),
                                 .sop_class = SLICE_LIT("1.2.840.10008.5.1.4.1.1.2"),
                                 .transfer_syntax = SLICE_LIT("1.2.840.10008.1.2.1"),
                                 .ref = {.segment = 3, .front_bytes = 77, .offset = offset, .length = 1000}};
}

static void put(struct buf *b, uint16_t number, const char *text) {
    buf_u16le(b, number);
    buf_u16le(b, (uint16_t)strlen(text));
    buf_append_str(b, text);
}

void bed_put(struct bed_object *b, enum index_attr attr, const char *value, const char *matching) {
    put(&b->attributes, INDEX_ATTR_VALUE(attr), value);
    if (matching)
        put(&b->attributes, INDEX_ATTR_MATCHING(attr), matching);
}

enum err bed_try_add(struct index *ix, struct bed_object *b, enum index_outcome *ret_outcome) {
    struct fault f = {0};
    b->o.attributes = buf_slice(&b->attributes);
    enum err e = index_add(ix, &b->o, NULL, NULL, &f, ret_outcome);
    buf_fini(&b->attributes);
    return e;
}

enum index_outcome bed_add(struct index *ix, struct bed_object *b) {
    enum index_outcome outcome = INDEX_NEW;
    assert_int_equal(bed_try_add(ix, b, &outcome), OK);
    return outcome;
}

const char *bed_find(struct index *ix, enum index_level level, enum index_attr returned, enum index_attr attr,
                     int kind, const char *first, const char *second) {
    static char found[65536];
    struct slice operands[2] = {slice_str(first ? first : ""), slice_str(second ? second : "")};
    uint16_t count = first ? second ? 2 : 1 : 0;
    struct query_condition c = {(uint16_t)attr, (uint8_t)kind, count, operands};
    uint16_t returns[1] = {(uint16_t)returned};
    struct index_query_spec spec = {.level = level, .conditions = &c, .condition_count = kind < 0 ? 0 : 1,
                                    .returns = returns, .return_count = 1};
    struct index_query *q;
    struct fault f = {0};
    enum index_step step;
    size_t n = 0;
    found[0] = '\0';
    if (index_query_open(ix, &spec, &f, &q) != OK)
        fail_msg("%s", f.detail);
    do {
        assert_int_equal(index_query_step(q, &f, &step), OK);
        if (step != INDEX_ROW)
            continue;
        struct slice v = index_query_value(q, 0);
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%.*s", n ? "|" : "", SLICE_FMT(v));
        assert_true(n < sizeof found);
    } while (step != INDEX_END);
    index_query_close(q);
    return found;
}

void bed_commit(struct index *ix) {
    struct fault f = {0};
    if (index_commit(ix, &f) != OK)
        fail_msg("%s", f.detail);
}

struct index_info bed_status(struct index *ix) {
    struct index_info info = {0};
    struct fault f = {0};
    assert_int_equal(index_status(ix, &f, &info), OK);
    return info;
}
