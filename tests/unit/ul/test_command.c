// Command sets: golden bytes, what each message must have, and everything that may be wrong.
#include "ul_test.h"

static enum err decode_hex(const char *hex, struct dimse_command *ret, struct fault *f) {
    uint8_t raw[2048];
    size_t n = unhex(hex, raw, sizeof raw);
    uint8_t *exact = malloc(n + 1);
    memcpy(exact, raw, n);
    enum err e = dimse_command_decode(slice_of(exact, n), ret, f);
    free(exact);
    return e;
}

static void golden_echo(void **state) {
    (void)state;
    struct dimse_command c;
    struct fault f = {OK, ""};
    assert_int_equal(decode_hex(ECHO_COMMAND_HEX, &c, &f), OK);
    assert_int_equal(c.field, DIMSE_C_ECHO_RQ);
    assert_int_equal(c.message_id, 1);
    assert_string_equal(c.affected_class, "1.2.840.10008.1.1");
    assert_false(dimse_has_data_set(&c));
    struct buf b = BUF_INIT(1024);
    uint8_t raw[256];
    size_t n = unhex(ECHO_COMMAND_HEX, raw, sizeof raw);
    dimse_command_encode(&c, &b);
    assert_int_equal(b.n, n);
    assert_memory_equal(b.p, raw, n);
    buf_fini(&b);
}

#define CLASS "00000200 04000000 312e3200 "
#define ECHO "00000001 02000000 3000 "
#define STORE "00000001 02000000 0100 "
#define MOVE "00000001 02000000 2100 "
#define ID "00001001 02000000 0100 "
#define NO_DATA "00000008 02000000 0101 "
#define DATA "00000008 02000000 0000 "
#define INSTANCE "00000010 04000000 312e3300 "

