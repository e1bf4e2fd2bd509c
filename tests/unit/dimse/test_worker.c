// The DICOM worker as a process of its own between a client (this test) and an archive made up for it.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/incoming.h"
#include "../../../prog/dimse/worker.h"
#include "dicom/charset.h"
#include "dicom/dataset.h"
#include "dicom/writer.h"
#include "fake_archive.h"
#include "os/clock.h"
#include "std/tag.h"

#define ECHO "1.2.840.10008.1.1"
#define CT "1.2.840.10008.5.1.4.1.1.2"
#define FIND "1.2.840.10008.5.1.4.1.2.2.1"
#define MOVE "1.2.840.10008.5.1.4.1.2.2.2"
#define GET "1.2.840.10008.5.1.4.1.2.2.3"
enum { ECHO_CONTEXT = 1, CT_CONTEXT = 3, FIND_CONTEXT = 5, MOVE_CONTEXT = 7, GET_CONTEXT = 9 };

static const struct ul_timers timers = {.artim_ms = 5000, .idle_ms = 5000, .total_ms = 60000};

struct fixture {
    struct fake_archive *archive;
    struct link link; // the client's
    pid_t worker, server;
};

// --- the other processes

static void archive_gone(void *owner) {
    (void)owner;
    _exit(0);
}

static pid_t start_worker(int client, int other_end, int archive) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    close(other_end);
    static struct worker w;
    struct fault f = {OK, ""};
    w.ctl = -1;
    assert_int_equal(channel_open(&w.archive, archive, IPC_ARCHIVE_TO_DIMSE, archive_gone, NULL, NULL), OK);
    w.timers = timers;
    if (dicom_charset_preload(&f) != OK || incoming_preload(&f) != OK ||
        !link_open(&w.client, client, -1, ul_assoc_new_acceptor(&timers, os_clock_ms())))
        abort();
    worker_serve(&w);
    link_close(&w.client);
    _exit(0);
}

static void pair(int type, int ret_pair[2]) {
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_pair), 0);
}

static void start(struct fixture *x, struct ul_associate *rq) {
    int client[2], archive[2];
    struct fault f = {OK, ""};
    pair(SOCK_STREAM, client);
    pair(SOCK_SEQPACKET, archive);
    x->server = fork();
    if (x->server == 0) {
        close(client[0]);
        close(client[1]);
        close(archive[0]);
        fake_archive_run(x->archive, archive[1]);
        _exit(0);
    }
    close(archive[1]);
    x->worker = start_worker(client[1], client[0], archive[0]);
    close(archive[0]);
    close(client[1]);
    assert_true(link_open(&x->link, client[0], -1, ul_assoc_new_requestor(&timers, rq, os_clock_ms(), &f)));
}

static struct ul_associate request(struct arena *arena) {
    static const char *const classes[] = {ECHO, CT, FIND, MOVE, GET};
    struct ul_associate rq;
    ul_associate_init(&rq, "CLIENT", "GALENA");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        assert_int_equal(ul_negotiate_propose_one(slice_str(classes[i]), arena, &rq), OK);
    rq.roles = arena_alloc(arena, sizeof *rq.roles);
    *rq.roles = (struct ul_role){slice_str(CT), true, true};
    rq.role_count = 1;
    return rq;
}

static struct ul_assoc_event next(struct fixture *x) {
    struct ul_assoc_event ev;
    assert_true(link_next(&x->link, &ev));
    return ev;
}

static void connect_all(struct fixture *x) {
    struct arena arena = ARENA_INIT(1 << 20);
    struct ul_associate rq = request(&arena);
    start(x, &rq);
    arena_fini(&arena);
}

static void open_association(struct fixture *x) {
    connect_all(x);
    assert_int_equal(next(x).kind, UL_EV_ASSOCIATED);
}

