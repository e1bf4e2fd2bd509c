// Every file of the corpus: read whole and in odd pieces with the same events, summarised, and the summary
// read back. Skipped where the corpus is missing.
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dicom/json.h"
#include "dicom/part10.h"
#include "dicom/summary.h"
#include "trace.h"

enum { FILE_MAX = 64 << 20, TRACE_MAX = 512 << 20 };

static const char *folder;
static unsigned files;

// Cut off, or not DICOM.
static const struct {
    const char *name;
    enum err expected;
} unreadable[] = {
    {"MR_truncated.dcm", ERR_TRUNCATED},
    {"emri_small_jpeg_2k_lossless_too_short.dcm", ERR_TRUNCATED},
    {"rtplan_truncated.dcm", ERR_TRUNCATED},
    {"no_meta.dcm", ERR_SYNTAX}, // a stray byte before the data set
};

static enum err expected(const char *name) {
    for (size_t i = 0; i < sizeof unreadable / sizeof unreadable[0]; i++)
        if (strcmp(name, unreadable[i].name) == 0)
            return unreadable[i].expected;
    return OK;
}

static void check_pieces(const char *name, struct slice s, const struct dicom_reader_options *o,
                         enum err wanted) {
    struct buf whole = BUF_INIT(TRACE_MAX), cut = BUF_INIT(TRACE_MAX);
    enum err e = trace(o, s, &whole, NULL);
    if (e != wanted)
        fail_msg("%s: %s", name, err_name(e));
    static const size_t steps[] = {1, 7, 509, 16378};
    for (size_t i = s.n < 50000 ? 0 : 1; i < sizeof steps / sizeof steps[0]; i++) {
        buf_reset(&cut);
        assert_int_equal(trace_split(o, s, steps[i], steps[i], &cut, NULL), e);
        if (!slice_eq(buf_slice(&whole), buf_slice(&cut)))
            fail_msg("%s: other events in pieces of %zu", name, steps[i]);
    }
    buf_fini(&whole);
    buf_fini(&cut);
}

static void check_summary(const char *name, struct slice s, const struct dicom_reader_options *o) {
    struct dicom_summary *sum = dicom_summary_new(NULL, 0, 0);
    struct arena a = ARENA_INIT(64 << 20);
    struct buf json = BUF_INIT(64 << 20);
    struct dicom_dataset *ds = NULL;
    assert_int_equal(dicom_read(o, s, dicom_summary_event, sum, NULL), OK);
    assert_false(dicom_summary_incomplete(sum));
    assert_int_equal(dicom_summary_parse(dicom_summary_bytes(sum), &a, NULL, &ds), OK);
    assert_int_equal(dicom_json_write(ds, NULL, &json, NULL), OK);
    const struct dicom_frames *f = dicom_summary_frames(sum);
    for (uint32_t i = 0; f->present && f->rows > 0 && i < f->number_of_frames; i++) {
        struct dicom_ref ref = {0, 0};
        size_t first, count;
        bool ok = f->encapsulated ? dicom_frames_locate(f, i, &first, &count)
                                  : dicom_frames_native(f, i, &ref);
        if (!ok || (!o->deflated && ref.offset + ref.length > s.n))
            fail_msg("%s: frame %u is not found", name, i);
    }
    buf_fini(&json);
    arena_fini(&a);
    dicom_summary_free(sum);
}

static void check_file(const char *name, struct slice file) {
    struct dicom_meta m;
    struct dicom_reader_options o;
    enum err wanted = expected(name), e = dicom_meta_parse(file, true, &m, NULL);
    if (e != OK) {
        if (e != wanted)
            fail_msg("%s: %s", name, err_name(e));
        return;
    }
    assert_int_equal(dicom_meta_reader_options(&m, &o, NULL), OK);
    struct slice s = slice_sub(file, (size_t)m.data_set_offset, file.n);
    check_pieces(name, s, &o, wanted);
    if (wanted == OK)
        check_summary(name, s, &o);
}

static void read_file(const char *path, const char *name) {
    struct buf b = BUF_INIT(FILE_MAX);
    FILE *f = fopen(path, "rb");
    uint8_t chunk[65536];
    assert_non_null(f);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_append(&b, chunk, n);
    fclose(f);
    assert_true(buf_ok(&b));
    check_file(name, buf_slice(&b));
    files++;
    buf_fini(&b);
}

static bool is_description(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".txt") == 0);
}

static void read_folder(const char *path, int depth) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char sub[4096];
        struct stat st;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.' || stat(sub, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < 3)
            read_folder(sub, depth + 1); // NOLINT: depth is bounded
        else if (S_ISREG(st.st_mode) && !is_description(e->d_name))
            read_file(sub, e->d_name);
    }
    if (d)
        closedir(d);
}

static void test_all(void **state) {
    (void)state;
    read_folder(folder, 0);
    printf("%u files\n", files);
    assert_true(files > 0);
}

int main(int argc, char **argv) {
    enum { SKIPPED = 77 }; // what meson takes for "skipped"
    struct stat st;
    struct fault f = {0};
    folder = argc > 1 ? argv[1] : "../shared/corpus";
    if (stat(folder, &st) != 0) {
        printf("skipped: no corpus at %s\n", folder);
        return SKIPPED;
    }
    if (dicom_charset_preload(&f) != OK)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests_name("dicom/corpus", tests, NULL, NULL);
}
