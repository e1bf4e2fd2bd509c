// Tokens, the second factor of users, and the sign-in provider: what their files may say.
#include "conf/oidc.h"
#include "conf/token.h"
#include "conf/user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    char path[96];
    strcpy(dir, "/tmp/galena-accounts-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/tokens", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/users", dir);
    return mkdir(path, 0700);
}

static int remove_dir(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void write_text(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TOKEN(can, sha, expires)                                                                             \
    "name = \"a\"\nuser = \"ann\"\ncan = \"" can "\"\nsha256 = \"" sha                                       \
    "\"\ncreated = \"2026-01-01T00:00:00Z\"\nexpires = \"" expires "\"\n"

static const struct {
    const char *name, *text, *says; // says NULL: good
} tokens[] = {
    {"good", TOKEN("query,store", HEX, "2027-01-01T00:00:00Z"), NULL},
    {"unknown right", TOKEN("query,everything", HEX, "2027-01-01T00:00:00Z"), "can"},
    {"no right", TOKEN("", HEX, "2027-01-01T00:00:00Z"), "can"},
    {"the token itself", TOKEN("query", "gal_xxx", "2027-01-01T00:00:00Z"), "sha256"},
    {"a short digest", TOKEN("query", "0011", "2027-01-01T00:00:00Z"), "sha256"},
    {"no time", TOKEN("query", HEX, "tomorrow"), "expires"},
    {"more than a time", TOKEN("query", HEX, "2027-01-01T00:00:00Z!"), "expires"},
    {"long ago", TOKEN("query", HEX, "1869-01-01T00:00:00Z"), "expires"},
    {"twice", TOKEN("query", HEX, "2027-01-01T00:00:00Z") "can = \"store\"\n", "twice"},
    {"no end", "name = \"a\"\nuser = \"ann\"\ncan = \"query\"\nsha256 = \"" HEX "\"\n", "missing"},
    {"a user that cannot be", "name = \"a\"\nuser = \"../ann\"\n", "user"},
};

static void test_token_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct conf_token t;
        struct fault f = {0};
        write_text("tokens/x.conf", tokens[i].text);
        enum err e = conf_token_load(dir, "x", &t, &f);
        if ((e == OK) != !tokens[i].says || (tokens[i].says && !strstr(f.detail, tokens[i].says)))
            fail_msg("%s: %s", tokens[i].name, f.detail);
    }
}

static struct conf_token example(void) {
    struct conf_token t = {.id = "0123456789abcdef",
                           .name = "say \"hello\" ${HOME}",
                           .user = "ann",
                           .can = CONF_TOKEN_QUERY | CONF_TOKEN_DELETE,
                           .created_s = 1795646718,
                           .expires_s = 1795647000,
                           .collections = "ward,lab"};
    memset(t.digest, 0xa5, sizeof t.digest);
    return t;
}

static void test_token_round_trips(void **state) {
    (void)state;
    struct conf_token t = example(), back = {0}, line = {0};
    struct fault f = {0};
    struct buf b = BUF_INIT(4096);
    assert_int_equal(conf_token_save(dir, &t, &f), OK);
    assert_int_equal(conf_token_load(dir, t.id, &back, &f), OK);
    assert_memory_equal(&t, &back, sizeof t);
    conf_token_line_put(&b, &t);
    assert_true(conf_token_line_parse(slice_sub(buf_slice(&b), 0, b.n - 1), &line));
    assert_memory_equal(&t, &line, sizeof t);
    buf_fini(&b);
    assert_int_equal(conf_token_remove(dir, t.id, &f), OK);
    assert_int_equal(conf_token_remove(dir, t.id, &f), ERR_NO_SUCH_OBJECT);
    assert_int_equal(conf_token_remove(dir, "../users/x", &f), ERR_NO_SUCH_OBJECT);
}

static const char *const lines[] = {
    "",
    "x",
    "id\tname\tann\t" HEX "\t1\t1\t2",
    "id\tname\tann\t" HEX "\t1\t1\t2\t\t",
    "../id\tname\tann\t" HEX "\t1\t1\t2\t",
    "id\t\tann\t" HEX "\t1\t1\t2\t",
    "id\tname\t\t" HEX "\t1\t1\t2\t",
    "id\tname\tann\t" HEX "\t32\t1\t2\t",
    "id\tname\tann\tAA\t1\t1\t2\t",
    "id\tname\tann\t" HEX "\t1\t-1\t2\t",
};

