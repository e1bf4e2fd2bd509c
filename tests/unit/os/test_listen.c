#include "os/fd.h"
#include "os/listen.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *text;
    enum err expected;
    const char *host, *source;
} addresses[] = {
    {"127.0.0.1:2762", OK, "127.0.0.1", "127.0.0.1"},
    {"[::1]:104", OK, "::1", "::/64"},
    {"[2001:db8:1:2:3:4:5:6]:104", OK, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
    {"[::ffff:10.1.2.3]:104", OK, "10.1.2.3", "10.1.2.3"},
    {"*:0", OK, "::", "::/64"},
    {"0.0.0.0:65535", OK, "0.0.0.0", "0.0.0.0"},
    {"127.0.0.1:65536", ERR_CONFIG, NULL, NULL},
    {"127.0.0.1:", ERR_CONFIG, NULL, NULL},
    {"127.0.0.1", ERR_CONFIG, NULL, NULL},
    {":104", ERR_CONFIG, NULL, NULL},
    {"", ERR_CONFIG, NULL, NULL},
    {"::1:104", ERR_CONFIG, NULL, NULL},
    {"[::1:104", ERR_CONFIG, NULL, NULL},
    {"[]:104", ERR_CONFIG, NULL, NULL},
    {"localhost:104", ERR_CONFIG, NULL, NULL},
    {"127.0.0.1:-1", ERR_CONFIG, NULL, NULL},
    {"127.0.0.1:1 ", ERR_CONFIG, NULL, NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:104", ERR_CONFIG, NULL, NULL},
};

static void test_addresses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct os_addr a;
        struct fault f = {0};
        enum err e = os_addr_parse(addresses[i].text, &a, &f);
        if (e != addresses[i].expected)
            fail_msg("%s: %s", addresses[i].text, err_name(e));
        if (e != OK)
            continue;
        char text[OS_ADDR_TEXT];
        os_addr_host_text(&a, text);
        assert_string_equal(text, addresses[i].host);
        os_addr_source(&a, text);
        assert_string_equal(text, addresses[i].source);
    }
}

static void test_tcp(void **state) {
    (void)state;
    struct os_addr a, from;
    CLEANUP_FD int listener = -1, client = -1, server = -1;
    assert_int_equal(os_addr_parse("127.0.0.1:0", &a, NULL), OK);
    assert_int_equal(os_listen_tcp(&a, &listener, NULL), OK);
    assert_int_equal(os_accept(listener, false, &server, &from, NULL), ERR_BUSY);
    char port[8];
    snprintf(port, sizeof port, "%u", os_listen_port(listener));
    assert_int_equal(os_dial_tcp("127.0.0.1", port, 2000, &client, NULL), OK);
    assert_int_equal(os_accept(listener, false, &server, &from, NULL), OK);
    char text[OS_ADDR_TEXT];
    os_addr_host_text(&from, text);
    assert_string_equal(text, "127.0.0.1");
    int on = 0;
    socklen_t n = sizeof on;
    assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_int_equal(on, 1);
    os_fd_close(&listener);
    CLEANUP_FD int none = -1;
    struct fault f = {0};
    assert_int_equal(os_dial_tcp("127.0.0.1", port, 2000, &none, &f), ERR_PEER_GONE);
    assert_int_equal(none, -1);
}

static void test_unix(void **state) {
    (void)state;
    char path[64], longer[200];
    snprintf(path, sizeof path, "/tmp/galena-test-%d.sock", (int)getpid());
    CLEANUP_FD int one = -1, two = -1, client = -1, server = -1, none = -1;
    assert_int_equal(os_connect_unix(path, SOCK_STREAM, &none, NULL), ERR_PEER_GONE);
    assert_int_equal(os_listen_unix(path, SOCK_STREAM, 0600, &one, NULL), OK);
    os_fd_close(&one);
    assert_int_equal(os_connect_unix(path, SOCK_STREAM, &none, NULL), ERR_PEER_GONE); // stale
    assert_int_equal(os_listen_unix(path, SOCK_STREAM, 0600, &two, NULL), OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(os_connect_unix(path, SOCK_STREAM, &client, NULL), OK);
    struct os_addr from;
    assert_int_equal(os_accept(two, true, &server, &from, NULL), OK);
    char text[OS_ADDR_TEXT];
    os_addr_source(&from, text);
    assert_string_equal(text, "local");
    struct os_cred cred;
    assert_int_equal(os_peer_cred(server, &cred, NULL), OK);
    assert_int_equal(cred.uid, geteuid());
    assert_int_equal(cred.pid, getpid());
    unlink(path);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(os_listen_unix(longer, SOCK_STREAM, 0600, &none, NULL), ERR_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_tcp),
                                       cmocka_unit_test(test_unix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
