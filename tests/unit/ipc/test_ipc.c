// Messages between processes: what is allowed where, and that nothing malformed gets through.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "ipc/query.h"
#include "ipc/table.h"

#define SLICE(s) SLICE_LIT(s)

static struct buf encoded(enum ipc_type type, const void *body) {
    struct buf b = BUF_INIT(IPC_MAX_BYTES);
    assert_int_equal(ipc_encode(&b, type, body), OK);
    return b;
}

static void a_message_comes_back_as_it_was(void **state) {
    (void)state;
    struct ipc_store_commit m = {.sop_class = SLICE("1.2.840.10008.5.1.4.1.1.2"),
                                 .sop_instance = SLICE("1.2.3"),
                                 .study = SLICE("1.2.4"),
                                 .series = SLICE("1.2.5"),
                                 .transfer_syntax = SLICE("1.2.840.10008.1.2.1"),
                                 .ring_offset = 7,
                                 .length = 0xFFFFFFFF,
                                 .attributes = SLICE("\0\1\xff")};
    struct buf b = encoded(IPC_STORE_COMMIT, &m);
    struct ipc_msg got;
    assert_int_equal(ipc_decode(buf_slice(&b), IPC_DIMSE_TO_ARCHIVE, IPC_PHASE_READY, &got, NULL), OK);
    assert_int_equal(got.type, IPC_STORE_COMMIT);
    assert_true(slice_eq(got.u.store_commit.sop_class, m.sop_class));
    assert_true(slice_eq(got.u.store_commit.attributes, m.attributes));
    assert_int_equal(got.u.store_commit.length, 0xFFFFFFFF);
    buf_fini(&b);
}

static void every_cut_and_every_surplus_is_refused(void **state) {
    (void)state;
    struct ipc_associate m = {.calling = SLICE("CT1"), .called = SLICE("GALENA"), .user = SLICE("u")};
    struct buf b = encoded(IPC_ASSOCIATE, &m);
    struct ipc_msg got;
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(ipc_decode(slice_of(b.p, n), IPC_DIMSE_TO_ARCHIVE, 0, &got, NULL), ERR_PROTOCOL);
    assert_int_equal(ipc_decode(buf_slice(&b), IPC_DIMSE_TO_ARCHIVE, 0, &got, NULL), OK);
    buf_u8(&b, 0);
    assert_int_equal(ipc_decode(buf_slice(&b), IPC_DIMSE_TO_ARCHIVE, 0, &got, NULL), ERR_PROTOCOL);
    buf_fini(&b);
}

static void every_message_is_refused_on_every_other_link_and_in_every_other_phase(void **state) {
    (void)state;
    for (int type = IPC_NONE + 1; type < IPC_TYPE_COUNT_; type++) {
        union ipc_body empty = {0};
        struct buf b = encoded((enum ipc_type)type, &empty);
        struct ipc_msg got;
        for (unsigned link = 1; link <= IPC_WEB_TO_ARCHIVE; link <<= 1) {
            enum err e = ipc_decode(buf_slice(&b), (enum ipc_link)link, 0, &got, NULL);
            assert_int_equal(e, link & ipc_table[type].links ? OK : ERR_PROTOCOL);
        }
        for (uint32_t phase = IPC_PHASE_NEW; phase <= IPC_PHASE_DIALLING; phase <<= 1) {
            enum err e = ipc_decode(buf_slice(&b), (enum ipc_link)ipc_table[type].links, phase, &got, NULL);
            assert_int_equal(e, ipc_table[type].phases & phase ? OK : ERR_PROTOCOL);
        }
        buf_fini(&b);
    }
}

static void a_new_session_may_ask_to_associate_and_nothing_else(void **state) {
    (void)state;
    for (int type = IPC_NONE + 1; type < IPC_TYPE_COUNT_; type++)
        if ((ipc_table[type].links & IPC_DIMSE_TO_ARCHIVE) && (ipc_table[type].phases & IPC_PHASE_NEW))
            assert_int_equal(type, IPC_ASSOCIATE);
}

static void fields_obey_their_rules(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *study;
        size_t n; // 0: as long as it is
        enum err expected;
    } rows[] = {
        {"a UID", "1.2.840.1", 0, OK},
        {"64 characters", "1.234567890123456789012345678901234567890123456789012345678901.3", 0, OK},
        {"leading zeros, as some senders write", "1.02.3", 0, OK},
        {"a path", "../1", 0, ERR_PROTOCOL},
        {"an empty component", "1..2", 0, ERR_PROTOCOL},
        {"a NUL", "1.2\0", 4, ERR_PROTOCOL},
        {"a letter", "1.a", 0, ERR_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ipc_store_body m = {
            .study = slice_of(rows[i].study, rows[i].n ? rows[i].n : strlen(rows[i].study))};
        struct buf b = encoded(IPC_STORE_BODY, &m);
        struct ipc_msg got;
        enum err e = ipc_decode(buf_slice(&b), IPC_DIMSE_TO_ARCHIVE, IPC_PHASE_READY, &got, NULL);
        if (e != rows[i].expected)
            fail_msg("%s: %s", rows[i].name, err_name(e));
        buf_fini(&b);
    }
    struct buf b = BUF_INIT(IPC_MAX_BYTES);
    struct ipc_store_body too_long = {
        .study = SLICE("1.23456789012345678901234567890123456789012345678901234567890123.4")};
    assert_int_equal(ipc_encode(&b, IPC_STORE_BODY, &too_long), ERR_LIMIT);
    buf_fini(&b);
    struct ipc_log latin = {.text = SLICE("M\xfcller")};
    b = encoded(IPC_LOG, &latin);
    struct ipc_msg got;
    assert_int_equal(ipc_decode(buf_slice(&b), IPC_CHILD_TO_SUPERVISOR, 0, &got, NULL), ERR_PROTOCOL);
    buf_fini(&b);
}