static void test_token_lines(void **state) {
    (void)state;
    struct conf_token t;
    assert_true(conf_token_line_parse(SLICE_LIT("id\tname\tann\t" HEX "\t1\t1\t2\t"), &t));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (conf_token_line_parse(slice_str(lines[i]), &t))
            fail_msg("%s", lines[i]);
}

static void test_second_factor(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool good;
    } cases[] = {{"", true},
                 {"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", true},
                 {"ABCDEFGH", false},
                 {"abcdefghijklmnop", false},
                 {"ABCDEFGHIJKLMNO1", false},
                 {"ABCDEFGHIJKLMNOPQ", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        struct conf_user u, back;
        struct fault f = {0};
        snprintf(text, sizeof text, "roles = \"reader\"\ntotp = \"%s\"\n", cases[i].value);
        write_text("users/x.conf", text);
        if ((conf_user_load(dir, "x", &u, &f) == OK) != cases[i].good)
            fail_msg("%s", cases[i].value);
        if (!cases[i].good)
            continue;
        strcpy(u.name, "x");
        assert_int_equal(conf_user_save(dir, &u, &f), OK);
        assert_int_equal(conf_user_load(dir, "x", &back, &f), OK);
        assert_string_equal(back.totp, cases[i].value);
    }
}

#define PROVIDER "issuer = \"https://idp.example/realm\"\nclient_id = \"galena\"\n"
static const struct {
    const char *name, *text, *says;
} providers[] = {
    {"the least", PROVIDER, NULL},
    {"all of it",
     PROVIDER
     "name = \"St. Mary's\"\nclient_secret_file = \"oidc.secret\"\naudience = \"x\"\nscopes = \"openid\"\n"
     "algorithms = {\"ES256\", \"RS512\"}\nrole_reader = {\"a\", \"b\"}\nrole_auditor = {\"c\"}\n",
     NULL},
    {"no issuer", "client_id = \"galena\"\n", "issuer"},
    {"no client", "issuer = \"https://idp\"\n", "client_id"},
    {"no algorithm at all", PROVIDER "algorithms = {\"none\"}\n", "algorithms"},
    {"a secret as a key", PROVIDER "algorithms = {\"HS256\"}\n", "algorithms"},
    {"a path", PROVIDER "client_secret_file = \"../../etc/shadow\"\n", "client_secret_file"},
    {"an absolute path", PROVIDER "ca_file = \"/etc/ssl/x\"\n", "ca_file"},
    {"a line break", PROVIDER "scopes = \"openid\nissuer\thttps://evil\"\n", "scopes"},
    {"a role without a group", PROVIDER "role_reader = {\"\"}\n", "role_reader"},
    {"an unknown role", PROVIDER "role_god = {\"a\"}\n", "no such option"},
};

static void test_provider(void **state) {
    (void)state;
    struct conf_oidc o;
    struct fault none = {0};
    assert_int_equal(conf_oidc_load(dir, &o, &none), ERR_NO_SUCH_OBJECT);
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
        struct fault f = {0};
        write_text("oidc.conf", providers[i].text);
        enum err e = conf_oidc_load(dir, &o, &f);
        if ((e == OK) != !providers[i].says || (providers[i].says && !strstr(f.detail, providers[i].says)))
            fail_msg("%s: %s", providers[i].name, f.detail);
        if (i == 0)
            assert_int_equal(o.algorithm_count, 3);
        if (i == 1)
            assert_true(o.algorithm_count == 2 && o.role_count == 3 && o.roles[2].role == CONF_ROLE_AUDITOR);
    }
}

static void test_provider_addresses(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } cases[] = {{"https://idp", true},
                 {"https://idp:8443/realms/a", true},
                 {"http://127.0.0.1:8080", true},
                 {"http://localhost/x", true},
                 {"http://[::1]:9/", true},
                 {"http://idp", false},
                 {"http://127.0.0.1.evil", false},
                 {"http://localhost.evil", false},
                 {"http://localhost@evil", false},
                 {"https://user@idp", false},
                 {"https://idp?x", false},
                 {"https://idp#x", false},
                 {"https://", false},
                 {"https:///x", false},
                 {"ftp://idp", false},
                 {"idp", false},
                 {"https://i dp", false},
                 {"https://id\tp", false},
                 {"https://idp\\x", false},
                 {"HTTPS://idp", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (conf_oidc_url_valid(slice_str(cases[i].url)) != cases[i].good)
            fail_msg("%s", cases[i].url);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_files), cmocka_unit_test(test_token_round_trips),
        cmocka_unit_test(test_token_lines), cmocka_unit_test(test_second_factor),
        cmocka_unit_test(test_provider),    cmocka_unit_test(test_provider_addresses),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
