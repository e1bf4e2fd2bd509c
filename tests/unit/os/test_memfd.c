// Shared memory from another process is taken only when it can never shrink under our feet.
#include "os/fd.h"
#include "os/memfd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 65536 };
enum kind { MEMFD, PIPE, REGULAR };

static const struct {
    const char *name;
    enum kind kind;
    int seals;
    off_t size;
    enum err expected;
} offers[] = {
    {"sealed as agreed", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, SIZE, OK},
    {"not sealed", MEMFD, 0, SIZE, ERR_PROTOCOL},
    {"may shrink", MEMFD, F_SEAL_GROW | F_SEAL_SEAL, SIZE, ERR_PROTOCOL},
    {"may grow", MEMFD, F_SEAL_SHRINK | F_SEAL_SEAL, SIZE, ERR_PROTOCOL},
    {"may get more seals", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW, SIZE, ERR_PROTOCOL},
    {"read-only", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, SIZE, ERR_PROTOCOL},
    {"one byte short", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, SIZE - 1, ERR_PROTOCOL},
    {"one byte long", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, SIZE + 1, ERR_PROTOCOL},
    {"empty", MEMFD, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0, ERR_PROTOCOL},
    {"a pipe", PIPE, 0, 0, ERR_PROTOCOL},
    {"a file", REGULAR, 0, 0, ERR_PROTOCOL},
};

static int make_offer(enum kind kind, int seals, off_t size) {
    int pair[2];
    switch (kind) {
    case PIPE:
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        close(pair[1]);
        return pair[0];
    case REGULAR:
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    case MEMFD:
        break;
    }
    int fd = memfd_create("offer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, size), 0);
    if (seals)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void test_offers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        int fd = make_offer(offers[i].kind, offers[i].seals, offers[i].size);
        struct os_shm s = OS_SHM_NONE;
        struct fault f = {0};
        enum err e = os_shm_adopt(fd, SIZE, &s, &f);
        if (e != offers[i].expected)
            fail_msg("%s: %s", offers[i].name, err_name(e));
        if (e != OK)
            assert_int_equal(fcntl(fd, F_GETFD), -1); // consumed
        os_shm_close(&s);
    }
}

static void test_shared(void **state) {
    (void)state;
    struct os_shm a = OS_SHM_NONE, b = OS_SHM_NONE;
    assert_int_equal(os_shm_create("ring", SIZE, &a, NULL), OK);
    assert_int_equal(os_shm_adopt(dup(a.fd), SIZE, &b, NULL), OK);
    a.p[SIZE - 1] = 42;
    assert_int_equal(b.p[SIZE - 1], 42);
    assert_int_equal(ftruncate(a.fd, 10), -1);
    os_shm_drop_fd(&a);
    assert_int_equal(a.fd, -1);
    b.p[0] = 43;
    assert_int_equal(a.p[0], 43);
    os_shm_close(&a);
    os_shm_close(&b);
    os_shm_close(&b); // twice does no harm
}

static void test_contents(void **state) {
    (void)state;
    CLEANUP_FD int fd = -1;
    assert_int_equal(os_memfd_of("file", SLICE_LIT("hello"), &fd, NULL), OK);
    char text[6] = "";
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(write(fd, "x", 1), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers), cmocka_unit_test(test_shared), cmocka_unit_test(test_contents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
