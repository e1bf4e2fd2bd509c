// Descriptors in messages: none may be lost, none may come unasked.
#include "os/fd.h"
#include "os/msg.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

// The kernel's, but that it has no memory the next few times.
static unsigned without_memory;

ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
    if (without_memory == 0)
        return syscall(SYS_sendmsg, fd, m, flags);
    without_memory--;
    errno = ENOBUFS;
    return -1;
}

static unsigned open_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    unsigned n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

// Sends more than os_msg_send would: what a hostile sender may do.
static void send_raw(int sock, size_t bytes, unsigned fds) {
    static uint8_t data[70000];
    uint8_t room[CMSG_SPACE(sizeof(int[64]))] __attribute__((aligned(8))) = {0};
    struct iovec iov = {data, bytes};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fds > 0) {
        m.msg_control = room;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int) * fds);
        for (unsigned i = 0; i < fds; i++)
            memcpy(CMSG_DATA(h) + i * sizeof null, &null, sizeof null);
    }
    assert_int_equal(sendmsg(sock, &m, 0), bytes);
    close(null);
}

static const struct {
    const char *name;
    size_t bytes;
    unsigned fds, fds_max;
    size_t cap;
    enum err expected;
} abuse[] = {
    {"no descriptor", 10, 0, 0, 100, OK},
    {"one descriptor", 10, 1, 1, 100, OK},
    {"four descriptors, the limit", 10, 4, 4, 100, OK},
    {"fewer than allowed", 10, 1, 4, 100, OK},
    {"exactly as long as the buffer", 100, 0, 0, 100, OK},
    {"one byte longer than the buffer", 101, 0, 0, 100, ERR_PROTOCOL},
    {"longer, with descriptors", 101, 4, 4, 100, ERR_PROTOCOL},
    {"one descriptor where none is allowed", 10, 1, 0, 100, ERR_PROTOCOL},
    {"two where one is allowed", 10, 2, 1, 100, ERR_PROTOCOL},
    {"four where three are allowed", 10, 4, 3, 100, ERR_PROTOCOL},
    {"five, one more than a message may carry", 10, 5, 4, 100, ERR_PROTOCOL},
    {"sixty-four", 10, 64, 4, 100, ERR_PROTOCOL},
    {"an empty message is the end", 0, 0, 4, 100, ERR_PEER_GONE},
    {"an empty message with descriptors", 0, 4, 4, 100, ERR_PEER_GONE},
};

static void test_abuse(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof abuse / sizeof *abuse; i++) {
        int pair[2];
        assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
        unsigned before = open_descriptors();
        send_raw(pair[0], abuse[i].bytes, abuse[i].fds);
        uint8_t buffer[200];
        size_t n = 12345;
        struct os_msg_fds fds = {.n = 77};
        struct fault f = {0};
        enum err e = os_msg_recv(pair[1], buffer, abuse[i].cap, abuse[i].fds_max, &n, &fds, &f);
        if (e != abuse[i].expected)
            fail_msg("%s: %s", abuse[i].name, err_name(e));
        if (e == OK) {
            assert_int_equal(n, abuse[i].bytes);
            assert_int_equal(fds.n, abuse[i].fds);
            for (unsigned k = 0; k < fds.n; k++)
                assert_true(fcntl(fds.fd[k], F_GETFD) & FD_CLOEXEC);
            os_msg_fds_close(&fds);
        } else {
            assert_int_equal(n, 12345); // outputs untouched on failure
            assert_int_equal(fds.n, 77);
        }
        if (open_descriptors() != before)
            fail_msg("%s: descriptors leak", abuse[i].name);
        close(pair[0]);
        close(pair[1]);
    }
}

static void test_ends(void **state) {
    (void)state;
    int pair[2];
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    uint8_t buffer[10];
    size_t n;
    struct os_msg_fds fds;
    assert_int_equal(os_msg_recv_now(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), ERR_BUSY);
    assert_int_equal(os_msg_send2(pair[0], SLICE_LIT("ab"), SLICE_LIT("cde"), NULL, 0, NULL), OK);
    assert_int_equal(os_msg_recv_now(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), OK);
    assert_int_equal(n, 5);
    assert_memory_equal(buffer, "abcde", 5);
    close(pair[0]);
    assert_int_equal(os_msg_recv(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), ERR_PEER_GONE);
    assert_int_equal(os_msg_send(pair[1], SLICE_LIT("x"), NULL, 0, NULL), ERR_PEER_GONE);
    close(pair[1]);
}

static void test_full_socket_is_busy(void **state) {
    (void)state;
    static const uint8_t big[60000];
    int pair[2];
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    assert_int_equal(os_fd_set_nonblock(pair[0], true, NULL), OK);
    enum err e = OK;
    for (unsigned i = 0; i < 1000 && e == OK; i++)
        e = os_msg_send(pair[0], slice_of(big, sizeof big), NULL, 0, NULL);
    assert_int_equal(e, ERR_BUSY);
    close(pair[0]);
    close(pair[1]);
}

// What is said once is not lost for want of memory that comes back; but nobody waits for ever.
static void test_no_memory_for_a_moment(void **state) {
    (void)state;
    int pair[2];
    uint8_t buffer[10];
    size_t n;
    struct os_msg_fds fds;
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    without_memory = 5;
    assert_int_equal(os_msg_send(pair[0], SLICE_LIT("x"), NULL, 0, NULL), OK);
    assert_int_equal(without_memory, 0);
    assert_int_equal(os_msg_recv_now(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), OK);
    assert_int_equal(n, 1);
    without_memory = 1000;
    assert_int_equal(os_msg_send(pair[0], SLICE_LIT("x"), NULL, 0, NULL), ERR_IO);
    assert_true(without_memory > 900);
    without_memory = 0;
    assert_int_equal(os_msg_recv_now(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), ERR_BUSY);
    close(pair[0]);
    close(pair[1]);
}

static void test_length_limit(void **state) {
    (void)state;
    static const uint8_t big[OS_MSG_BYTES_MAX + 1];
    static uint8_t buffer[OS_MSG_BYTES_MAX];
    int pair[2];
    size_t n;
    struct os_msg_fds fds;
    assert_int_equal(os_fd_pair_seqpacket(pair, NULL), OK);
    assert_int_equal(os_msg_send(pair[0], slice_of(big, OS_MSG_BYTES_MAX), NULL, 0, NULL), OK);
    assert_int_equal(os_msg_recv(pair[1], buffer, sizeof buffer, 0, &n, &fds, NULL), OK);
    assert_int_equal(n, OS_MSG_BYTES_MAX);
    assert_int_equal(os_msg_send(pair[0], slice_of(big, sizeof big), NULL, 0, NULL), ERR_LIMIT);
    assert_int_equal(os_msg_send2(pair[0], slice_of(big, 1), slice_of(big, OS_MSG_BYTES_MAX), NULL, 0, NULL),
                     ERR_LIMIT);
    close(pair[0]);
    close(pair[1]);
}

static void test_take(void **state) {
    (void)state;
    struct os_msg_fds fds = {.fd = {7, 8, -1, -1}, .n = 2};
    assert_int_equal(os_msg_fds_take(&fds, 1), 8);
    assert_int_equal(os_msg_fds_take(&fds, 1), -1);
    assert_int_equal(os_msg_fds_take(&fds, 2), -1);
    assert_int_equal(os_msg_fds_take(&fds, 0), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abuse),        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_no_memory_for_a_moment),
        cmocka_unit_test(test_length_limit), cmocka_unit_test(test_take),
        cmocka_unit_test(test_full_socket_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