static void await_exit(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void finish(struct fixture *x) {
    link_close(&x->link);
    await_exit(x->worker);
    await_exit(x->server);
}

static void release(struct fixture *x) {
    ul_assoc_release(x->link.assoc, os_clock_ms());
    assert_int_equal(next(x).kind, UL_EV_RELEASED);
    finish(x);
}

static int setup(void **state) {
    struct fixture *x = calloc(1, sizeof *x);
    x->archive = fake_archive_new();
    *state = x;
    return 0;
}

static int teardown(void **state) {
    struct fixture *x = *state;
    munmap(x->archive, sizeof *x->archive);
    free(x);
    return 0;
}

// --- messages

static struct dimse_command expect_response(struct fixture *x, uint16_t field, uint16_t status) {
    struct ul_assoc_event ev = next(x);
    assert_int_equal(ev.kind, UL_EV_COMMAND);
    if (ev.command->field != field || ev.command->status != status)
        fail_msg("%s %04X (%s), not %s %04X", dimse_field_name(ev.command->field), ev.command->status,
                 ev.command->comment, dimse_field_name(field), status);
    return *ev.command;
}

static void send_message(struct fixture *x, uint8_t context, struct dimse_command *c, struct slice data) {
    struct fault f = {OK, ""};
    c->data_set_type = data.p ? DIMSE_DATA_SET : DIMSE_NO_DATA_SET;
    assert_int_equal(ul_assoc_send_command(x->link.assoc, context, c, &f), OK);
    if (data.p)
        assert_true(link_send_piece(&x->link, context, data, true));
    assert_true(link_flush(&x->link));
}

static struct dimse_command command(uint16_t field, const char *class_uid, uint16_t id) {
    struct dimse_command c = {
        .field = field, .message_id = id, .has = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_PRIORITY};
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, slice_str(class_uid));
    return c;
}

// A CT with `pixels` bytes; NULL leaves a UID out.
static struct buf object(const char *class_uid, const char *instance, const char *study, size_t pixels) {
    struct buf b = BUF_INIT(FAKE_BODY_MAX);
    enum dicom_syntax s = DICOM_EXPLICIT_LE;
    if (class_uid)
        dicom_write_str(&b, s, TAG_SOPClassUID, VR_UI, class_uid);
    if (instance)
        dicom_write_str(&b, s, TAG_SOPInstanceUID, VR_UI, instance);
    dicom_write_str(&b, s, TAG_PatientName, VR_PN, "Test^Worker");
    if (study)
        dicom_write_str(&b, s, TAG_StudyInstanceUID, VR_UI, study);
    dicom_write_str(&b, s, TAG_SeriesInstanceUID, VR_UI, "1.2.5");
    dicom_write_header(&b, s, TAG_PixelData, VR_OW, (uint32_t)pixels);
    uint8_t *p = buf_extend(&b, pixels);
    for (size_t i = 0; i < pixels; i++)
        p[i] = (uint8_t)(i * 13 + (i >> 9));
    assert_true(buf_ok(&b));
    return b;
}

static struct dimse_command store(struct fixture *x, struct slice data, const char *instance,
                                  uint16_t status) {
    struct dimse_command c = command(DIMSE_C_STORE_RQ, CT, 5);
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, slice_str(instance));
    send_message(x, CT_CONTEXT, &c, data);
    return expect_response(x, DIMSE_C_STORE_RSP, status);
}

// --- tests

static void echo_and_release(void **state) {
    struct fixture *x = *state;
    open_association(x);
    for (uint16_t i = 0; i < 3; i++) {
        struct dimse_command c = command(DIMSE_C_ECHO_RQ, ECHO, i);
        send_message(x, ECHO_CONTEXT, &c, (struct slice){NULL, 0});
        assert_int_equal(expect_response(x, DIMSE_C_ECHO_RSP, DIMSE_SUCCESS).responded_to, i);
    }
    release(x);
}

