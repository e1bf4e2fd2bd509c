// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "conf/conf.h"
#include "conf/folder.h"
#include "conf/peer.h"
#include "conf/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(t) (sizeof(t) / sizeof *(t))

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    char path[128];
    strcpy(dir, "/tmp/galena-conf-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/peers", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/users", dir);
    return mkdir(path, 0700);
}

static int remove_dir(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void put(const char *name, const char *content) {
    char path[256], *slash;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    struct fault f = {0};
    assert_int_equal(conf_write_file(path, slash + 1, 0600, slice_str(content), &f), OK);
}

// Structs have padding, files have none: equal is what is written alike.
static void get(const char *name, char dst[4096]) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    dst[fread(dst, 1, 4095, f)] = '\0';
    fclose(f);
}

static void assert_rewritten_alike(const char *name, const char *before) {
    char now[4096];
    get(name, now);
    assert_string_equal(now, before);
}

// Each file has one mistake; `says` is part of what the administrator reads.
static void galena_conf_errors(void **state) {
    (void)state;
    static const struct {
        const char *content, *says;
    } cases[] = {
        {"name = \"a\"\nport = 1\n", "galena.conf:2: no such option 'port'"},
        {"ae_title = \"\"\n", "galena.conf:1: ae_title: an AE title has 1 to 16"},
        {"ae_title = \"12345678901234567\"\n", "galena.conf:1: ae_title"},
        {"ae_title = \"A\\\\B\"\n", "galena.conf:1: ae_title"},
        {"\n\ndicom = \"127.0.0.1\"\n", "galena.conf:3: dicom: write HOST:PORT"},
        {"dicom = \"ct1:2762\"\n", "galena.conf:1: dicom: listening needs a literal address"},
        {"dicom = \"\"\nhttps = \"\"\n", "none of dicom, plain and https"},
        {"https = \"pacs:443\"\n", "galena.conf:1: https: listening needs a literal address"},
        {"https_url = \"http://pacs\"\n", "galena.conf:1: https_url: must be https://, a host"},
        {"https_url = \"https://\"\n", "galena.conf:1: https_url: must be https://, a host"},
        {"https_url = \"https://pacs/x\"\n", "galena.conf:1: https_url: must be https://, a host"},
        {"https_url = \"https://u@pacs\"\n", "galena.conf:1: https_url: must be https://, a host"},
        {"https_proxies = {\"10.0.0.5\", \"proxy\"}\n", "galena.conf:1: https_proxies"},
        {"https_proxies = {\"0.0.0.0/0\"}\n", "galena.conf:1: https_proxies: names a large part"},
        {"https_http2 = perhaps\n", "must be yes or no"},
        {"http_header_s = 0\n", "galena.conf:1: http_header_s: must be a number from 1 to 300"},
        {"session_idle_s = 59\n", "galena.conf:1: session_idle_s: must be a number from 60"},
        {"upload_max = \"all\"\n", "galena.conf:1: upload_max: must be a size"},
        {"plain = \"0.0.0.0:11112\"\n", "galena.conf:1: plain: without TLS Galena listens on loopback"},
        {"plain = \"*:11112\"\n", "galena.conf:1: plain: without TLS"},
        {"plain = \"[::]:11112\"\n", "galena.conf:1: plain: without TLS"},
        {"plain = \"8.8.8.8:11112\"\n", "galena.conf:1: plain: without TLS"},
        {"name = \"a\"\nname = \"b\"\n", "galena.conf:2: name is given twice, first in line 1"},
        {"private_sop_classes = {\"1.2\"}\nprivate_sop_classes = {\"1.3\"}\n",
         "galena.conf:2: private_sop_classes is given twice"},
        {"private_sop_classes = {\"1.2\", \"1..2\"}\n",
         "galena.conf:1: private_sop_classes: must be a list of UIDs"},
        {"reserve = \"much\"\n", "galena.conf:1: reserve: must be a size"},
        {"reserve = \"99999999999 TiB\"\n", "galena.conf:1: reserve: must be a size"},
        {"index_cache_mib = 7\n", "galena.conf:1: index_cache_mib: must be a number from 8 to 2048"},
        {"index_cache_mib = 2049\n", "galena.conf:1: index_cache_mib: must be"},
        {"artim_s = 0\n", "galena.conf:1: artim_s: must be a number from 1 to 3600"},
        {"artim_s = 3601\n", "galena.conf:1: artim_s: must be"},
        {"artim_s = 010x\n", "galena.conf:1: artim_s: must be"},
        {"artim_s = -1\n", "galena.conf:1: artim_s: must be"},
        {"accept_retired_sop_classes = maybe\n", "must be yes or no"},
        {"transfer_syntax_order = mine\n", "must be proposer or archive"},
        {"name = \"\"\n", "galena.conf:1: name: must be 1 to 64 bytes"},
        {"name = \"\xff\"\n", "galena.conf:1: name: must be 1 to 64 bytes"},
        {"name = \"unfinished\n", "galena.conf"},
        {"name \"x\"\n", "galena.conf:1:"},
        {"= 3\n", "galena.conf:1:"},
        {"# one\n# two \"quoted\nname = \"a # b\" # three\nport = 1\n", "galena.conf:4: no such option"},
        {"name = \"a\\\"#\"\nport = 1\n", "galena.conf:2: no such option"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf c = {.name = "untouched"};
        struct fault f = {0};
        put("galena.conf", cases[i].content);
        enum err e = conf_load(dir, &c, &f);
        if (e != ERR_CONFIG || !strstr(f.detail, cases[i].says))
            print_message("%s gave %s: %s\n", cases[i].content, err_name(e), f.detail);
        assert_int_equal(e, ERR_CONFIG);
        assert_non_null(strstr(f.detail, cases[i].says));
        assert_string_equal(c.name, "untouched");
    }
}

static void galena_conf_good(void **state) {
    (void)state;
    put("galena.conf", "name = \"Röntgen $1 \\\"Ost\\\"\"\nae_title = \" OST \"\ndicom = \"*:2762\"\n"
                       "plain = \"localhost:11112\"\nreserve = \"500 MB\"\nidle_s = 60\nmax_pdu = 4096\n"
                       "index_cache_mib = 2048\n"
                       "private_sop_classes = {\"1.2.3\", \"1.2.4\"}\ntransfer_syntax_order = archive\n");
    struct conf c, again;
    struct fault f = {0};
    assert_int_equal(conf_load(dir, &c, &f), OK);
    for (int round = 0; round < 2; round++) {
        assert_string_equal(c.name, "Röntgen $1 \"Ost\"");
        assert_string_equal(c.ae_title, "OST");
        assert_string_equal(c.dicom.host, "0.0.0.0");
        assert_string_equal(c.plain.host, "127.0.0.1");
        assert_int_equal(c.reserve_bytes, 500000000);
        assert_int_equal(c.limits.idle_s, 60);
        assert_int_equal(c.index_cache_mib, 2048);
        assert_int_equal(c.limits.max_pdu_bytes, 4096);
        assert_int_equal(c.private_sop_class_count, 2);
        assert_string_equal(c.private_sop_classes[1], "1.2.4");
        assert_true(c.prefer_archive_order);
        assert_int_equal(conf_save(dir, &c, &f), OK); // what is written reads back the same
        assert_int_equal(conf_load(dir, &again, &f), OK);
        conf_fini(&c);
        c = again;
    }
    conf_fini(&c);
}

static void galena_conf_defaults(void **state) {
    (void)state;
    put("galena.conf", "");
    struct conf c, d;
    assert_int_equal(conf_load(dir, &c, NULL), OK);
    conf_init(&d);
    char written[4096];
    assert_int_equal(conf_save(dir, &c, NULL), OK);
    get("galena.conf", written);
    assert_int_equal(conf_save(dir, &d, NULL), OK);
    assert_rewritten_alike("galena.conf", written);
    assert_false(conf_addr_is_set(&c.plain));
    assert_true(conf_addr_is_loopback(&c.dicom));
    struct fault f = {0};
    assert_int_equal(conf_load("/nonexistent", &c, &f), ERR_NO_SUCH_OBJECT);
}

static void special_files(void **state) {
    (void)state;
    char path[128];
    struct conf c;
    snprintf(path, sizeof path, "%s/galena.conf", dir);
    unlink(path);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_not_equal(conf_load(dir, &c, NULL), OK);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); // must not hang
    assert_int_equal(conf_load(dir, &c, NULL), ERR_CONFIG);
    unlink(path);
    for (int over = 0; over < 2; over++) { // at the limit, and one byte over
        char *big = malloc(CONF_FILE_MAX_BYTES + 2);
        memset(big, '\n', CONF_FILE_MAX_BYTES + 1);
        big[CONF_FILE_MAX_BYTES + over] = '\0';
        put("galena.conf", big);
        free(big);
        assert_int_equal(conf_load(dir, &c, NULL), over ? ERR_CONFIG : OK);
    }
}

