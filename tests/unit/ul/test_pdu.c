// PDUs against golden bytes, against each other, and against every lie a length can tell.
#include "ul_test.h"

static void titles(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        size_t n;
        const char *expected; // NULL: no title
    } cases[] = {
        {"GALENA          ", 16, "GALENA"},
        {"  two words     ", 16, "two words"},
        {"SIXTEENCHARACTER", 16, "SIXTEENCHARACTER"},
        {"NULPADDED\0\0\0\0\0\0\0", 16, "NULPADDED"},
        {"NUL THEN BLANK\0 ", 16, "NUL THEN BLANK"},
        {"a", 1, "a"},
        {"%s%n/../        ", 16, "%s%n/../"},
        {"                ", 16, NULL},
        {"", 0, NULL},
        {"back\\slash     ", 15, NULL},
        {"SEVENTEENCHARACTR", 17, NULL},
        {"line\nfeed       ", 15, NULL},
        {"in\0side         ", 15, NULL},
        {"\377             ", 14, NULL},
        {"del\177          ", 14, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char title[UL_AE_MAX + 1] = "?";
        bool ok = ul_ae_parse(slice_of(cases[i].raw, cases[i].n), title);
        assert_int_equal(ok, cases[i].expected != NULL);
        assert_string_equal(title, cases[i].expected ? cases[i].expected : "");
    }
}

static void golden_request(void **state) {
    (void)state;
    uint8_t raw[512];
    size_t n = unhex(ECHO_RQ_HEX, raw, sizeof raw);
    assert_int_equal(n, 234);
    struct ul_pdu_header h = ul_pdu_header_decode(raw);
    assert_int_equal(h.type, UL_PDU_ASSOCIATE_RQ);
    assert_int_equal(h.length, n - 6);
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate rq;
    struct fault f = {OK, ""};
    assert_int_equal(ul_associate_decode(UL_PDU_ASSOCIATE_RQ, slice_of(raw + 6, n - 6), &arena, &rq, &f), OK);
    assert_string_equal(rq.called, "GALENA");
    assert_string_equal(rq.calling, "MODALITY");
    assert_int_equal(rq.context_count, 1);
    assert_int_equal(rq.contexts[0].id, 1);
    assert_true(slice_eq_str(rq.contexts[0].abstract, "1.2.840.10008.1.1"));
    assert_int_equal(rq.contexts[0].transfer_count, 2);
    assert_true(slice_eq_str(rq.contexts[0].transfers[1], "1.2.840.10008.1.2.1"));
    assert_int_equal(rq.max_pdu, 16384);
    assert_true(slice_eq_str(rq.implementation_version, "OFFIS_DCMTK_367"));
    // What we make of it is what we read, but for the order and reserved bytes DCMTK writes.
    struct buf out = BUF_INIT(4096);
    assert_int_equal(ul_associate_encode(UL_PDU_ASSOCIATE_RQ, &rq, &out, &f), OK);
    assert_int_equal(out.n, n);
    out.p[6 + 68 + 25 + 6] = 0xff; // reserved, Table 9-13
    assert_memory_equal(out.p, raw, n);
    buf_fini(&out);
    arena_fini(&arena);
}

// Cut short at every byte: an error each time, and nothing read beyond.
static void truncated_request(void **state) {
    (void)state;
    uint8_t raw[512];
    size_t n = unhex(ECHO_RQ_HEX, raw, sizeof raw) - 6;
    // Cuts at these places leave whole items behind: fewer of them, but a well-formed request.
    static const size_t whole[] = {166, 166 + 4 + 58};
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, raw + 6, cut);
        struct arena arena = ARENA_INIT(65536);
        struct ul_associate rq;
        enum err e = ul_associate_decode(UL_PDU_ASSOCIATE_RQ, slice_of(exact, cut), &arena, &rq, NULL);
        bool ok = false;
        for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
            ok = ok || cut == whole[i];
        if ((e == OK) != ok)
            fail_msg("cut at %zu: %s", cut, err_name(e));
        arena_fini(&arena);
        free(exact);
    }
}