static void refused_association(void **state) {
    struct fixture *x = *state;
    x->archive->reject_reason = UL_REJECT_CALLING_AE;
    connect_all(x);
    struct ul_assoc_event ev = next(x);
    assert_int_equal(ev.kind, UL_EV_REJECTED);
    assert_int_equal(ev.refusal.reason, UL_REJECT_CALLING_AE);
    finish(x);
}

static void rights_decide_contexts(void **state) {
    struct fixture *x = *state;
    x->archive->rights = IPC_RIGHT_STORE | IPC_RIGHT_ECHO;
    open_association(x);
    assert_non_null(ul_assoc_context(x->link.assoc, CT_CONTEXT));
    assert_null(ul_assoc_context(x->link.assoc, FIND_CONTEXT));
    assert_null(ul_assoc_context(x->link.assoc, MOVE_CONTEXT));
    assert_null(ul_assoc_context(x->link.assoc, GET_CONTEXT));
    release(x);
}

// Below, at and above the body area, and where its halves are handed over.
static void stores_of_all_sizes(void **state) {
    struct fixture *x = *state;
    static const size_t sizes[] = {0, 2, 1000, 100000, 524000, 1000000, 1048000, 1048394, 1048396, 1048400,
                                   1572864, 2097152, 2621440, 5000000};
    open_association(x);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf b = object(CT, "1.2.3.4", "1.2.4", sizes[i]);
        store(x, buf_slice(&b), "1.2.3.4", DIMSE_SUCCESS);
        assert_int_equal(x->archive->commits, i + 1);
        assert_int_equal(x->archive->body_n, b.n);
        assert_memory_equal(x->archive->body, b.p, b.n);
        assert_string_equal(x->archive->sop_instance, "1.2.3.4");
        assert_string_equal(x->archive->transfer, "1.2.840.10008.1.2.1");
        buf_fini(&b);
    }
    assert_true(x->archive->bodies > 0);
    release(x);
}

static void stores_that_fail(void **state) {
    struct fixture *x = *state;
    open_association(x);
    struct buf good = object(CT, "1.2.3.4", "1.2.4", 1000), large = object(CT, "1.2.3.4", "1.2.4", 3000000);
    struct buf other_class = object(ECHO, "1.2.3.4", "1.2.4", 10), no_study = object(CT, "1.2.3.4", NULL, 10);
    store(x, buf_slice(&good), "1.2.3.5", DIMSE_DATA_SET_MISMATCH);
    store(x, buf_slice(&large), "1.2.3.5", DIMSE_DATA_SET_MISMATCH);
    store(x, buf_slice(&other_class), "1.2.3.4", DIMSE_DATA_SET_MISMATCH);
    store(x, buf_slice(&no_study), "1.2.3.4", DIMSE_DATA_SET_MISMATCH);
    struct dimse_command rsp =
        store(x, slice_sub(buf_slice(&good), 0, good.n - 1), "1.2.3.4", DIMSE_CANNOT_UNDERSTAND);
    assert_true(rsp.has & DIMSE_HAS_COMMENT);
    store(x, slice_sub(buf_slice(&large), 0, 2500000), "1.2.3.4", DIMSE_CANNOT_UNDERSTAND);
    store(x, SLICE_LIT("no data set at all, but text"), "1.2.3.4", DIMSE_CANNOT_UNDERSTAND);
    store(x, SLICE_LIT(""), "1.2.3.4", DIMSE_DATA_SET_MISMATCH);
    x->archive->commit_error = ERR_NO_SPACE;
    store(x, buf_slice(&good), "1.2.3.4", DIMSE_OUT_OF_RESOURCES);
    x->archive->commit_error = OK;
    x->archive->body_error = ERR_NO_SPACE;
    store(x, buf_slice(&large), "1.2.3.4", DIMSE_OUT_OF_RESOURCES);
    x->archive->body_error = OK;
    store(x, buf_slice(&large), "1.2.3.4", DIMSE_SUCCESS);
    store(x, buf_slice(&good), "1.2.3.4", DIMSE_SUCCESS);
    assert_memory_equal(x->archive->body, good.p, good.n);
    buf_fini(&good);
    buf_fini(&large);
    buf_fini(&other_class);
    buf_fini(&no_study);
    release(x);
    assert_int_equal(x->archive->aborts, 3); // each large one that failed
}

