// Packs: what tools/pack_site.py writes is found, and a file that lies about its places is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../../prog/web/pack.h"

#include "base/buf.h"
#include "os/memfd.h"

#include <sys/mman.h>
#include <unistd.h>

static const char *const paths[] = {"/a.js", "/index.html", "/z/deep.css"};
enum { FILES = 3, HEAD = 16, ENTRY = 80 };

// As the tool writes it; `wrong_entry` gets `wrong_offset` for its content.
static struct buf made(uint32_t count, int wrong_entry, uint64_t wrong_offset) {
    struct buf b = BUF_INIT(4096);
    uint32_t at = HEAD + FILES * ENTRY;
    buf_append_str(&b, "GALENAPK");
    buf_u32le(&b, 1);
    buf_u32le(&b, count);
    for (int i = 0; i < FILES; i++) {
        uint32_t n = (uint32_t)strlen(paths[i]);
        buf_u32le(&b, at);
        buf_u32le(&b, n);
        buf_u32le(&b, at);
        buf_u32le(&b, 1);
        buf_u64le(&b, i == wrong_entry ? wrong_offset : at);
        buf_u64le(&b, n);
        buf_u64le(&b, 0);
        buf_u64le(&b, 0);
        for (int k = 0; k < 32; k++)
            buf_u8(&b, (uint8_t)i);
        at += n;
    }
    for (int i = 0; i < FILES; i++)
        buf_append_str(&b, paths[i]);
    return b;
}

static enum err map(struct slice bytes, struct pack *ret_pack) {
    int fd = -1;
    assert_int_equal(os_memfd_of("pack", bytes, &fd, NULL), OK);
    return pack_map(fd, ret_pack, NULL);
}

static void files_are_found(void **state) {
    (void)state;
    struct buf b = made(FILES, -1, 0);
    struct pack p;
    struct pack_file file;
    assert_int_equal(map(buf_slice(&b), &p), OK);
    for (int i = 0; i < FILES; i++) {
        assert_true(pack_find(&p, slice_str(paths[i]), &file));
        assert_true(slice_eq_str(file.plain, paths[i]));
        assert_int_equal(file.sha256[31], i);
        assert_int_equal(file.gzip.n, 0);
    }
    static const char *const absent[] = {"", "/", "/a.j", "/a.jsx", "/zz", "../index.html"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_false(pack_find(&p, slice_str(absent[i]), &file));
    buf_fini(&b);
}

static void lies_are_refused(void **state) {
    (void)state;
    struct pack p;
    struct buf good = made(FILES, -1, 0);
    const uint64_t size = good.n;
    buf_fini(&good);
    static const struct {
        uint32_t count;
        int entry;
        int64_t beyond; // of the content's place, from the end
        enum err expected;
    } rows[] = {
        {FILES, 1, -11, OK},          // the last bytes there are
        {FILES, 1, -10, ERR_CORRUPT}, // one more
        {FILES, 2, INT64_MAX, ERR_CORRUPT},
        {1000, -1, 0, ERR_CORRUPT}, // more entries than bytes
        {UINT32_MAX, -1, 0, ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = made(rows[i].count, rows[i].entry, size + (uint64_t)rows[i].beyond);
        assert_int_equal(map(buf_slice(&b), &p), rows[i].expected);
        buf_fini(&b);
    }
    assert_int_equal(map(SLICE_LIT("GALENAPK"), &p), ERR_CORRUPT);
    assert_int_equal(map(SLICE_LIT("NOT A PACK AT ALL"), &p), ERR_CORRUPT);
}

static void no_file_is_no_pack(void **state) {
    (void)state;
    struct pack p;
    struct pack_file file;
    assert_int_equal(map(SLICE_LIT(""), &p), OK);
    assert_false(pack_find(&p, SLICE_LIT("/index.html"), &file));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(no_file_is_no_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