static void descriptors_must_be_as_many_as_the_table_says(void **state) {
    (void)state;
    static uint8_t buffer[IPC_MAX_BYTES];
    for (unsigned n = 0; n <= 3; n++) {
        int pair[2], fds[4];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        for (unsigned i = 0; i < n; i++)
            fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct ipc_session_new m = {.session = 1, .source = SLICE("192.0.2.1")}; // 1 or 2
        assert_int_equal(ipc_send(pair[0], IPC_SESSION_NEW, &m, fds, n), OK);
        struct ipc_msg got;
        enum err e = ipc_recv(pair[1], IPC_SUPERVISOR_TO_ARCHIVE, 0, buffer, &got, NULL);
        assert_int_equal(e, n == 1 || n == 2 ? OK : ERR_PROTOCOL);
        if (e == OK) {
            assert_int_equal(got.fd_count, n);
            ipc_msg_close_fds(&got);
        }
        for (unsigned i = 0; i < n; i++)
            close(fds[i]);
        close(pair[0]);
        assert_int_equal(ipc_recv(pair[1], IPC_SUPERVISOR_TO_ARCHIVE, 0, buffer, &got, NULL), ERR_PEER_GONE);
        close(pair[1]);
    }
}

static void conditions_come_back_or_are_refused(void **state) {
    (void)state;
    static const struct slice operands[] = {{(const uint8_t *)"20260101", 8}, {(const uint8_t *)"", 0}};
    static const struct {
        const char *name;
        struct query_condition c;
        enum err expected;
    } rows[] = {
        {"single", {3, QUERY_SINGLE, 1, operands}, OK},
        {"single without operand", {3, QUERY_SINGLE, 0, operands}, ERR_PROTOCOL},
        {"single with two", {3, QUERY_SINGLE, 2, operands}, ERR_PROTOCOL},
        {"range", {3, QUERY_RANGE, 2, operands}, OK},
        {"range with one end", {3, QUERY_RANGE, 1, operands}, ERR_PROTOCOL},
        {"list", {3, QUERY_LIST, 2, operands}, OK},
        {"list of none", {3, QUERY_LIST, 0, operands}, ERR_PROTOCOL},
        {"empty", {3, QUERY_EMPTY, 0, operands}, OK},
        {"empty with an operand", {3, QUERY_EMPTY, 1, operands}, ERR_PROTOCOL},
        {"no kind of matching", {3, QUERY_KIND_COUNT_, 1, operands}, ERR_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = BUF_INIT(1024);
        struct arena a = ARENA_INIT(1 << 20);
        query_put(&b, &rows[i].c);
        struct query_condition *got;
        size_t n;
        enum err e = query_get_all(buf_slice(&b), &a, &got, &n, NULL);
        if (e != rows[i].expected)
            fail_msg("%s: %s", rows[i].name, err_name(e));
        if (e == OK) {
            assert_int_equal(n, 1);
            assert_int_equal(got[0].count, rows[i].c.count);
        }
        buf_fini(&b);
        arena_fini(&a);
    }
}

static void operands_have_limits(void **state) {
    (void)state;
    static uint8_t text[QUERY_MAX_OPERAND_BYTES + 1];
    memset(text, 'x', sizeof text);
    for (size_t n = QUERY_MAX_OPERAND_BYTES - 1; n <= QUERY_MAX_OPERAND_BYTES + 1; n++) {
        struct slice operand = slice_of(text, n);
        struct buf b = BUF_INIT(1 << 20);
        struct arena a = ARENA_INIT(1 << 20);
        query_put(&b, &(struct query_condition){1, QUERY_SINGLE, 1, &operand});
        struct query_condition *got;
        size_t count;
        assert_int_equal(query_get_all(buf_slice(&b), &a, &got, &count, NULL),
                         n <= QUERY_MAX_OPERAND_BYTES ? OK : ERR_PROTOCOL);
        buf_fini(&b);
        arena_fini(&a);
    }
    for (size_t n = QUERY_MAX_CONDITIONS - 1; n <= QUERY_MAX_CONDITIONS + 1; n++) {
        struct buf b = BUF_INIT(1 << 20);
        struct arena a = ARENA_INIT(1 << 20);
        for (size_t i = 0; i < n; i++)
            query_put(&b, &(struct query_condition){1, QUERY_EMPTY, 0, NULL});
        struct query_condition *got;
        size_t count;
        assert_int_equal(query_get_all(buf_slice(&b), &a, &got, &count, NULL),
                         n <= QUERY_MAX_CONDITIONS ? OK : ERR_PROTOCOL);
        buf_fini(&b);
        arena_fini(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_as_it_was),
        cmocka_unit_test(every_cut_and_every_surplus_is_refused),
        cmocka_unit_test(every_message_is_refused_on_every_other_link_and_in_every_other_phase),
        cmocka_unit_test(a_new_session_may_ask_to_associate_and_nothing_else),
        cmocka_unit_test(fields_obey_their_rules),
        cmocka_unit_test(descriptors_must_be_as_many_as_the_table_says),
        cmocka_unit_test(conditions_come_back_or_are_refused),
        cmocka_unit_test(operands_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