static void client_vanishes_in_the_middle(void **state) {
    struct fixture *x = *state;
    open_association(x);
    struct buf large = object(CT, "1.2.3.4", "1.2.4", 3000000);
    struct dimse_command c = command(DIMSE_C_STORE_RQ, CT, 5);
    struct fault f = {OK, ""};
    c.data_set_type = DIMSE_DATA_SET;
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, SLICE_LIT("1.2.3.4"));
    assert_int_equal(ul_assoc_send_command(x->link.assoc, CT_CONTEXT, &c, &f), OK);
    assert_true(link_send_piece(&x->link, CT_CONTEXT, slice_sub(buf_slice(&large), 0, 2000000), false));
    finish(x);
    assert_int_equal(x->archive->commits, 0);
    assert_int_equal(x->archive->aborts, 1);
    buf_fini(&large);
}

static void unknown_operation(void **state) {
    struct fixture *x = *state;
    open_association(x);
    struct dimse_command c = command(0x1234, CT, 5);
    send_message(x, CT_CONTEXT, &c, SLICE_LIT("whatever"));
    expect_response(x, 0x9234, DIMSE_UNRECOGNIZED_OPERATION);
    struct dimse_command cancel = {.field = DIMSE_C_CANCEL_RQ, .has = DIMSE_HAS_RESPONDED_TO};
    for (int i = 0; i < 1000; i++) // a flood of cancels for nothing
        send_message(x, FIND_CONTEXT, &cancel, (struct slice){NULL, 0});
    struct dimse_command echo = command(DIMSE_C_ECHO_RQ, ECHO, 9);
    send_message(x, ECHO_CONTEXT, &echo, (struct slice){NULL, 0});
    expect_response(x, DIMSE_C_ECHO_RSP, DIMSE_SUCCESS);
    release(x);
}

static struct buf identifier(const char *level, const char *study) {
    struct buf b = BUF_INIT(65536);
    if (level)
        dicom_write_str(&b, DICOM_EXPLICIT_LE, TAG_QueryRetrieveLevel, VR_CS, level);
    dicom_write_str(&b, DICOM_EXPLICIT_LE, TAG_StudyInstanceUID, VR_UI, study);
    return b;
}

static void drain_data(struct fixture *x, struct buf *ret_bytes) {
    for (;;) {
        struct ul_assoc_event ev = next(x);
        assert_int_equal(ev.kind, UL_EV_DATA);
        buf_append_slice(ret_bytes, ev.data);
        if (ev.last)
            return;
    }
}

static void find_rows(void **state) {
    struct fixture *x = *state;
    x->archive->rows = 5;
    open_association(x);
    struct buf id = identifier("STUDY", ""), answer = BUF_INIT(65536);
    struct dimse_command c = command(DIMSE_C_FIND_RQ, FIND, 5);
    send_message(x, FIND_CONTEXT, &c, buf_slice(&id));
    for (int i = 0; i < 5; i++) {
        buf_reset(&answer);
        assert_true(dimse_has_data_set(&(struct dimse_command){.data_set_type = 0}));
        expect_response(x, DIMSE_C_FIND_RSP, DIMSE_PENDING);
        drain_data(x, &answer);
        struct arena arena = ARENA_INIT(65536);
        struct dicom_dataset *ds;
        struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
        assert_int_equal(dicom_dataset_parse(buf_slice(&answer), &o, &arena, NULL, &ds), OK);
        assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_QueryRetrieveLevel), "STUDY"));
        assert_true(slice_eq_str(dicom_dataset_trimmed(ds, TAG_StudyInstanceUID), "7"));
        arena_fini(&arena);
    }
    expect_response(x, DIMSE_C_FIND_RSP, DIMSE_SUCCESS);
    buf_fini(&id);
    id = identifier("IMAGINARY", "");
    send_message(x, FIND_CONTEXT, &c, buf_slice(&id));
    expect_response(x, DIMSE_C_FIND_RSP, DIMSE_DATA_SET_MISMATCH);
    buf_fini(&id);
    id = identifier("PATIENT", ""); // not a level of Study Root
    send_message(x, FIND_CONTEXT, &c, buf_slice(&id));
    expect_response(x, DIMSE_C_FIND_RSP, DIMSE_DATA_SET_MISMATCH);
    buf_fini(&id);
    buf_fini(&answer);
    release(x);
}