static void file_mode_and_replacement(void **state) {
    (void)state;
    char path[128];
    struct stat st;
    put("x", "one");
    put("x", "two");
    snprintf(path, sizeof path, "%s/x", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 3);
    snprintf(path, sizeof path, "%s/.x.new", dir);
    assert_int_equal(access(path, F_OK), -1);
    struct fault f = {0};
    assert_int_not_equal(conf_write_file("/nonexistent", "x", 0600, SLICE_LIT("a"), &f), OK);
}

#define FP "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void peer_conf_errors(void **state) {
    (void)state;
    static const struct {
        const char *content, *says;
    } cases[] = {
        {"can = \"store\"\nfingerprint = {\"" FP "\"}\n", "ae_title is missing"},
        {"ae_title = \"CT1\"\nfingerprint = {\"" FP "\"}\n", "can is missing"},
        {"ae_title = \"CT1\"\ncan = \"store\"\n", "neither fingerprint nor plain is set"},
        {"ae_title = \"CT1\"\ncan = \"stroe\"\n", "peers/ct1/peer.conf:2: can: must be a list"},
        {"ae_title = \"CT1\"\ncan = \"store,,query\"\n", ":2: can: must be a list"},
        {"ae_title = \"CT1\"\ncan = \"\"\n", ":2: can: must be a list"},
        {"fingerprint = {\"0011\"}\n", ":1: fingerprint: must be the SHA-256"},
        {"fingerprint = {\"" FP "0\"}\n", ":1: fingerprint: must be the SHA-256"},
        {"plain = {\"10.0.0.1/8\"}\n", ":1: plain: the address has bits set"},
        {"plain = {\"0.0.0.0/0\"}\n", ":1: plain: the plain lane is for named addresses"},
        {"plain = {\"::/0\"}\n", ":1: plain: the plain lane is for named addresses"},
        {"plain = {\"128.0.0.0/7\"}\n", ":1: plain: the plain lane is for named addresses"},
        {"plain = {\"fc00::/15\"}\n", ":1: plain: the plain lane is for named addresses"},
        {"address = \"ct1\"\n", ":1: address: write HOST:PORT"},
        {"address_tls = perhaps\n", ":1: address_tls: must be yes or no"},
        {"rights = \"all\"\n", ":1: no such option 'rights'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_peer p;
        struct fault f = {0};
        put("peers/ct1/peer.conf", cases[i].content);
        enum err e = conf_peer_load(dir, "ct1", &p, &f);
        if (e != ERR_CONFIG || !strstr(f.detail, cases[i].says))
            print_message("%s gave %s: %s\n", cases[i].content, err_name(e), f.detail);
        assert_int_equal(e, ERR_CONFIG);
        assert_non_null(strstr(f.detail, cases[i].says));
    }
    struct conf_peer p;
    assert_int_equal(conf_peer_load(dir, "../ct1", &p, NULL), ERR_CONFIG);
}

