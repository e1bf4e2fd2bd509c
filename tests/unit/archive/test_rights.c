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
#include "base/fold.h"
#include "bed.h"

enum {
    ECHO = IPC_RIGHT_ECHO,
    STORE = IPC_RIGHT_STORE,
    QUERY = IPC_RIGHT_QUERY,
    RETRIEVE = IPC_RIGHT_RETRIEVE,
    DELETE = IPC_RIGHT_DELETE,
    ADMIN = IPC_RIGHT_ADMIN
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
    struct conf_collections collections = {0};
    struct policy known = {&conf, &peers, &collections};
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
        {"the web has no associations", {.lane = IPC_LANE_HTTPS}, "CT1", "GALENA", 0, 1},
        {"the local administrator", {.lane = IPC_LANE_LOCAL}, "X", "Y", ECHO | STORE | QUERY | RETRIEVE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct verdict got = rights_of_association(&known, &rows[i].proof, slice_str(rows[i].calling),
                                                   slice_str(rows[i].called));
        if (got.accept != (rows[i].rights != 0) || (got.accept && got.rights != rows[i].rights) ||
            (!got.accept && (got.result != 1 || got.source != 1 || got.reason != rows[i].reason)))
            fail_msg("%s: accept %d, rights %x, reason %u", rows[i].name, got.accept, got.rights, got.reason);
        assert_null(got.view);
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
        {CONF_ROLE_ADMINISTRATOR, ECHO | DELETE | ADMIN},
        {CONF_ROLE_AUDITOR, ECHO},
        {CONF_ROLE_REFERRER, ECHO | QUERY | RETRIEVE},
        {CONF_ROLE_RESEARCHER, ECHO | QUERY | RETRIEVE},
        {CONF_ROLE_ADMINISTRATOR | CONF_ROLE_READER, ECHO | QUERY | RETRIEVE | DELETE | ADMIN},
        {1U << 6, ECHO}, // no role
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(rights_of_roles(rows[i].roles), rows[i].rights);
}

// --- What is seen -------------------------------------------------------------------------------

// Studies 1 to 8, by what they say.
static const struct study {
    const char *ward, *doctor, *removed, *modality, *id;
} studies[] = {
    {"Ward 3", "Smith^John", "", "CT", "A1"},   {"Ward 3b", "Smith^Jane", "", "MR", "A2"},
    {"Ward 4", "SMITH^JOHN", "YES", "CT", "B1"}, {"Ward 4", "", "YES", "US", "B2"},
    {"", "Müller^Eva", "NO", "CT", "A3"},        {"Other", "Smith^John^Q", "", "CT", "C1"},
    {"Ward 3", "House^G=ハウス", "YES", "MR", "C2"}, {"ward 3", "Muller^Eva", "", "CT", "C3"},
};

static struct index *ix;
static struct conf_collections collections;

static void put_name(struct bed_object *b, enum index_attr attr, const char *name) {
    char text[256];
    struct buf folded = BUF_INIT(1024);
    fold_name(slice_str(name), &folded);
    if (folded.n) {
        assert_true(slice_to_cstr(buf_slice(&folded), text, sizeof text));
        bed_put(b, attr, name, text);
    }
    buf_fini(&folded);
}

static void put_value(struct bed_object *b, enum index_attr attr, const char *value) {
    if (*value)
        bed_put(b, attr, value, NULL);
}

static void study_add(int number) {
    const struct study *s = &studies[number - 1];
    struct bed_object b;
    bed_object_init(&b, number, 1, 1);
    put_value(&b, INDEX_ATTR_PatientID, s->id);
    put_name(&b, INDEX_ATTR_ReferringPhysicianName, s->doctor);
    put_value(&b, INDEX_ATTR_Modality, s->modality);
    put_value(&b, INDEX_ATTR_InstitutionName, s->ward);
    put_value(&b, INDEX_ATTR_PatientIdentityRemoved, s->removed);
    bed_add(ix, &b);
}

static void collection_add(const char *name, enum conf_collection_field field, const char *value,
                           enum conf_collection_field second, const char *other) {
    collections.v = realloc(collections.v, (collections.n + 1) * sizeof *collections.v);
    struct conf_collection *c = &collections.v[collections.n++];
    *c = (struct conf_collection){0};
    strcpy(c->name, name);
    assert_int_equal(conf_collection_add_value(c, field, slice_str(value), NULL), OK);
    if (other)
        assert_int_equal(conf_collection_add_value(c, second, slice_str(other), NULL), OK);
}

static const char *dir;

static int setup(void **state) {
    (void)state;
    dir = bed_folder();
    ix = bed_open(dir);
    for (int i = 1; i <= (int)(sizeof studies / sizeof *studies); i++)
        study_add(i);
    collection_add("ward3", CONF_BY_INSTITUTION, "Ward 3*", 0, NULL);
    collection_add("wards", CONF_BY_INSTITUTION, "Ward 3", CONF_BY_INSTITUTION, "Ward 4");
    collection_add("ct4", CONF_BY_MODALITY, "CT", CONF_BY_INSTITUTION, "Ward 4");
    collection_add("smiths", CONF_BY_REFERRING_PHYSICIAN, "smith^*", 0, NULL);
    collection_add("mueller", CONF_BY_REFERRING_PHYSICIAN, "MÜLLER^Eva", 0, NULL);
    collection_add("as", CONF_BY_PATIENT_ID, "A?", 0, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    conf_collections_fini(&collections);
    index_close(ix);
    bed_clean(dir);
    return 0;
}

// The numbers of the studies it shows, as in "136".
static int by_letter(const void *a, const void *b) {
    return *(const char *)a - *(const char *)b;
}

static const char *seen(const struct view *v) {
    static char text[64];
    static const uint16_t returns[] = {INDEX_ATTR_StudyInstanceUID};
    struct index_query_spec spec = {.level = INDEX_STUDY, .returns = returns, .return_count = 1};
    struct index_query *q;
    enum index_step step = INDEX_AGAIN;
    size_t n = 0;
    view_limit(v, &spec);
    assert_int_equal(index_query_open(ix, &spec, NULL, &q), OK);
    while (step != INDEX_END) {
        assert_int_equal(index_query_step(q, NULL, &step), OK);
        if (step == INDEX_ROW)
            text[n++] = (char)index_query_value(q, 0).p[4];
    }
    text[n] = '\0';
    qsort(text, n, 1, by_letter); // rows come in no promised order
    index_query_close(q);
    return text;
}

enum { READER = CONF_ROLE_READER, RADIO = CONF_ROLE_RADIOGRAPHER, REFERRER = CONF_ROLE_REFERRER,
       RESEARCHER = CONF_ROLE_RESEARCHER, AUDITOR = CONF_ROLE_AUDITOR, BOSS = CONF_ROLE_ADMINISTRATOR };

#define SEES_ALL "12345678"
#define ALL (ECHO | STORE | QUERY | RETRIEVE | DELETE | ADMIN)

static void role_by_right_by_study(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t roles;
        const char *collections, *physician, *token; // token: its collections; NULL: no token
        uint32_t token_rights, rights;
        const char *seen, *missing;
    } rows[] = {
        {"nobody", 0, "", "", NULL, 0, ECHO, "", ""},
        {"reader", READER, "", "", NULL, 0, ECHO | QUERY | RETRIEVE, SEES_ALL, ""},
        {"radiographer", RADIO, "", "", NULL, 0, ECHO | STORE | QUERY | RETRIEVE, SEES_ALL, ""},
        {"auditor", AUDITOR, "", "", NULL, 0, ECHO, "", ""},
        {"administrator", BOSS, "", "", NULL, 0, ECHO | DELETE | ADMIN, SEES_ALL, ""},
        {"referrer", REFERRER, "", "Smith^John", NULL, 0, ECHO | QUERY | RETRIEVE, "13", ""},
        {"in other letters", REFERRER, "", "SMITH^john", NULL, 0, ECHO | QUERY | RETRIEVE, "13", ""},
        {"with an accent", REFERRER, "", "Müller^Eva", NULL, 0, ECHO | QUERY | RETRIEVE, "58", ""},
        {"another script", REFERRER, "", "ハウス", NULL, 0, ECHO | QUERY | RETRIEVE, "7", ""},
        {"referrer without a name", REFERRER, "", "", NULL, 0, ECHO | QUERY | RETRIEVE, "", ""},
        {"a name that says nothing", REFERRER, "", "^ ^=", NULL, 0, ECHO | QUERY | RETRIEVE, "", ""},
        {"a pattern for a name", REFERRER, "", "S*", NULL, 0, ECHO | QUERY | RETRIEVE, "", ""},
        {"nobody's name", REFERRER, "", "Nemo", NULL, 0, ECHO | QUERY | RETRIEVE, "", ""},
        {"a physician but no referrer", AUDITOR, "", "Smith^John", NULL, 0, ECHO, "", ""},
        {"researcher", RESEARCHER, "", "", NULL, 0, ECHO | QUERY | RETRIEVE, "347", ""},
        {"both", REFERRER | RESEARCHER, "", "Smith^John", NULL, 0, ECHO | QUERY | RETRIEVE, "1347", ""},
        {"both, no name", REFERRER | RESEARCHER, "", "", NULL, 0, ECHO | QUERY | RETRIEVE, "347", ""},
        {"a reader, too", REFERRER | READER, "", "", NULL, 0, ECHO | QUERY | RETRIEVE, SEES_ALL, ""},
        {"boss who does research", BOSS | RESEARCHER, "", "", NULL, 0,
         ECHO | QUERY | RETRIEVE | DELETE | ADMIN, "347", ""},
        {"one collection", READER, "ward3", "", NULL, 0, ECHO | QUERY | RETRIEVE, "127", ""},
        {"values are a choice", READER, "wards", "", NULL, 0, ECHO | QUERY | RETRIEVE, "1347", ""},
        {"conditions are not", READER, "ct4", "", NULL, 0, ECHO | QUERY | RETRIEVE, "3", ""},
        {"names as in a query", READER, "smiths", "", NULL, 0, ECHO | QUERY | RETRIEVE, "1236", ""},
        {"names whole", READER, "mueller", "", NULL, 0, ECHO | QUERY | RETRIEVE, "58", ""},
        {"by Patient ID", READER, "as", "", NULL, 0, ECHO | QUERY | RETRIEVE, "125", ""},
        {"two collections", READER, "ct4, as", "", NULL, 0, ECHO | QUERY | RETRIEVE, "1235", ""},
        {"one that is missing", READER, "gone", "", NULL, 0, ECHO | QUERY | RETRIEVE, "", "gone"},
        {"one of two is missing", READER, "as,gone", "", NULL, 0, ECHO | QUERY | RETRIEVE, "125", "gone"},
        {"a comma alone", READER, ",", "", NULL, 0, ECHO | QUERY | RETRIEVE, "", ""},
        {"role and collection", RESEARCHER, "ward3", "", NULL, 0, ECHO | QUERY | RETRIEVE, "7", ""},
        {"referrer in a collection", REFERRER, "wards", "Smith^John", NULL, 0, ECHO | QUERY | RETRIEVE, "13",
         ""},
        {"boss in a collection", BOSS, "ward3", "", NULL, 0, ECHO | DELETE | ADMIN, "127", ""},
        {"a token", READER, "", "", "", QUERY, ECHO | QUERY, SEES_ALL, ""},
        {"a token may not more than its owner", READER, "", "", "", ALL, ECHO | QUERY | RETRIEVE, SEES_ALL,
         ""},
        {"a token's collection", READER, "", "", "ward3", QUERY, ECHO | QUERY, "127", ""},
        {"a token's and the owner's", READER, "wards", "", "ward3", QUERY, ECHO | QUERY, "17", ""},
        {"a token's that is missing", READER, "wards", "", "gone", QUERY, ECHO | QUERY, "", "gone"},
    };
    struct policy known = {.collections = &collections};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct signed_in user = {.name = SLICE_LIT("eva"), .roles = rows[i].roles,
                                 .collections = slice_str(rows[i].collections),
                                 .physician = slice_str(rows[i].physician),
                                 .has_token = rows[i].token != NULL, .token_rights = rows[i].token_rights,
                                 .token_collections = slice_str(rows[i].token ? rows[i].token : "")};
        struct verdict v = rights_of_user(&known, &user);
        assert_string_equal(v.peer, "user:eva");
        if (!v.accept || v.rights != rows[i].rights || strcmp(seen(v.view), rows[i].seen) != 0 ||
            strcmp(v.missing, rows[i].missing) != 0)
            fail_msg("%s: rights %x, sees '%s', missing '%s'", rows[i].name, v.rights, seen(v.view),
                     v.missing);
        view_free(v.view);
    }
}