// Takes what C-GET sends on our own association, answering each with `status`; the final response.
static struct dimse_command take_objects(struct fixture *x, uint16_t status, unsigned *ret_count,
                                         unsigned cancel_at) {
    for (*ret_count = 0;;) {
        struct ul_assoc_event ev = next(x);
        assert_int_equal(ev.kind, UL_EV_COMMAND);
        struct dimse_command c = *ev.command;
        if (c.field == DIMSE_C_GET_RSP) {
            if (c.status != DIMSE_PENDING)
                return c;
            assert_int_equal(c.has & DIMSE_HAS_COUNTS, DIMSE_HAS_COUNTS);
            continue;
        }
        assert_int_equal(c.field, DIMSE_C_STORE_RQ);
        struct buf body = BUF_INIT(FAKE_BODY_MAX);
        drain_data(x, &body);
        assert_int_equal(body.n, x->archive->object_bytes);
        unsigned k = ++*ret_count;
        for (size_t i = 0; i < body.n; i += 997)
            assert_int_equal(body.p[i], fake_object_byte(k, i));
        buf_fini(&body);
        struct dimse_command rsp = dimse_response(&c, status);
        send_message(x, ev.context, &rsp, (struct slice){NULL, 0});
        if (k == cancel_at) {
            struct dimse_command cancel = {
                .field = DIMSE_C_CANCEL_RQ, .responded_to = 5, .has = DIMSE_HAS_RESPONDED_TO};
            send_message(x, GET_CONTEXT, &cancel, (struct slice){NULL, 0});
        }
    }
}

static void get(void **state) {
    struct fixture *x = *state;
    static const struct {
        unsigned objects;
        size_t bytes;
        uint16_t answer;
        unsigned cancel_at;
        uint16_t status, completed, failed, warning;
    } cases[] = {
        {0, 0, DIMSE_SUCCESS, 0, DIMSE_SUCCESS, 0, 0, 0},
        {3, 1000, DIMSE_SUCCESS, 0, DIMSE_SUCCESS, 3, 0, 0},
        {2, 0, DIMSE_SUCCESS, 0, DIMSE_SUCCESS, 2, 0, 0},
        {2, 524288, DIMSE_SUCCESS, 0, DIMSE_SUCCESS, 2, 0, 0},
        {2, 3000001, DIMSE_SUCCESS, 0, DIMSE_SUCCESS, 2, 0, 0},
        {3, 1000, DIMSE_OUT_OF_RESOURCES, 0, DIMSE_OUT_OF_RESOURCES_SUBOPS, 0, 3, 0},
        {3, 1000, 0xB007, 0, DIMSE_WARNING_SUBOPS, 0, 0, 3},
    };
    open_association(x);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf id = identifier("STUDY", "1.2.4"), list = BUF_INIT(65536);
        struct dimse_command c = command(DIMSE_C_GET_RQ, GET, 5);
        unsigned count;
        x->archive->objects = cases[i].objects;
        x->archive->object_bytes = cases[i].bytes;
        send_message(x, GET_CONTEXT, &c, buf_slice(&id));
        struct dimse_command rsp = take_objects(x, cases[i].answer, &count, cases[i].cancel_at);
        assert_int_equal(count, cases[i].objects);
        assert_int_equal(rsp.status, cases[i].status);
        assert_int_equal(rsp.completed, cases[i].completed);
        assert_int_equal(rsp.failed, cases[i].failed);
        assert_int_equal(rsp.warning, cases[i].warning);
        assert_false(rsp.has & DIMSE_HAS_REMAINING);
        assert_int_equal(dimse_has_data_set(&rsp), rsp.failed > 0);
        if (dimse_has_data_set(&rsp)) {
            drain_data(x, &list); // (0008,0058) UI
            assert_true(list.n > 8 && memcmp(list.p, "\x08\0\x58\0UI", 6) == 0);
        }
        buf_fini(&id);
        buf_fini(&list);
    }
    release(x);
}