static void peers_found(void **state) {
    (void)state;
    put("peers/ct1/peer.conf", "ae_title = \"CT1\"\ncan = \"store, query\"\nfingerprint = {\"" FP "\"}\n"
                               "address = \"[::1]:104\"\n");
    put("peers/ct2/peer.conf", "ae_title = \"CT2\"\ncan = \"store\"\nfingerprint = {\"" FP "\"}\n");
    put("peers/old/peer.conf", "ae_title = \"OLD\"\ncan = \"store\"\nplain = {\"10.1.0.0/16\", \"::1\"}\n");
    put("peers/twin/peer.conf", "ae_title = \"CT1\"\ncan = \"retrieve\"\nfingerprint = {\"" FP "\"}\n");
    put("peers/zz/peer.conf", "ae_title = \n");
    put("peers/.new/peer.conf", "ae_title = \"X\"\n");
    struct conf_peers all;
    struct fault f = {0};
    assert_int_equal(conf_peers_load(dir, &all, &f), OK);
    assert_int_equal(all.n, 3);
    assert_int_equal(all.problem_count, 2);
    assert_non_null(strstr(all.problems[0], "peers/twin/peer.conf: peer ct1 has the same AE title"));
    assert_non_null(strstr(all.problems[1], "peers/zz/peer.conf:"));
    uint8_t fp[CONF_FINGERPRINT_BYTES], other[CONF_FINGERPRINT_BYTES] = {1};
    assert_true(conf_fingerprint_parse(SLICE_LIT(FP), fp));
    assert_string_equal(conf_peers_by_certificate(&all, fp, SLICE_LIT("CT2 "))->name, "ct2");
    assert_string_equal(conf_peers_by_certificate(&all, fp, (struct slice){0})->name, "ct1");
    assert_null(conf_peers_by_certificate(&all, fp, SLICE_LIT("OLD")));
    assert_null(conf_peers_by_certificate(&all, fp, SLICE_LIT("")));
    assert_null(conf_peers_by_certificate(&all, other, SLICE_LIT("CT1")));
    assert_string_equal(conf_peers_destination(&all, SLICE_LIT("CT1"))->address.host, "::1");
    assert_null(conf_peers_destination(&all, SLICE_LIT("CT2")));
    struct sockaddr_storage from;
    socklen_t n;
    struct conf_addr a = {"10.1.2.3", 9};
    assert_true(conf_addr_to_sockaddr(&a, &from, &n));
    const struct conf_peer *p = conf_peers_by_address(&all, (const struct sockaddr *)&from, SLICE_LIT("OLD"));
    assert_string_equal(p->name, "old");
    assert_int_equal(p->plain_can, CONF_CAN_STORE); // not what `can` says
    assert_null(conf_peers_by_address(&all, (const struct sockaddr *)&from, SLICE_LIT("CT1")));
    conf_peers_fini(&all);
}

