// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "conf/collection.h"
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
    static const char *const folders[] = {"collections", "users", "peers", "peers/ct"};
    for (size_t i = 0; i < COUNT(folders); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        mkdir(path, 0700);
    }
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void put(const char *folder, const char *name, const char *content) {
    char path[256];
    struct fault f = {0};
    snprintf(path, sizeof path, "%s/%s", dir, folder);
    assert_int_equal(conf_write_file(path, name, 0600, slice_str(content), &f), OK);
}

static void files(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected; // NULL: good
    } rows[] = {
        {"institution = {\"Ward 3*\", \"Ward 4\"}\n", NULL},
        {"description = \"all CTs\"\nmodality = {CT}\n", NULL},
        {"patient_id = {\"A?1\"}\nissuer = {X}\nstation = {S}\naccession = {\"1*\"}\n", NULL},
        {"referring_physician = {\"Müller^*\"}\npatient_name = {\"*^Anna\"}\nstudy_description = "
         "{\"*Thorax*\"}\n",
         NULL},
        {"", "has no condition, and would be everything"},
        {"description = \"nothing\"\n", "has no condition, and would be everything"},
        {"institution = {}\n", "has no condition, and would be everything"},
        {"institution = {\"*\"}\n", "a value must say something"},
        {"institution = {\"\"}\n", "a value must say something"},
        {"institution = {\"  **\"}\n", "a value must say something"},
        {"institution = {\"a\\\\b\"}\n", "without backslash"},
        {"institution = {\"a\tb\"}\n", "without backslash"},
        {"institution = {\"a\xff\"}\n", "without backslash"},
        {"ward = {\"3\"}\n", "no such option"},
        {"modality = {CT}\nmodality = {MR}\n", "given twice"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct conf_collection c;
        struct fault f = {0};
        put("collections", "x.conf", rows[i].text);
        enum err e = conf_collection_load(dir, "x", &c, &f);
        if ((e == OK) != !rows[i].expected || (e != OK && !strstr(f.detail, rows[i].expected)))
            fail_msg("row %zu: %s", i, f.detail);
        if (e == OK)
            conf_collection_fini(&c);
    }
}

static void limits(void **state) {
    (void)state;
    struct conf_collection c = {0};
    char text[CONF_COLLECTION_VALUE_MAX + 2];
    memset(text, 'x', sizeof text);
    for (size_t n = CONF_COLLECTION_VALUE_MAX - 1; n <= CONF_COLLECTION_VALUE_MAX + 1; n++)
        assert_int_equal(conf_collection_add_value(&c, CONF_BY_STATION, slice_of(text, n), NULL),
                         n <= CONF_COLLECTION_VALUE_MAX ? OK : ERR_CONFIG);
    for (size_t n = c.by[CONF_BY_STATION].n; n <= CONF_COLLECTION_VALUES_MAX; n++)
        assert_int_equal(conf_collection_add_value(&c, CONF_BY_STATION, SLICE_LIT("x"), NULL),
                         n < CONF_COLLECTION_VALUES_MAX ? OK : ERR_LIMIT);
    conf_collection_fini(&c);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct conf_collection c = {.name = "w3", .description = "ward \"3\", $HOME"}, back;
    struct fault f = {0};
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++)
        for (int k = 0; k <= i % 3; k++) {
            char value[64];
            snprintf(value, sizeof value, " value %d.%d \"'${x}'*# ", i, k);
            assert_int_equal(
                conf_collection_add_value(&c, (enum conf_collection_field)i, slice_str(value), &f), OK);
        }
    assert_int_equal(conf_collection_save(dir, &c, &f), OK);
    if (conf_collection_load(dir, "w3", &back, &f) != OK)
        fail_msg("%s", f.detail);
    assert_string_equal(back.description, c.description);
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++) {
        assert_int_equal(back.by[i].n, c.by[i].n);
        for (size_t k = 0; k < c.by[i].n; k++)
            assert_string_equal(back.by[i].v[k], c.by[i].v[k]);
    }
    conf_collection_fini(&c);
    conf_collection_fini(&back);
}