static void get_cancelled(void **state) {
    struct fixture *x = *state;
    x->archive->objects = 10;
    x->archive->object_bytes = 100;
    open_association(x);
    struct buf id = identifier("STUDY", "1.2.4");
    struct dimse_command c = command(DIMSE_C_GET_RQ, GET, 5);
    unsigned count;
    send_message(x, GET_CONTEXT, &c, buf_slice(&id));
    struct dimse_command rsp = take_objects(x, DIMSE_SUCCESS, &count, 2);
    assert_int_equal(rsp.status, DIMSE_CANCEL);
    assert_true(rsp.has & DIMSE_HAS_REMAINING);
    assert_int_equal(rsp.completed + rsp.remaining, 10);
    assert_true(count < 10);
    buf_fini(&id);
    release(x);
}

static void get_with_an_unreadable_object(void **state) {
    struct fixture *x = *state;
    x->archive->objects = 1;
    x->archive->object_bytes = 100;
    x->archive->unreadable = 1;
    open_association(x);
    struct buf id = identifier("STUDY", "1.2.4"), list = BUF_INIT(1000);
    struct dimse_command c = command(DIMSE_C_GET_RQ, GET, 5);
    unsigned count;
    send_message(x, GET_CONTEXT, &c, buf_slice(&id));
    struct dimse_command rsp = take_objects(x, DIMSE_SUCCESS, &count, 0);
    assert_int_equal(rsp.status, DIMSE_OUT_OF_RESOURCES_SUBOPS);
    assert_int_equal(count, 0);
    drain_data(x, &list);
    struct dimse_command echo = command(DIMSE_C_ECHO_RQ, ECHO, 9); // the association lives on
    send_message(x, ECHO_CONTEXT, &echo, (struct slice){NULL, 0});
    expect_response(x, DIMSE_C_ECHO_RSP, DIMSE_SUCCESS);
    buf_fini(&id);
    buf_fini(&list);
    release(x);
}

static unsigned breaks_off_at; // 1-based number of the object it does not answer; 0: never

// The destination of C-MOVE: takes CT, checks who moved it.
void fake_destination_run(int fd) {
    struct link l;
    struct ul_assoc_event ev;
    struct arena arena = ARENA_INIT(1 << 20);
    unsigned taken = 1;
    if (!link_open(&l, fd, -1, ul_assoc_new_acceptor(&timers, os_clock_ms())))
        abort();
    while (link_next(&l, &ev)) {
        if (ev.kind == UL_EV_ASSOCIATE_RQ) {
            const struct ul_policy policy = {.rights = UL_MAY_STORE};
            struct ul_associate ac;
            if (strcmp(ev.associate->calling, "GALENA") != 0 || strcmp(ev.associate->called, "DEST") != 0 ||
                ul_negotiate_accept(ev.associate, &policy, &arena, &ac, NULL) != OK ||
                ul_assoc_accept(l.assoc, &ac, os_clock_ms(), NULL) != OK)
                abort();
        } else if (ev.kind == UL_EV_COMMAND) {
            struct dimse_command c = *ev.command;
            if (strcmp(c.originator_ae, "CLIENT") != 0 || c.originator_id != 5)
                abort();
            struct dimse_command rsp = dimse_response(&c, DIMSE_SUCCESS);
            while (link_next(&l, &ev) && ev.kind == UL_EV_DATA && !ev.last)
                ;
            if (taken++ == breaks_off_at) { // asks for the end instead of answering, and then says nothing
                ul_assoc_release(l.assoc, os_clock_ms());
                continue;
            }
            (void)ul_assoc_send_command(l.assoc, ev.context, &rsp, NULL);
        } else if (ev.kind == UL_EV_RELEASE_RQ) {
            ul_assoc_release_reply(l.assoc, os_clock_ms());
        }
    }
    link_close(&l);
    arena_fini(&arena);
}

