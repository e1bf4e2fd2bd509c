// Status codes (PS3.7 Annex C, PS3.4 B, C) and command elements (PS3.7 9.3, E.1).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "std/command.h"
#include "std/status.h"
#include "std/tag.h"

static void statuses(void **state) {
    (void)state;
    static const struct {
        enum status_service service;
        uint16_t code;
        const char *id; // NULL: not in the table
        enum status_class class_;
    } cases[] = {
        {STATUS_ECHO, 0x0000, "SUCCESS", STATUS_SUCCESS},
        {STATUS_ECHO, 0x0122, "SOP_CLASS_NOT_SUPPORTED", STATUS_FAILURE},
        {STATUS_ECHO, 0xA700, NULL, STATUS_FAILURE},
        {STATUS_ANY, 0x0001, "REQUESTED_OPTIONAL_ATTRIBUTES_NOT_SUPPORTED", STATUS_WARNING},
        {STATUS_ANY, 0x0107, "ATTRIBUTE_LIST_ERROR", STATUS_WARNING},
        {STATUS_ANY, 0x0116, "ATTRIBUTE_VALUE_OUT_OF_RANGE", STATUS_WARNING},
        {STATUS_ANY, 0x0117, "INVALID_SOP_INSTANCE", STATUS_FAILURE},
        {STATUS_STORE, 0x0124, "NOT_AUTHORIZED", STATUS_FAILURE},
        {STATUS_STORE, 0xA6FF, NULL, STATUS_FAILURE},
        {STATUS_STORE, 0xA700, "STORE_OUT_OF_RESOURCES", STATUS_FAILURE},
        {STATUS_STORE, 0xA7FF, "STORE_OUT_OF_RESOURCES", STATUS_FAILURE},
        {STATUS_STORE, 0xA800, NULL, STATUS_FAILURE},
        {STATUS_STORE, 0xA900, "STORE_DATA_SET_DOES_NOT_MATCH", STATUS_FAILURE},
        {STATUS_STORE, 0xB000, "STORE_COERCION", STATUS_WARNING},
        {STATUS_STORE, 0xB001, NULL, STATUS_WARNING},
        {STATUS_STORE, 0xB006, "STORE_ELEMENTS_DISCARDED", STATUS_WARNING},
        {STATUS_STORE, 0xB007, "STORE_DATA_SET_MISMATCH_WARNING", STATUS_WARNING},
        {STATUS_STORE, 0xBFFF, NULL, STATUS_WARNING},
        {STATUS_STORE, 0xC000, "STORE_CANNOT_UNDERSTAND", STATUS_FAILURE},
        {STATUS_STORE, 0xCFFF, "STORE_CANNOT_UNDERSTAND", STATUS_FAILURE},
        {STATUS_STORE, 0xD000, NULL, STATUS_FAILURE},
        {STATUS_STORE, 0xFF00, NULL, STATUS_PENDING},
        {STATUS_FIND, 0xA700, "FIND_OUT_OF_RESOURCES", STATUS_FAILURE},
        {STATUS_FIND, 0xA701, NULL, STATUS_FAILURE},
        {STATUS_FIND, 0xB001, "FIND_LIMIT_REACHED", STATUS_WARNING},
        {STATUS_FIND, 0xFE00, "FIND_CANCELLED", STATUS_CANCEL},
        {STATUS_FIND, 0xFF00, "FIND_PENDING", STATUS_PENDING},
        {STATUS_FIND, 0xFF01, "FIND_PENDING_WARNING", STATUS_PENDING},
        {STATUS_FIND, 0xFF02, NULL, STATUS_FAILURE},
        {STATUS_MOVE, 0xA701, "MOVE_OUT_OF_RESOURCES_MATCHES", STATUS_FAILURE},
        {STATUS_MOVE, 0xA702, "MOVE_OUT_OF_RESOURCES_SUBOPERATIONS", STATUS_FAILURE},
        {STATUS_MOVE, 0xA801, "MOVE_DESTINATION_UNKNOWN", STATUS_FAILURE},
        {STATUS_MOVE, 0xB000, "MOVE_SUBOPERATIONS_FAILED", STATUS_WARNING},
        {STATUS_GET, 0xA702, "GET_OUT_OF_RESOURCES_SUBOPERATIONS", STATUS_FAILURE},
        {STATUS_GET, 0xA801, NULL, STATUS_FAILURE},
        {STATUS_GET, 0xFF00, "GET_PENDING", STATUS_PENDING},
        {STATUS_GET, 0x0112, "NO_SUCH_SOP_INSTANCE", STATUS_FAILURE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct std_status *s = std_status_find(cases[i].service, cases[i].code);
        assert_int_equal(std_status_class(cases[i].code), cases[i].class_);
        if (cases[i].id == NULL) {
            assert_null(s);
            continue;
        }
        assert_non_null(s);
        assert_string_equal(s->id, cases[i].id);
        assert_int_equal(s->class_, cases[i].class_);
    }
    assert_int_equal(STATUS_CODE_SUCCESS, 0x0000);
    assert_int_equal(STATUS_CODE_STORE_OUT_OF_RESOURCES, 0xA700);
    assert_int_equal(STATUS_CODE_MOVE_DESTINATION_UNKNOWN, 0xA801);
    assert_null(std_status_at(std_status_count()));
}

// What an error of ours becomes on the wire is a code that C-STORE or C-MOVE has.
static void statuses_of_errors(void **state) {
    (void)state;
    for (unsigned e = 0; e < ERR_COUNT_; e++) {
        uint16_t code = err_dimse_status((enum err)e);
        assert_true(std_status_find(STATUS_STORE, code) != NULL ||
                    std_status_find(STATUS_MOVE, code) != NULL);
    }
}

static void commands(void **state) {
    (void)state;
    static const struct {
        uint16_t field;
        const char *name;
        size_t mandatory;
    } cases[] = {
        {DIMSE_C_STORE_RQ, "C-STORE-RQ", 7},
        {DIMSE_C_STORE_RSP, "C-STORE-RSP", 5},
        {DIMSE_C_GET_RQ, "C-GET-RQ", 6},
        {DIMSE_C_FIND_RQ, "C-FIND-RQ", 6},
        {DIMSE_C_FIND_RSP, "C-FIND-RSP", 5},
        {DIMSE_C_MOVE_RQ, "C-MOVE-RQ", 7},
        {DIMSE_C_ECHO_RQ, "C-ECHO-RQ", 5},
        {DIMSE_C_ECHO_RSP, "C-ECHO-RSP", 5},
        {DIMSE_C_CANCEL_RQ, "C-CANCEL-RQ", 4},
        {DIMSE_N_ACTION_RQ, "N-ACTION-RQ", 7},
        {DIMSE_N_EVENT_REPORT_RQ, "N-EVENT-REPORT-RQ", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(std_command_find(cases[i].field)->name, cases[i].name);
        const uint32_t *tags = NULL;
        size_t count = std_command_mandatory(cases[i].field, &tags);
        assert_int_equal(count, cases[i].mandatory);
        for (size_t t = 0; t < count; t++) {
            assert_true(t == 0 || tags[t] > tags[t - 1]);
            assert_int_equal(tag_group(tags[t]), 0);
            assert_int_equal(std_command_use(cases[i].field, tags[t]), CMD_USE_MANDATORY);
        }
    }
}

static void elements(void **state) {
    (void)state;
    static const struct {
        uint16_t field;
        uint32_t tag;
        enum cmd_use use;
    } cases[] = {
        {DIMSE_C_STORE_RQ, TAG_AffectedSOPInstanceUID, CMD_USE_MANDATORY},
        {DIMSE_C_STORE_RQ, TAG_MoveOriginatorMessageID, CMD_USE_CONDITIONAL},
        {DIMSE_C_STORE_RQ, TAG_Status, CMD_USE_NONE},
        {DIMSE_C_STORE_RQ, TAG_MoveDestination, CMD_USE_NONE},
        {DIMSE_C_STORE_RSP, TAG_Status, CMD_USE_MANDATORY},
        {DIMSE_C_STORE_RSP, TAG_AffectedSOPClassUID, CMD_USE_CONDITIONAL},
        {DIMSE_C_STORE_RSP, TAG_Priority, CMD_USE_NONE},
        {DIMSE_C_MOVE_RQ, TAG_MoveDestination, CMD_USE_MANDATORY},
        {DIMSE_C_MOVE_RSP, TAG_NumberOfRemainingSuboperations, CMD_USE_CONDITIONAL},
        {DIMSE_C_FIND_RSP, TAG_NumberOfRemainingSuboperations, CMD_USE_NONE},
        {DIMSE_C_CANCEL_RQ, TAG_MessageIDBeingRespondedTo, CMD_USE_MANDATORY},
        {DIMSE_C_CANCEL_RQ, TAG_MessageID, CMD_USE_NONE},
        {DIMSE_C_ECHO_RQ, TAG_PatientName, CMD_USE_NONE},
        {DIMSE_N_ACTION_RQ, TAG_RequestedSOPInstanceUID, CMD_USE_MANDATORY},
        {0x0002, TAG_CommandField, CMD_USE_NONE},
        {0x8FFF, TAG_CommandField, CMD_USE_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(std_command_use(cases[i].field, cases[i].tag), cases[i].use);
    const uint32_t *untouched = NULL;
    assert_null(std_command_find(0x0000));
    assert_null(std_command_find(0x8FFF)); // there is no C-CANCEL-RSP
    assert_int_equal(std_command_mandatory(0xFFFF, &untouched), 0);
    assert_null(untouched);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(statuses_of_errors),
        cmocka_unit_test(commands),
        cmocka_unit_test(elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
