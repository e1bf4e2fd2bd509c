// Files of peers, users, tokens and collections that cannot be read: what is only so for now makes all fail,
// so that nothing runs with fewer than there are; what is wrong with the file itself leaves it out, and is
// told.
#include "conf/collection.h"
#include "conf/peer.h"
#include "conf/token.h"
#include "conf/user.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];
static const char *refused; // the file whose opening fails
static int with;

// The linker puts it before the C library's.
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...) {
    if (refused && strstr(path, refused)) {
        errno = with;
        return -1;
    }
    return __real_open64(path, flags, 0600);
}

static void put(const char *folder, const char *file, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", dir, folder);
    (void)mkdir(path, 0700);
    if (!text)
        return;
    snprintf(path, sizeof path, "%s/%s/%s", dir, folder, file);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int make_dir(void **state) {
    (void)state;
    static const char user[] = "roles = \"reader\"\n";
    static const char token[] = "name = \"a\"\nuser = \"ann\"\ncan = \"query\"\nsha256 = \"" HEX "\"\n"
                                "created = \"2026-01-01T00:00:00Z\"\nexpires = \"2027-01-01T00:00:00Z\"\n";
    strcpy(dir, "/tmp/galena-unreadable-XXXXXX");
    assert_non_null(mkdtemp(dir));
    put("users", "one.conf", user);
    put("users", "two.conf", user);
    put("tokens", "one.conf", token);
    put("tokens", "two.conf", token);
    put("collections", "one.conf", "modality = {\"CT\"}\n");
    put("collections", "two.conf", "modality = {\"MR\"}\n");
    put("peers", ".", NULL);
    put("peers/one", "peer.conf", "ae_title = \"ONE\"\ncan = \"store\"\nfingerprint = {\"" HEX "\"}\n");
    put("peers/two", "peer.conf", "ae_title = \"TWO\"\ncan = \"store\"\nfingerprint = {\"" HEX "\"}\n");
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

struct counts {
    size_t n, problems;
};

static enum err load_peers(struct fault *f, struct counts *ret) {
    struct conf_peers all;
    enum err e = conf_peers_load(dir, &all, f);
    if (e == OK) {
        *ret = (struct counts){all.n, all.problem_count};
        conf_peers_fini(&all);
    }
    return e;
}

static enum err load_users(struct fault *f, struct counts *ret) {
    struct conf_users all;
    enum err e = conf_users_load(dir, &all, f);
    if (e == OK) {
        *ret = (struct counts){all.n, all.problem_count};
        conf_users_fini(&all);
    }
    return e;
}

static enum err load_tokens(struct fault *f, struct counts *ret) {
    struct conf_tokens all;
    enum err e = conf_tokens_load(dir, &all, f);
    if (e == OK) {
        *ret = (struct counts){all.n, all.problem_count};
        conf_tokens_fini(&all);
    }
    return e;
}

static enum err load_collections(struct fault *f, struct counts *ret) {
    struct conf_collections all;
    enum err e = conf_collections_load(dir, &all, f);
    if (e == OK) {
        *ret = (struct counts){all.n, all.problem_count};
        conf_collections_fini(&all);
    }
    return e;
}

static const struct {
    const char *name, *file;
    enum err (*load)(struct fault *f, struct counts *ret);
} kinds[] = {
    {"peers", "peers/two/peer.conf", load_peers},
    {"users", "users/two.conf", load_users},
    {"tokens", "tokens/two.conf", load_tokens},
    {"collections", "collections/two.conf", load_collections},
};

static const struct {
    int error;
    enum err expected;
} refusals[] = {
    {0, OK},         {EMFILE, ERR_IO}, {ENFILE, ERR_IO}, {EIO, ERR_IO}, {ENOMEM, ERR_NO_MEMORY},
    {EACCES, OK},    {ELOOP, OK},      {ENOENT, OK}, // the file's own: it is left out
};

static void test_none_is_left_out_for_what_passes(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
            struct fault f = {0};
            struct counts got = {0, 0};
            refused = refusals[i].error ? kinds[k].file : NULL;
            with = refusals[i].error;
            enum err e = kinds[k].load(&f, &got);
            refused = NULL;
            size_t left_out = refusals[i].error != 0;
            bool good = e == refusals[i].expected && (e == OK) != (f.code == e && f.code != OK) &&
                        (e == OK ? got.n == 2 - left_out && got.problems == left_out
                                 : strstr(f.detail, kinds[k].file) != NULL);
            if (!good)
                fail_msg("%s, %s: %s, %zu, %zu problems: %s", kinds[k].name, strerror(with), err_name(e),
                         got.n, got.problems, f.detail);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_none_is_left_out_for_what_passes, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