static void a_broken_one_does_not_stop_the_others(void **state) {
    (void)state;
    struct conf_collections all;
    struct fault f = {0};
    put("collections", "bad.conf", "institution = {\n");
    put("collections", "good.conf", "institution = {x}\n");
    put("collections", "x.conf", "modality = {CT}\n");
    assert_int_equal(conf_collections_load(dir, &all, &f), OK);
    assert_int_equal(all.problem_count, 1);
    assert_non_null(strstr(all.problems[0], "collections/bad.conf"));
    assert_non_null(conf_collections_by_name(&all, SLICE_LIT("good")));
    assert_null(conf_collections_by_name(&all, SLICE_LIT("bad")));
    conf_collections_fini(&all);
    assert_int_equal(conf_collections_load("/nonexistent", &all, &f), OK); // an archive without any
    assert_int_equal(all.n, 0);
    conf_collections_fini(&all);
}

static void names(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected; // NULL: refused
    } rows[] = {{"", ""},          {"  ", ""},         {"a", "a"},     {" a , b-1 ", "a,b-1"}, {"a,", NULL},
                {",a", NULL},      {"a b", NULL},      {"a/b", NULL},  {"../a", NULL},         {"a;b", NULL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char got[CONF_COLLECTION_NAMES_MAX + 1] = "untouched";
        bool good = conf_collection_names_parse(slice_str(rows[i].text), got);
        assert_int_equal(good, rows[i].expected != NULL);
        assert_string_equal(got, good ? rows[i].expected : "untouched");
    }
    char text[CONF_COLLECTION_NAMES_MAX + 2], got[CONF_COLLECTION_NAMES_MAX + 1];
    for (size_t n = CONF_COLLECTION_NAMES_MAX; n <= CONF_COLLECTION_NAMES_MAX + 1; n++) {
        memset(text, 'x', sizeof text);
        for (size_t i = 50; i < n - 1; i += 51)
            text[i] = ',';
        assert_int_equal(conf_collection_names_parse(slice_of(text, n), got), n <= CONF_COLLECTION_NAMES_MAX);
    }
}

static void users_and_peers_are_limited(void **state) {
    (void)state;
    struct fault f = {0};
    struct conf_user u = {.name = "eva", .roles = CONF_ROLE_REFERRER}, back;
    assert_true(conf_collection_names_parse(SLICE_LIT("w3,w4"), u.collections));
    assert_true(conf_physician_parse(SLICE_LIT("Smith^John^"), u.physician));
    assert_int_equal(conf_user_save(dir, &u, &f), OK);
    if (conf_user_load(dir, "eva", &back, &f) != OK)
        fail_msg("%s", f.detail);
    assert_string_equal(back.collections, "w3,w4");
    assert_string_equal(back.physician, "Smith^John");
    static const char *const bad[] = {"*", "Smith^*", "Sm?th", "a\\b", "a\nb", "\xff"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(conf_physician_parse(slice_str(bad[i]), u.physician));
    put("peers/ct", "peer.conf",
        "ae_title = CT\ncan = query\nplain = {\"10.0.0.1\"}\ncollections = \"w3, w4\"\n");
    struct conf_peer p, p2;
    if (conf_peer_load(dir, "ct", &p, &f) != OK)
        fail_msg("%s", f.detail);
    assert_string_equal(p.collections, "w3,w4");
    char path[128];
    snprintf(path, sizeof path, "%s/peers/ct", dir);
    assert_int_equal(conf_peer_save(path, &p, &f), OK);
    assert_int_equal(conf_peer_load(dir, "ct", &p2, &f), OK);
    assert_string_equal(p2.collections, "w3,w4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(limits),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_broken_one_does_not_stop_the_others),
        cmocka_unit_test(names),
        cmocka_unit_test(users_and_peers_are_limited),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