static struct dimse_command move(struct fixture *x, const char *destination) {
    struct buf id = identifier("STUDY", "1.2.4");
    struct dimse_command c = command(DIMSE_C_MOVE_RQ, MOVE, 5);
    c.has |= DIMSE_HAS_MOVE_DESTINATION;
    snprintf(c.move_destination, sizeof c.move_destination, "%s", destination);
    send_message(x, MOVE_CONTEXT, &c, buf_slice(&id));
    buf_fini(&id);
    for (;;) {
        struct ul_assoc_event ev = next(x);
        assert_int_equal(ev.kind, UL_EV_COMMAND);
        assert_int_equal(ev.command->field, DIMSE_C_MOVE_RSP);
        if (ev.command->status != DIMSE_PENDING)
            return *ev.command;
    }
}

static void move_objects(void **state) {
    struct fixture *x = *state;
    x->archive->objects = 4;
    x->archive->object_bytes = 700000;
    open_association(x);
    struct dimse_command rsp = move(x, "DEST");
    assert_int_equal(rsp.status, DIMSE_SUCCESS);
    assert_int_equal(rsp.completed, 4);
    rsp = move(x, "NOWHERE");
    assert_int_equal(rsp.status, DIMSE_MOVE_DESTINATION_UNKNOWN);
    release(x);
}

static void move_to_one_that_breaks_off(void **state) {
    struct fixture *x = *state;
    x->archive->objects = 4;
    x->archive->object_bytes = 1000;
    breaks_off_at = 3;
    open_association(x);
    struct dimse_command rsp = move(x, "DEST");
    breaks_off_at = 0;
    assert_int_equal(rsp.status, DIMSE_WARNING_SUBOPS);
    assert_int_equal(rsp.completed, 2);
    assert_int_equal(rsp.failed, 2);
    struct buf list = BUF_INIT(1000);
    drain_data(x, &list);
    assert_non_null(memmem(list.p, list.n, "1.2.3.3\\1.2.3.4", 15));
    buf_fini(&list);
    release(x);
}

static void bytes_that_are_no_dicom(void **state) {
    struct fixture *x = *state;
    struct arena arena = ARENA_INIT(1 << 20);
    struct ul_associate rq = request(&arena);
    start(x, &rq);
    ul_assoc_sent(x->link.assoc, ul_assoc_output(x->link.assoc).n, os_clock_ms());
    assert_int_equal(write(x->link.stream.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 27);
    uint8_t answer[64];
    ssize_t n = read(x->link.stream.fd, answer, sizeof answer);
    assert_true(n == 10 && answer[0] == UL_PDU_ABORT);
    finish(x);
    arena_fini(&arena);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(echo_and_release),   TEST(refused_association),           TEST(rights_decide_contexts),
        TEST(stores_of_all_sizes), TEST(stores_that_fail),             TEST(client_vanishes_in_the_middle),
        TEST(unknown_operation),  TEST(find_rows),                     TEST(get),
        TEST(get_cancelled),      TEST(get_with_an_unreadable_object), TEST(move_objects),
        TEST(move_to_one_that_breaks_off), TEST(bytes_that_are_no_dicom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