static void peer_round_trip(void **state) {
    (void)state;
    struct conf_peer p = {.name = "ct9",
                          .ae_title = "A \"B\"$9",
                          .can = CONF_CAN_STORE | CONF_CAN_RETRIEVE,
                          .plain_can = CONF_CAN_QUERY,
                          .address = {"ct9.example", 104},
                          .address_plain = true,
                          .fingerprint_count = 2,
                          .plain_count = 1};
    struct conf_peer back;
    struct fault f = {0};
    char path[128];
    memset(p.fingerprints[1], 0xAB, CONF_FINGERPRINT_BYTES);
    assert_int_equal(conf_cidr_parse(SLICE_LIT("192.0.2.0/24"), &p.plain[0], &f), OK);
    snprintf(path, sizeof path, "%s/peers/ct9", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(conf_peer_save(path, &p, &f), OK);
    assert_int_equal(conf_peer_load(dir, "ct9", &back, &f), OK);
    char written[4096];
    get("peers/ct9/peer.conf", written);
    assert_int_equal(conf_peer_save(path, &back, &f), OK);
    assert_rewritten_alike("peers/ct9/peer.conf", written);
    assert_memory_equal(back.fingerprints, p.fingerprints, 2 * CONF_FINGERPRINT_BYTES);
    assert_string_equal(back.ae_title, p.ae_title);
    assert_string_equal(back.address.host, p.address.host);
    assert_int_equal(back.can, p.can);
    assert_int_equal(back.plain_can, p.plain_can);
    assert_true(back.address_plain);
}

static void names_and_titles(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool name, ae;
    } cases[] = {
        {"ct1", true, true},
        {"CT-1_a.b", true, true},
        {"", false, false},
        {".", false, true},
        {"..", false, true},
        {".x", false, true},
        {"-x", false, true},
        {"a/b", false, true},
        {"a b", false, true},
        {"a\\b", false, false},
        {"a\nb", false, false},
        {"a\x7f", false, false},
        {"\xff", false, false},
        {"   ", false, false},
        {"1234567890123456", true, true},
        {"12345678901234567", true, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char ae[CONF_AE_MAX + 1];
        assert_int_equal(conf_name_valid(slice_str(cases[i].text)), cases[i].name);
        assert_int_equal(conf_ae_parse(slice_str(cases[i].text), ae), cases[i].ae);
    }
    char ae[CONF_AE_MAX + 1], name[CONF_NAME_MAX + 2];
    assert_false(conf_ae_parse(slice_of("A\0B", 3), ae));
    memset(name, 'n', sizeof name);
    assert_true(conf_name_valid(slice_of(name, CONF_NAME_MAX)));
    assert_false(conf_name_valid(slice_of(name, CONF_NAME_MAX + 1)));
}

static void fingerprints(void **state) {
    (void)state;
    uint8_t fp[CONF_FINGERPRINT_BYTES];
    char hex[65];
    assert_true(conf_fingerprint_parse(SLICE_LIT("00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:"
                                                 "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"),
                                       fp));
    conf_fingerprint_format(fp, hex);
    assert_string_equal(hex, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    assert_false(conf_fingerprint_parse(SLICE_LIT(""), fp));
    assert_false(conf_fingerprint_parse(SLICE_LIT(FP ":"), fp));
    assert_false(conf_fingerprint_parse(slice_of(FP, 63), fp));
    assert_false(conf_fingerprint_parse(SLICE_LIT("0g" FP), fp));
}

static void users(void **state) {
    (void)state;
    put("users/anna.conf",
        "roles = \"reader, auditor\"\npassword = \"$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA\"\n");
    put("users/bob.conf", "roles = \"king\"\n");
    put("users/eve.conf", "roles = \"reader\"\npassword = \"secret\"\n");
    put("users/.x.conf", "roles = \"reader\"\n");
    struct conf_users all;
    struct fault f = {0};
    assert_int_equal(conf_users_load(dir, &all, &f), OK);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.problem_count, 2);
    assert_non_null(strstr(all.problems[0], "users/bob.conf:1: roles: must be a list"));
    assert_non_null(strstr(all.problems[1], "users/eve.conf:2: password: must be an Argon2id hash"));
    assert_null(strstr(all.problems[1], "secret")); // nor does the log hold it
    assert_int_equal(all.v[0].roles,
                     CONF_ROLE_READER | CONF_ROLE_AUDITOR);
    assert_int_equal(conf_user_save(dir, &all.v[0], &f), OK);
    struct conf_user back;
    assert_int_equal(conf_user_load(dir, "anna", &back, &f), OK);
    assert_string_equal(back.name, all.v[0].name);
    assert_string_equal(back.password, all.v[0].password);
    assert_int_equal(back.roles, all.v[0].roles);
    conf_users_fini(&all);
}

// What cannot be read just now may say anything: no list then, instead of one without it.
static void left_out(void **state) {
    (void)state;
    static const struct {
        enum err why, result;
        size_t problems;
    } cases[] = {{ERR_CONFIG, OK, 1},
                 {ERR_NO_SUCH_OBJECT, OK, 1},
                 {ERR_LIMIT, OK, 1},
                 {ERR_IO, ERR_IO, 0},
                 {ERR_NO_MEMORY, ERR_NO_MEMORY, 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char(*problems)[256] = NULL;
        size_t n = 0;
        struct fault why = {cases[i].why, "peers/ct1/peer.conf: so it is"}, f = {0};
        assert_int_equal(conf_leave_out(&why, &problems, &n, &f), cases[i].result);
        assert_int_equal(n, cases[i].problems);
        assert_string_equal(n ? problems[0] : f.detail, why.detail);
        free(problems);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(galena_conf_errors),
        cmocka_unit_test(galena_conf_good),
        cmocka_unit_test(galena_conf_defaults),
        cmocka_unit_test(special_files),
        cmocka_unit_test(file_mode_and_replacement),
        cmocka_unit_test(peer_conf_errors),
        cmocka_unit_test(peers_found),
        cmocka_unit_test(peer_round_trip),
        cmocka_unit_test(names_and_titles),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(users),
        cmocka_unit_test(left_out),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