static void errors(void **state) {
    (void)state;
    static const struct {
        const char *name, *hex;
        enum err expected;
    } cases[] = {
        {"nothing", "", ERR_PROTOCOL},
        {"echo", CLASS ECHO ID NO_DATA, OK},
        {"echo in another order", NO_DATA ID ECHO CLASS, OK},
        {"echo, even padded with a blank", "00000200 04000000 312e3220 " ECHO ID NO_DATA, OK},
        {"no class", ECHO ID NO_DATA, ERR_PROTOCOL},
        {"empty class", "00000200 00000000 " ECHO ID NO_DATA, ERR_PROTOCOL},
        {"no field", CLASS ID NO_DATA, ERR_PROTOCOL},
        {"no message ID", CLASS ECHO NO_DATA, ERR_PROTOCOL},
        {"no data set type", CLASS ECHO ID, ERR_PROTOCOL},
        {"echo with a data set", CLASS ECHO ID DATA, ERR_PROTOCOL},
        {"message ID twice", CLASS ECHO ID ID NO_DATA, ERR_SYNTAX},
        {"message ID of 4 bytes", CLASS ECHO "00001001 04000000 01000000 " NO_DATA, ERR_SYNTAX},
        {"message ID of 0 bytes", CLASS ECHO "00001001 00000000 " NO_DATA, ERR_SYNTAX},
        {"class that is a path", "00000200 04000000 2e2e2f61 " ECHO ID NO_DATA, ERR_SYNTAX},
        {"element of group 0008", CLASS ECHO ID NO_DATA "08000500 02000000 4142", ERR_SYNTAX},
        {"unknown element of group 0000", CLASS ECHO ID NO_DATA "00000550 02000000 4142", OK},
        {"length past the end", CLASS ECHO ID "00000008 04000000 0101", ERR_TRUNCATED},
        {"undefined length", CLASS ECHO ID NO_DATA "00000550 ffffffff", ERR_TRUNCATED},
        {"header cut", CLASS ECHO ID NO_DATA "0000", ERR_TRUNCATED},
        {"store", CLASS STORE ID DATA INSTANCE, OK},
        {"store without instance", CLASS STORE ID DATA, ERR_PROTOCOL},
        {"store of an instance that is a path", CLASS STORE ID DATA "00000010 04000000 2e2e2f61 ", OK},
        {"store of two instances", CLASS STORE ID DATA INSTANCE "00000010 04000000 2e2e2f61 ", ERR_SYNTAX},
        {"store without data set", CLASS STORE ID NO_DATA INSTANCE, ERR_PROTOCOL},
        {"move without destination", CLASS MOVE ID DATA, ERR_PROTOCOL},
        {"move", CLASS MOVE ID "00000006 04000000 44455354 " DATA, OK},
        {"move to a blank destination", CLASS MOVE ID "00000006 04000000 20202020 " DATA, ERR_SYNTAX},
        {"cancel", "00000001 02000000 ff0f 00002001 02000000 0100 " NO_DATA, OK},
        {"cancel of nothing", "00000001 02000000 ff0f " NO_DATA, ERR_PROTOCOL},
        {"unknown field", "00000001 02000000 3412 " ID NO_DATA, OK},
        {"response without status", "00000001 02000000 0180 00002001 02000000 0100 " NO_DATA, ERR_PROTOCOL},
        {"tags of 6 bytes", CLASS ECHO ID NO_DATA "00000109 06000000 080018000800", ERR_SYNTAX},
        {"a comment of blanks twice", CLASS ECHO ID NO_DATA "00000209 02000000 2020 00000209 02000000 2020",
         OK},
        {"tags", CLASS ECHO ID NO_DATA "00000109 08000000 0800180008001600", OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dimse_command c;
        struct fault f = {OK, ""};
        enum err e = decode_hex(cases[i].hex, &c, &f);
        if (e != cases[i].expected)
            fail_msg("%s: %s (%s)", cases[i].name, err_name(e), f.detail);
    }
}

static void size_limit(void **state) {
    (void)state;
    uint8_t *raw = calloc(1, DIMSE_COMMAND_BYTES_MAX + 1);
    struct dimse_command c;
    size_t n = unhex(CLASS ECHO ID NO_DATA "00000550 00000000", raw, 256);
    size_t filler = DIMSE_COMMAND_BYTES_MAX - n;
    raw[n - 4] = (uint8_t)filler;
    raw[n - 3] = (uint8_t)(filler >> 8);
    assert_int_equal(dimse_command_decode(slice_of(raw, DIMSE_COMMAND_BYTES_MAX), &c, NULL), OK);
    assert_int_equal(dimse_command_decode(slice_of(raw, DIMSE_COMMAND_BYTES_MAX + 1), &c, NULL), ERR_LIMIT);
    free(raw);
}

static void round_trip_of_everything(void **state) {
    (void)state;
    struct dimse_command c = {.field = DIMSE_C_MOVE_RSP, .data_set_type = DIMSE_DATA_SET};
    c.has = (DIMSE_HAS_DATA_SET_TYPE << 1) - 1;
    c.message_id = 1, c.responded_to = 2, c.priority = 2, c.status = 0xB000, c.error_id = 5, c.event_type = 6;
    c.action_type = 7, c.remaining = 8, c.completed = 9, c.failed = 10, c.warning = 11, c.originator_id = 12;
    strcpy(c.affected_class, "1.2.3");
    strcpy(c.requested_class, "1.2.34");
    strcpy(c.affected_instance, "1.2.345");
    strcpy(c.requested_instance, "1.2.3456");
    strcpy(c.move_destination, "DEST");
    strcpy(c.originator_ae, "ORIGINATOR");
    dimse_command_set_comment(&c,
                              "a comment that is longer than the sixty-four characters that fit into an LO");
    assert_int_equal(strlen(c.comment), 64);
    c.offending = (struct dimse_tags){2, {0x00080018, 0x7FE00010}};
    c.attributes = (struct dimse_tags){1, {0x00100020}};
    struct buf b = BUF_INIT(4096);
    struct dimse_command r;
    struct fault f = {OK, ""};
    dimse_command_encode(&c, &b);
    assert_int_equal(dimse_command_decode(buf_slice(&b), &r, &f), OK);
    assert_memory_equal(&r, &c, sizeof c);
    buf_fini(&b);
}

static void responses(void **state) {
    (void)state;
    struct dimse_command rq = {.field = DIMSE_C_STORE_RQ, .message_id = 77, .data_set_type = DIMSE_DATA_SET};
    dimse_command_set_uid(&rq, DIMSE_HAS_AFFECTED_CLASS, SLICE_LIT("1.2"));
    dimse_command_set_uid(&rq, DIMSE_HAS_AFFECTED_INSTANCE, SLICE_LIT("1.3"));
    struct dimse_command rsp = dimse_response(&rq, DIMSE_CANNOT_UNDERSTAND);
    assert_int_equal(rsp.field, DIMSE_C_STORE_RSP);
    assert_int_equal(rsp.responded_to, 77);
    assert_string_equal(rsp.affected_instance, "1.3");
    assert_false(dimse_has_data_set(&rsp));
    assert_string_equal(dimse_field_name(rsp.field), "C-STORE-RSP");
    assert_string_equal(dimse_field_name(0x1234), "unknown");
    struct dimse_command action = {.field = DIMSE_N_ACTION_RQ, .has = DIMSE_HAS_REQUESTED_CLASS};
    strcpy(action.requested_class, "1.2.9");
    assert_string_equal(dimse_response(&action, 0).affected_class, "1.2.9");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_echo),
        cmocka_unit_test(errors),
        cmocka_unit_test(size_limit),
        cmocka_unit_test(round_trip_of_everything),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