static void item(struct buf *b, uint8_t type, const void *p, size_t n) {
    buf_u8(b, type);
    buf_u8(b, 0);
    buf_u16be(b, (uint16_t)n);
    buf_append(b, p, n);
}

static void fixed(struct buf *b) {
    static const uint8_t zeros[32] = {0};
    buf_u16be(b, 1);
    buf_u16be(b, 0);
    buf_append_str(b, "GALENA          MODALITY        ");
    buf_append(b, zeros, 32);
    item(b, 0x10, "1.2.840.10008.3.1.1.1", 21);
}

static void context(struct buf *b, uint8_t id, const char *abstract, const char *transfer, size_t transfers) {
    struct buf c = BUF_INIT(1 << 20);
    const uint8_t head[4] = {id, 0, 0, 0};
    buf_append(&c, head, 4);
    if (abstract)
        item(&c, 0x30, abstract, strlen(abstract));
    for (size_t i = 0; i < transfers; i++)
        item(&c, 0x40, transfer, strlen(transfer));
    item(b, 0x20, c.p, c.n);
    buf_fini(&c);
}

static void user_info(struct buf *b, const char *hex) {
    uint8_t raw[1024];
    item(b, 0x50, raw, unhex(hex, raw, sizeof raw));
}

static enum err decode(const struct buf *b, struct ul_associate *ret_rq, struct arena *arena) {
    struct fault f = {OK, ""};
    return ul_associate_decode(UL_PDU_ASSOCIATE_RQ, buf_slice(b), arena, ret_rq, &f);
}

