// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "conf/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define COUNT(t) (sizeof(t) / sizeof *(t))

static void addresses(void **state) {
    (void)state;
    static const struct {
        const char *text, *host; // host NULL: refused
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:2762", "127.0.0.1", 2762},
        {"[::1]:11112", "::1", 11112},
        {"[2001:db8::7]:1", "2001:db8::7", 1},
        {"ct1.example.org:65535", "ct1.example.org", 65535},
        {"ct_1:104", "ct_1", 104},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:0", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"127.0.0.1:80x", NULL, 0},
        {":80", NULL, 0},
        {"", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[::1]80", NULL, 0},
        {"[::1:80", NULL, 0},
        {"[]:80", NULL, 0},
        {"[127.0.0.1]:80", NULL, 0},
        {"[::g]:80", NULL, 0},
        {"a b:80", NULL, 0},
        {"-host:80", NULL, 0},
        {".host:80", NULL, 0},
        {"ho$t:80", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_addr a = {0};
        struct fault f = {0};
        enum err e = conf_addr_parse(slice_str(cases[i].text), &a, &f);
        if (!cases[i].host) {
            assert_int_equal(e, ERR_CONFIG);
            assert_string_equal(a.host, "");
            assert_true(f.detail[0]);
            continue;
        }
        assert_int_equal(e, OK);
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.port, cases[i].port);
        char back[CONF_ADDR_TEXT_MAX];
        conf_addr_format(&a, back);
        assert_string_equal(back, cases[i].text);
    }
}

static void host_lengths(void **state) {
    (void)state;
    for (size_t n = CONF_HOST_MAX - 1; n <= CONF_HOST_MAX + 1; n++) {
        char text[CONF_HOST_MAX + 8];
        memset(text, 'a', n);
        memcpy(text + n, ":80", 4);
        struct conf_addr a;
        assert_int_equal(conf_addr_parse(slice_str(text), &a, NULL),
                         n <= CONF_HOST_MAX ? OK : ERR_CONFIG);
    }
}

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *host;
        bool loopback, private;
    } cases[] = {
        {"127.0.0.1", true, true},     {"127.255.0.9", true, true},  {"::1", true, true},
        {"10.0.0.1", false, true},     {"11.0.0.1", false, false},   {"172.16.0.1", false, true},
        {"172.32.0.1", false, false},  {"192.168.9.9", false, true}, {"192.169.0.1", false, false},
        {"169.254.1.1", false, true},  {"0.0.0.0", false, false},    {"::", false, false},
        {"8.8.8.8", false, false},     {"fd00::1", false, true},     {"fe80::1", false, true},
        {"2001:db8::1", false, false}, {"localhost", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_addr a = {.port = 1};
        assert_true(slice_to_cstr(slice_str(cases[i].host), a.host, sizeof a.host));
        assert_int_equal(conf_addr_is_loopback(&a), cases[i].loopback);
        assert_int_equal(conf_addr_is_private(&a), cases[i].private);
    }
}

static void networks_parse(void **state) {
    (void)state;
    static const struct {
        const char *text, *back; // back NULL: refused
    } cases[] = {
        {"10.1.0.0/16", "10.1.0.0/16"},
        {"192.0.2.7", "192.0.2.7/32"},
        {"192.0.2.7/32", "192.0.2.7/32"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"fe80::/10", "fe80::/10"},
        {"::1", "::1/128"},
        {"10.1.2.0/23", "10.1.2.0/23"},
        {"10.1.0.0/33", NULL},
        {"::1/129", NULL},
        {"10.1.0.1/16", NULL},
        {"10.1.3.0/23", NULL},
        {"10.1.0.0/", NULL},
        {"10.1.0.0/x", NULL},
        {"10.1.0/16", NULL},
        {"ct1/32", NULL},
        {"", NULL},
        {"10.1.0.0/16/2", NULL},
        {"fe80::1/10", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_cidr c;
        enum err e = conf_cidr_parse(slice_str(cases[i].text), &c, NULL);
        assert_int_equal(e, cases[i].back ? OK : ERR_CONFIG);
        if (e != OK)
            continue;
        char back[64];
        conf_cidr_format(&c, back);
        assert_string_equal(back, cases[i].back);
    }
}

static void networks_contain(void **state) {
    (void)state;
    static const struct {
        const char *network, *ip;
        bool inside;
    } cases[] = {
        {"10.1.0.0/16", "10.1.255.255", true},
        {"10.1.0.0/16", "10.2.0.0", false},
        {"10.1.2.0/23", "10.1.3.9", true},
        {"10.1.2.0/23", "10.1.4.0", false},
        {"192.0.2.7/32", "192.0.2.7", true},
        {"192.0.2.7/32", "192.0.2.6", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "::1", false},
        {"10.1.0.0/16", "::ffff:10.1.2.3", true},
        {"10.1.0.0/16", "::ffff:10.2.2.3", false},
        {"::1/128", "::1", true},
        {"::1/128", "::2", false},
        {"fe80::/10", "febf::9", true},
        {"fe80::/10", "fec0::9", false},
        {"::1/128", "127.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_cidr c;
        assert_int_equal(conf_cidr_parse(slice_str(cases[i].network), &c, NULL), OK);
        struct conf_addr a = {.port = 104};
        assert_true(slice_to_cstr(slice_str(cases[i].ip), a.host, sizeof a.host));
        struct sockaddr_storage sa;
        socklen_t n;
        assert_true(conf_addr_to_sockaddr(&a, &sa, &n));
        assert_int_equal(conf_cidr_contains(&c, (const struct sockaddr *)&sa), cases[i].inside);
    }
    struct conf_cidr c;
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert_int_equal(conf_cidr_parse(slice_str("0.0.0.0/0"), &c, NULL), OK);
    assert_false(conf_cidr_contains(&c, (const struct sockaddr *)&local));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),      cmocka_unit_test(host_lengths),     cmocka_unit_test(kinds),
        cmocka_unit_test(networks_parse), cmocka_unit_test(networks_contain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
