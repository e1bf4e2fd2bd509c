// The one policy function: who may associate with what proof, and what it may then do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "archive/rights.h"

enum {
    ECHO = IPC_RIGHT_ECHO,
    STORE = IPC_RIGHT_STORE,
    QUERY = IPC_RIGHT_QUERY,
    RETRIEVE = IPC_RIGHT_RETRIEVE
};
enum { NOBODY = 0, KEY_A = 1, KEY_B = 2 }; // certificates: their SHA-256 begins with this byte

static struct conf_peer peer(const char *name, const char *ae, unsigned can, int key) {
    struct conf_peer p = {.can = can, .fingerprint_count = key != NOBODY};
    strcpy(p.name, name);
    strcpy(p.ae_title, ae);
    p.fingerprints[0][0] = (uint8_t)key;
    return p;
}

static struct conf_cidr network(const char *text) {
    struct conf_cidr c;
    assert_int_equal(conf_cidr_parse(slice_str(text), &c, NULL), OK);
    return c;
}

static struct proof tls(int key) {
    struct proof p = {.lane = IPC_LANE_TLS, .has_certificate = key != NOBODY};
    p.fingerprint[0] = (uint8_t)key;
    return p;
}

static struct proof plain(const char *address) {
    struct proof p = {.lane = IPC_LANE_PLAIN};
    struct sockaddr_in in = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    memcpy(&p.source, &in, sizeof in);
    return p;
}

static void policy(void **state) {
    (void)state;
    struct conf conf;
    conf_init(&conf);
    struct conf_peer v[] = {
        peer("ct", "CT1", CONF_CAN_STORE, KEY_A),
        peer("ws", "WS1", CONF_CAN_QUERY | CONF_CAN_RETRIEVE, KEY_B),
        peer("old", "OLD1", CONF_CAN_STORE, NOBODY),
        peer("wide", "WIDE1", CONF_CAN_STORE, NOBODY),
    };
    v[2].plain[0] = v[3].plain[0] = network("192.0.2.0/28");
    v[2].plain_count = v[3].plain_count = 1;
    v[2].plain_can = CONF_CAN_STORE;
    v[3].plain_can = CONF_CAN_STORE | CONF_CAN_QUERY;
    struct conf_peers peers = {.v = v, .n = 4};
    const struct {
        const char *name;
        struct proof proof;
        const char *calling, *called;
        uint32_t rights; // 0: refused
        uint8_t reason;
    } rows[] = {
        {"a device with its own title", tls(KEY_A), "CT1", "GALENA", ECHO | STORE, 0},
        {"a workstation", tls(KEY_B), "WS1", "GALENA", ECHO | QUERY | RETRIEVE, 0},
        {"another's title", tls(KEY_A), "WS1", "GALENA", 0, 3},
        {"a title nobody has", tls(KEY_A), "XX", "GALENA", 0, 3},
        {"an empty title", tls(KEY_A), "", "GALENA", 0, 3},
        {"a certificate nobody has", tls(77), "CT1", "GALENA", 0, 3},
        {"no certificate", tls(NOBODY), "CT1", "GALENA", 0, 1},
        {"another archive was called", tls(KEY_A), "CT1", "ORTHANC", 0, 7},
        {"the plain lane", plain("192.0.2.3"), "OLD1", "GALENA", ECHO | STORE, 0},
        {"the last address of its network", plain("192.0.2.15"), "OLD1", "GALENA", ECHO | STORE, 0},
        {"the first address beyond", plain("192.0.2.16"), "OLD1", "GALENA", 0, 3},
        {"spelled out: more than storing", plain("192.0.2.3"), "WIDE1", "GALENA", ECHO | STORE | QUERY, 0},
        {"a TLS peer without TLS", plain("192.0.2.3"), "CT1", "GALENA", 0, 3},
        {"a plain peer's title with TLS", tls(KEY_A), "OLD1", "GALENA", 0, 3},
        {"the local administrator", {.lane = IPC_LANE_LOCAL}, "X", "Y", ECHO | STORE | QUERY | RETRIEVE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct verdict got = rights_of_association(&conf, &peers, &rows[i].proof, slice_str(rows[i].calling),
                                                   slice_str(rows[i].called));
        if (got.accept != (rows[i].rights != 0) || (got.accept && got.rights != rows[i].rights) ||
            (!got.accept && (got.result != 1 || got.source != 1 || got.reason != rows[i].reason)))
            fail_msg("%s: accept %d, rights %x, reason %u", rows[i].name, got.accept, got.rights, got.reason);
        if (!got.accept && got.advice[0] == 0)
            fail_msg("%s: the administrator is told nothing", rows[i].name);
    }
    conf_fini(&conf);
}

static void roles(void **state) {
    (void)state;
    static const struct {
        uint32_t roles, rights;
    } rows[] = {
        {0, ECHO},
        {CONF_ROLE_READER, ECHO | QUERY | RETRIEVE},
        {CONF_ROLE_RADIOGRAPHER, ECHO | STORE | QUERY | RETRIEVE},
        {CONF_ROLE_ADMINISTRATOR, ECHO},
        {CONF_ROLE_AUDITOR, ECHO},
        {CONF_ROLE_REFERRER, ECHO},
        {CONF_ROLE_RESEARCHER, ECHO},
        {CONF_ROLE_ADMINISTRATOR | CONF_ROLE_READER, ECHO | QUERY | RETRIEVE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(rights_of_roles(rows[i].roles), rows[i].rights);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(policy), cmocka_unit_test(roles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