// An application with a user may and sees what both may and see.
static void peer_and_user(void **state) {
    (void)state;
    static const struct {
        const char *name, *of_peer, *of_user;
        uint32_t roles;
        const char *seen;
    } rows[] = {
        {"neither is limited", "", "", READER, SEES_ALL}, {"the peer is", "ward3", "", READER, "127"},
        {"the user is", "", "wards", READER, "1347"},     {"both are", "ward3", "wards", READER, "17"},
        {"nothing in common", "as", "ct4", READER, ""},   {"by role", "ward3", "", RESEARCHER, "7"},
        {"the peer's is missing", "gone", "", READER, ""},
    };
    struct conf conf;
    conf_init(&conf);
    struct conf_peer p = peer("ws", "WS1", CONF_CAN_STORE | CONF_CAN_QUERY, KEY_A);
    struct conf_peers peers = {.v = &p, .n = 1};
    struct policy known = {&conf, &peers, &collections};
    struct proof proof = tls(KEY_A);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        strcpy(p.collections, rows[i].of_peer);
        struct signed_in user = {.name = SLICE_LIT("eva"), .roles = rows[i].roles,
                                 .collections = slice_str(rows[i].of_user)};
        struct verdict a = rights_of_association(&known, &proof, SLICE_LIT("WS1"), SLICE_LIT("GALENA"));
        struct verdict b = rights_of_user(&known, &user);
        struct verdict v = rights_of_both(&a, &b);
        assert_true(v.accept);
        assert_int_equal(v.rights, ECHO | QUERY);
        assert_string_equal(v.peer, "ws");
        if (strcmp(seen(v.view), rows[i].seen) != 0)
            fail_msg("%s: sees '%s'", rows[i].name, seen(v.view));
        view_free(v.view);
    }
    conf_fini(&conf);
}

// Whatever cannot be made or joined any more sees nothing, not everything.
static void views_never_widen(void **state) {
    (void)state;
    char missing[CONF_NAME_MAX + 1];
    struct view *v = view_of_collections(&collections, SLICE_LIT("wards"), missing);
    for (int i = 1; i < VIEW_SCOPES_MAX; i++)
        v = view_join(v, view_of_collections(&collections, SLICE_LIT("wards"), missing));
    assert_string_equal(seen(v), "1347");
    v = view_join(v, view_of_collections(&collections, SLICE_LIT("wards"), missing));
    assert_string_equal(seen(v), "");
    v = view_join(v, NULL);
    assert_string_equal(seen(v), "");
    struct view *again = view_ref(v);
    view_free(v);
    assert_string_equal(seen(again), "");
    view_free(again);
    assert_string_equal(seen(view_nothing()), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy),
        cmocka_unit_test(roles),
        cmocka_unit_test_setup_teardown(role_by_right_by_study, setup, teardown),
        cmocka_unit_test_setup_teardown(peer_and_user, setup, teardown),
        cmocka_unit_test_setup_teardown(views_never_widen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
