#include "fetch/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_kinds(void **state) {
    (void)state;
    static const struct {
        const char *url;
        enum url_kind kind;
    } cases[] = {{"https://idp/keys", URL_HTTPS},
                 {"http://127.0.0.1/x", URL_HTTP},
                 {"file:///etc/passwd", URL_REFUSED},
                 {"gopher://x", URL_REFUSED},
                 {"HTTPS://idp", URL_REFUSED},
                 {" https://idp", URL_REFUSED},
                 {"https://u:p@idp", URL_REFUSED},
                 {"https://idp/\r\nx", URL_REFUSED},
                 {"https://idp\\x", URL_REFUSED},
                 {"https://id\xc3\xa4", URL_REFUSED},
                 {"", URL_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (url_kind(cases[i].url) != cases[i].kind)
            fail_msg("%s", cases[i].url);
}

static void test_loopback(void **state) {
    (void)state;
    static const struct {
        int family;
        const char *address;
        bool loopback;
    } cases[] = {{AF_INET, "127.0.0.1", true},
                 {AF_INET, "127.9.9.9", true},
                 {AF_INET, "10.0.0.1", false},
                 {AF_INET, "169.254.169.254", false},
                 {AF_INET, "0.0.0.0", false},
                 {AF_INET6, "::1", true},
                 {AF_INET6, "::", false},
                 {AF_INET6, "fe80::1", false},
                 {AF_INET6, "::ffff:10.0.0.1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_storage at = {.ss_family = (sa_family_t)cases[i].family};
        void *place = cases[i].family == AF_INET ? (void *)&((struct sockaddr_in *)&at)->sin_addr
                                                 : (void *)&((struct sockaddr_in6 *)&at)->sin6_addr;
        assert_int_equal(inet_pton(cases[i].family, cases[i].address, place), 1);
        if (url_is_loopback((const struct sockaddr *)&at) != cases[i].loopback)
            fail_msg("%s", cases[i].address);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_loopback)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