static void user_information(void **state) {
    (void)state;
    static const struct {
        const char *name, *hex;
        enum err expected;
    } cases[] = {
        {"nothing", "", OK},
        {"maximum length 0", "51000004 00000000", OK},
        {"maximum length of 3 bytes", "51000003 000000", ERR_PROTOCOL},
        {"maximum length twice", "51000004 00000000 51000004 00000000", ERR_PROTOCOL},
        {"async", "53000004 00000001", OK},
        {"async of 5 bytes", "53000005 0000000100", ERR_PROTOCOL},
        {"role", "54000007 0003 312e32 0101", OK},
        {"role whose class overruns", "54000007 0006 312e32 0101", ERR_TRUNCATED},
        {"role with a byte too many", "54000008 0003 312e32 010100", ERR_PROTOCOL},
        {"role of no class", "54000004 0000 0101", ERR_UID},
        {"extended", "56000007 0003 312e32 0101", OK},
        {"extended of a path", "56000007 0003 2e2e2f 0101", ERR_UID},
        {"common extended", "5700000f 0003 312e32 0003 312e33 0005 0003 312e34", ERR_TRUNCATED},
        {"common extended, whole", "57000011 0003 312e32 0003 312e33 0005 0003 312e34", OK},
        {"user name", "58000008 01 00 0002 6162 0000", OK},
        {"user name and passcode", "5800000a 02 01 0002 6162 0002 6364", OK},
        {"Kerberos", "58000008 03 00 0002 6162 0000", OK},
        {"SAML", "58000008 04 00 0002 6162 0000", OK},
        {"JWT", "58000008 05 00 0002 6162 0000", OK},
        {"type 0", "58000008 00 00 0002 6162 0000", ERR_PROTOCOL},
        {"type 6", "58000008 06 00 0002 6162 0000", ERR_PROTOCOL},
        {"user name with passcode field", "5800000a 01 01 0002 6162 0002 6364", ERR_PROTOCOL},
        {"two identities", "58000008 01 00 0002 6162 0000 58000008 01 00 0002 6162 0000", ERR_PROTOCOL},
        {"identity that overruns", "58000008 01 00 0003 6162 0000", ERR_PROTOCOL},
        {"identity cut", "58000001 01", ERR_PROTOCOL},
        {"unknown item", "77000002 0000", OK},
        {"item longer than its parent", "77000003 0000", ERR_TRUNCATED},
        {"item header cut", "7700", ERR_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT(1 << 20);
        struct arena arena = ARENA_INIT(65536);
        struct ul_associate rq;
        fixed(&b);
        context(&b, 1, "1.2.840.10008.1.1", "1.2.840.10008.1.2", 1);
        user_info(&b, cases[i].hex);
        enum err e = decode(&b, &rq, &arena);
        if (e != cases[i].expected && !(e != OK && cases[i].expected == ERR_TRUNCATED))
            fail_msg("%s: %s", cases[i].name, err_name(e));
        buf_fini(&b);
        arena_fini(&arena);
    }
}

static void contexts(void **state) {
    (void)state;
    static const struct {
        const char *name;
        unsigned first, step, count, transfers;
        const char *abstract;
        enum err expected;
    } cases[] = {
        {"one", 1, 2, 1, 1, "1.2", OK},
        {"128", 1, 2, 128, 1, "1.2", OK},
        {"129: an identifier comes again", 1, 2, 129, 1, "1.2", ERR_PROTOCOL},
        {"even", 2, 2, 1, 1, "1.2", ERR_PROTOCOL},
        {"zero", 0, 2, 1, 1, "1.2", ERR_PROTOCOL},
        {"twice", 3, 0, 2, 1, "1.2", ERR_PROTOCOL},
        {"none", 1, 2, 0, 1, "1.2", ERR_PROTOCOL},
        {"no transfer syntax", 1, 2, 1, 0, "1.2", ERR_PROTOCOL},
        {"no abstract syntax", 1, 2, 1, 1, NULL, ERR_PROTOCOL},
        {"abstract syntax empty", 1, 2, 1, 1, "", ERR_UID},
        {"abstract syntax no UID", 1, 2, 1, 1, "1..2", ERR_UID},
        {"128 transfer syntaxes", 1, 2, 1, 128, "1.2", OK},
        {"129 transfer syntaxes", 1, 2, 1, 129, "1.2", ERR_LIMIT},
        {"2,700 transfer syntaxes", 1, 2, 1, 2700, "1.2", ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = BUF_INIT(1 << 20);
        struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
        struct ul_associate rq;
        fixed(&b);
        for (unsigned k = 0; k < cases[i].count; k++)
            context(&b, (uint8_t)(cases[i].first + k * cases[i].step), cases[i].abstract, "1.2.840.10008.1.2",
                    cases[i].transfers);
        enum err e = decode(&b, &rq, &arena);
        if (e != cases[i].expected)
            fail_msg("%s: %s", cases[i].name, err_name(e));
        if (e == OK)
            assert_int_equal(rq.context_count, cases[i].count);
        buf_fini(&b);
        arena_fini(&arena);
    }
}

static void round_trip(void **state) {
    (void)state;
    struct slice transfers[2] = {SLICE_LIT("1.2.840.10008.1.2"), SLICE_LIT("1.2.840.10008.1.2.1")};
    struct ul_context c[2] = {
        {.id = 1, .abstract = SLICE_LIT("1.2.3"), .transfers = transfers, .transfer_count = 2},
        {.id = 255, .abstract = SLICE_LIT("1.2.4"), .transfers = transfers, .transfer_count = 1},
    };
    struct ul_role role = {SLICE_LIT("1.2.3"), false, true};
    struct ul_extended x = {SLICE_LIT("1.2.4"), SLICE_LIT("\1\0\1")};
    struct slice related[1] = {SLICE_LIT("1.2.5")};
    struct ul_common_extended common = {SLICE_LIT("1.2.3"), SLICE_LIT("1.2.9"), related, 1};
    struct ul_associate a = {.context_count = 0};
    ul_associate_init(&a, "ME", "YOU");
    a.contexts = c;
    a.context_count = 2;
    a.has_async = true;
    a.async_invoked = 3;
    a.async_performed = 0;
    a.roles = &role;
    a.role_count = 1;
    a.extended = &x;
    a.extended_count = 1;
    a.common = &common;
    a.common_count = 1;
    a.identity =
        (struct ul_identity){UL_IDENTITY_USERNAME_PASSCODE, true, SLICE_LIT("user"), SLICE_LIT("secret")};
    struct buf b = BUF_INIT(1 << 16);
    struct arena arena = ARENA_INIT(65536);
    struct ul_associate r;
    assert_int_equal(ul_associate_encode(UL_PDU_ASSOCIATE_RQ, &a, &b, NULL), OK);
    assert_int_equal(ul_pdu_header_decode(b.p).length, b.n - 6);
    assert_int_equal(ul_associate_decode(UL_PDU_ASSOCIATE_RQ, slice_of(b.p + 6, b.n - 6), &arena, &r, NULL),
                     OK);
    assert_string_equal(r.calling, "ME");
    assert_string_equal(r.called, "YOU");
    assert_int_equal(r.contexts[1].id, 255);
    assert_int_equal(r.contexts[0].transfer_count, 2);
    assert_int_equal(r.async_invoked, 3);
    assert_false(r.roles[0].scu);
    assert_true(r.roles[0].scp);
    assert_true(slice_eq(r.extended[0].info, x.info));
    assert_true(slice_eq_str(r.common[0].related[0], "1.2.5"));
    assert_true(slice_eq_str(r.identity.secondary, "secret"));
    assert_int_equal(r.max_pdu, UL_MAX_PDU_OURS);
    buf_fini(&b);
    arena_fini(&arena);
}

static void too_long_to_write(void **state) {
    (void)state;
    struct ul_associate a;
    ul_associate_init(&a, "ME", "YOU");
    uint8_t *big = calloc(1, 65536);
    struct buf b = BUF_INIT(1 << 20);
    a.identity = (struct ul_identity){UL_IDENTITY_JWT, false, slice_of(big, 65536), {NULL, 0}};
    assert_int_equal(ul_associate_encode(UL_PDU_ASSOCIATE_RQ, &a, &b, NULL), ERR_LIMIT);
    assert_int_equal(b.n, 0);
    a.identity.primary.n = 65500; // fits its own length, not that of the user information
    assert_int_equal(ul_associate_encode(UL_PDU_ASSOCIATE_RQ, &a, &b, NULL), ERR_LIMIT);
    a.identity.primary.n = 60000;
    assert_int_equal(ul_associate_encode(UL_PDU_ASSOCIATE_RQ, &a, &b, NULL), OK);
    buf_fini(&b);
    free(big);
}

static void short_pdus(void **state) {
    (void)state;
    struct buf b = BUF_INIT(100);
    ul_reject_encode((struct ul_refusal){1, 2, 2}, &b);
    ul_abort_encode((struct ul_refusal){9, 2, 6}, &b);
    ul_release_encode(UL_PDU_RELEASE_RQ, &b);
    ul_release_encode(UL_PDU_RELEASE_RP, &b);
    uint8_t expected[64];
    size_t n = unhex("03000000000400010202 07000000000400000206 05000000000400000000 06000000000400000000",
                     expected, sizeof expected);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, expected, n);
    struct ul_refusal r;
    assert_int_equal(ul_refusal_decode(slice_of(b.p + 6, 4), &r, NULL), OK);
    assert_string_equal(ul_reject_text(r), "protocol version not supported");
    assert_int_equal(ul_refusal_decode(slice_of(b.p + 6, 3), &r, NULL), ERR_PROTOCOL);
    assert_string_equal(ul_abort_text((struct ul_refusal){0, 2, 6}), "invalid PDU parameter value");
    assert_string_equal(ul_abort_text((struct ul_refusal){0, 2, 99}), "a reason unknown to the standard");
    assert_string_equal(ul_reject_text((struct ul_refusal){1, 1, 7}), "called AE title not recognized");
    buf_fini(&b);
}

static void pdv_header(void **state) {
    (void)state;
    uint8_t header[12], expected[12];
    ul_pdv_header_encode(3, false, true, 70000, header);
    unhex("0400 00011176 00011172 0302", expected, sizeof expected);
    assert_memory_equal(header, expected, 12);
    ul_pdv_header_encode(255, true, false, 0, header);
    unhex("0400 00000006 00000002 ff01", expected, sizeof expected);
    assert_memory_equal(header, expected, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles),
        cmocka_unit_test(golden_request),
        cmocka_unit_test(truncated_request),
        cmocka_unit_test(user_information),
        cmocka_unit_test(contexts),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(too_long_to_write),
        cmocka_unit_test(short_pdus),
        cmocka_unit_test(pdv_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
