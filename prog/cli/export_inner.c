#include "export_inner.h"

#include "export_list.h"
#include "halves.h"
#include "scu.h"

#include "dicom/dicomdir.h"
#include "dicom/part10.h"
#include "dicom/writer.h"
#include "os/fd.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

// Objects asked for with one C-GET: as many UIDs as fit an identifier comfortably.
enum { GET_BATCH = 200, OBJECT_ARENA_BYTES = 32 * 1024 * 1024, KEYS_VALUE_MAX = 4096 };

struct inner {
    int channel;
    const struct export_inner *what;
    struct export_list list;
    struct dicomdir *dir;
    struct scu *scu;
    unsigned *numbers; // files written so far, of each series
    size_t from, to;   // of the list: what the C-GET under way asks for, all of one series
    size_t written;
};

static enum err connect_to(struct inner *in, const struct ul_associate *rq, struct fault *f) {
    int fd = -1;
    scu_close(in->scu);
    in->scu = NULL;
    enum err e = halves_ask_fd(in->channel, &(struct report){.kind = REPORT_CONNECT}, &fd, f);
    return e == OK ? scu_open(fd, rq, &in->scu, f) : e;
}

static enum err list_study(struct inner *in, struct fault *f) {
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_associate rq;
    ul_associate_init(&rq, SCU_AE_TITLE, in->what->called);
    enum err e =
        ul_negotiate_propose_one(SLICE_LIT(UID_StudyRootQueryRetrieveInformationModelFind), &arena, &rq);
    if (e == OK)
        e = connect_to(in, &rq, f);
    else
        fault_set(f, e, "not enough memory");
    arena_fini(&arena);
    return e == OK ? export_list_find(in->scu, in->what->study, &in->list, f) : e;
}

// The archive does not say for objects it has from elsewhere: then they are uncompressed.
static const char *transfer_of(const struct export_object *o) {
    return o->transfer[0] ? o->transfer : UID_ExplicitVRLittleEndian;
}

static bool has_context(const struct ul_associate *rq, const struct export_object *o) {
    for (size_t i = 1; i < rq->context_count; i++)
        if (slice_eq_str(rq->contexts[i].abstract, o->sop_class) &&
            slice_eq_str(rq->contexts[i].transfers[0], transfer_of(o)))
            return true;
    return false;
}

static bool has_role(const struct ul_associate *rq, const char *sop_class) {
    for (size_t i = 0; i < rq->role_count; i++)
        if (slice_eq_str(rq->roles[i].sop_class, sop_class))
            return true;
    return false;
}

// Proposes C-GET, and to receive each class in each transfer syntax in use among the objects from `from`
// on; returns where the objects end for which there was room.
static size_t propose(struct inner *in, size_t from, struct arena *arena, struct ul_associate *rq) {
    static struct slice get_transfers[2] = {
        {(const uint8_t *)UID_ExplicitVRLittleEndian, sizeof UID_ExplicitVRLittleEndian - 1},
        {(const uint8_t *)UID_ImplicitVRLittleEndian, sizeof UID_ImplicitVRLittleEndian - 1},
    };
    ul_associate_init(rq, SCU_AE_TITLE, in->what->called);
    rq->contexts = arena_calloc(arena, UL_CONTEXTS_MAX, sizeof *rq->contexts);
    rq->roles = arena_calloc(arena, UL_CONTEXTS_MAX, sizeof *rq->roles);
    struct slice *transfers = arena_calloc(arena, UL_CONTEXTS_MAX, sizeof *transfers);
    if (!rq->contexts || !rq->roles || !transfers)
        return from;
    rq->contexts[rq->context_count++] =
        (struct ul_context){.id = 1,
                            .abstract = SLICE_LIT(UID_StudyRootQueryRetrieveInformationModelGet),
                            .transfers = get_transfers,
                            .transfer_count = 2};
    size_t i = from;
    for (; i < in->list.object_count; i++) {
        const struct export_object *o = &in->list.objects[i];
        if (has_context(rq, o))
            continue;
        size_t n = rq->context_count;
        if (n >= UL_CONTEXTS_MAX)
            break;
        transfers[n] = slice_str(transfer_of(o));
        rq->contexts[rq->context_count++] = (struct ul_context){.id = (uint8_t)(2 * n + 1),
                                                                .abstract = slice_str(o->sop_class),
                                                                .transfers = &transfers[n],
                                                                .transfer_count = 1};
        if (!has_role(rq, o->sop_class)) // PS3.7 D.3.3.4: we are the SCP of what comes back
            rq->roles[rq->role_count++] = (struct ul_role){slice_str(o->sop_class), false, true};
    }
    return i;
}

// Other series may have one with the same UID.
static struct export_object *find_object(struct inner *in, const struct dimse_command *rq) {
    for (size_t i = in->from; i < in->to; i++)
        if (strcmp(in->list.objects[i].sop_instance, rq->affected_instance) == 0)
            return &in->list.objects[i];
    return NULL;
}

// One arriving object: its file, and what reads its attributes for the DICOMDIR as it passes.
struct arrival {
    int fd;
    struct arena arena;
    struct dicom_builder builder;
    struct dicom_reader *reader;
};

static enum err arrival_begin(struct arrival *a, const struct ul_agreed *context, const char *instance,
                              const char *from_ae, struct fault *f) {
    struct buf head = BUF_INIT(DICOM_META_MAX_BYTES);
    struct dicom_reader_options o = {0};
    const struct std_ts *ts = std_ts_find(slice_str(context->transfer));
    dicom_meta_write(&head, slice_str(context->abstract), slice_str(instance),
                     slice_str(context->transfer), from_ae);
    enum err e = os_fd_write_full(a->fd, head.p, head.n, f);
    buf_fini(&head);
    a->arena = ARENA_INIT(OBJECT_ARENA_BYTES);
    if (e == OK)
        e = dicom_builder_init(&a->builder, &a->arena);
    if (e == OK && ts && dicom_reader_options_for(ts, &o)) {
        o.value_max = KEYS_VALUE_MAX;
        a->reader = dicom_reader_new(&o, dicom_builder_event, &a->builder);
    }
    return e;
}

// The file counts; an object that cannot be read just has poorer records in the DICOMDIR.
static enum err arrival_data(struct arrival *a, struct slice bytes, struct fault *f) {
    struct fault ignored = {0};
    if (a->reader && dicom_reader_feed(a->reader, bytes, &ignored) != OK) {
        dicom_reader_free(a->reader);
        a->reader = NULL;
    }
    return os_fd_write_full(a->fd, bytes.p, bytes.n, f);
}

static void arrival_end(struct arrival *a) {
    dicom_reader_free(a->reader);
    arena_fini(&a->arena);
    os_fd_close(&a->fd);
}

static enum err add_to_directory(struct inner *in, const struct arrival *a,
                                 const struct ul_agreed *context, const struct export_object *o,
                                 struct fault *f) {
    char file_id[64];
    snprintf(file_id, sizeof file_id, "DICOM\\S%07u\\I%07u", o->series + 1, in->numbers[o->series]);
    struct dicomdir_file file = {.file_id = file_id,
                                 .sop_class = context->abstract,
                                 .sop_instance = o->sop_instance,
                                 .transfer = context->transfer,
                                 .series = o->series};
    return dicomdir_add(in->dir, &file, a->builder.root, f);
}

static enum err receive_data(struct inner *in, struct arrival *a, struct fault *f) {
    struct ul_assoc_event ev = {0};
    enum err e = OK;
    while (e == OK && !ev.last) {
        e = scu_wait(in->scu, &ev, f);
        if (e == OK && ev.kind != UL_EV_DATA)
            e = fault_set(f, ERR_PROTOCOL, "the archive sent a command in the middle of a data set");
        if (e == OK)
            e = arrival_data(a, ev.data, f);
    }
    return e;
}

static enum err receive(struct inner *in, const struct dimse_command *rq, uint8_t context_id,
                        struct fault *f) {
    const struct ul_agreed *context = ul_assoc_context(scu_assoc(in->scu), context_id);
    struct export_object *o = find_object(in, rq);
    if (!o || o->got || !context)
        return fault_set(f, ERR_PROTOCOL, "the archive sent an object that was not asked for");
    struct arrival a = {.fd = -1};
    struct report create = {
        .kind = REPORT_CREATE, .series = o->series + 1, .index = in->numbers[o->series] + 1};
    enum err e = halves_ask_fd(in->channel, &create, &a.fd, f);
    if (e == OK)
        e = arrival_begin(&a, context, o->sop_instance, in->what->called, f);
    if (e == OK)
        e = receive_data(in, &a, f);
    if (e == OK) {
        in->numbers[o->series]++;
        e = add_to_directory(in, &a, context, o, f);
    }
    arrival_end(&a);
    if (e != OK)
        return e;
    o->got = true;
    in->written++;
    struct dimse_command rsp = dimse_response(rq, DIMSE_SUCCESS);
    rsp.data_set_type = DIMSE_NO_DATA_SET;
    return scu_send_command(in->scu, context_id, &rsp, f);
}

static void write_get_identifier(struct buf *out, enum dicom_syntax s, const struct inner *in,
                                 size_t from, size_t to) {
    struct buf uids = BUF_INIT(GET_BATCH * (UID_MAX + 1));
    for (size_t i = from; i < to; i++) {
        buf_append_str(&uids, i > from ? "\\" : "");
        buf_append_str(&uids, in->list.objects[i].sop_instance);
    }
    dicom_write_element(out, s, TAG_SOPInstanceUID, VR_UI, buf_slice(&uids));
    dicom_write_str(out, s, TAG_QueryRetrieveLevel, VR_CS, "IMAGE");
    dicom_write_str(out, s, TAG_StudyInstanceUID, VR_UI, in->what->study);
    dicom_write_str(out, s, TAG_SeriesInstanceUID, VR_UI,
                    in->list.series[in->list.objects[from].series]);
    buf_fini(&uids);
}

static enum err send_get(struct inner *in, const struct ul_agreed *context, size_t from, size_t to,
                         struct fault *f) {
    struct dimse_command c = {.field = DIMSE_C_GET_RQ,
                              .has = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_PRIORITY,
                              .message_id = scu_next_id(in->scu),
                              .data_set_type = DIMSE_DATA_SET};
    bool implicit = strcmp(context->transfer, UID_ImplicitVRLittleEndian) == 0;
    struct buf identifier = BUF_INIT(64 * 1024);
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, slice_str(context->abstract));
    write_get_identifier(&identifier, implicit ? DICOM_IMPLICIT_LE : DICOM_EXPLICIT_LE, in, from, to);
    enum err e = scu_send_command(in->scu, context->id, &c, f);
    if (e == OK)
        e = scu_send_piece(in->scu, context->id, buf_slice(&identifier), true, f);
    buf_fini(&identifier);
    return e;
}

// One C-GET for objects of one series, to its final response.
static enum err get(struct inner *in, size_t from, size_t to, struct fault *f) {
    const struct ul_agreed *context =
        ul_assoc_find(scu_assoc(in->scu), UID_StudyRootQueryRetrieveInformationModelGet, NULL);
    if (!context)
        return fault_set(f, ERR_DENIED, "the archive does not hand out objects here");
    in->from = from;
    in->to = to;
    enum err e = send_get(in, context, from, to, f);
    struct buf ignored = BUF_INIT(1 << 20);
    while (e == OK) {
        struct dimse_command c;
        uint8_t id;
        e = scu_wait_command(in->scu, &c, &id, f);
        if (e == OK && c.field == DIMSE_C_STORE_RQ) {
            e = receive(in, &c, id, f);
            continue;
        }
        if (e == OK && dimse_has_data_set(&c)) // the list of what failed; counted below
            e = scu_wait_data(in->scu, &ignored, f);
        buf_reset(&ignored);
        if (e != OK || c.status != DIMSE_PENDING)
            break;
    }
    buf_fini(&ignored);
    return e;
}

static enum err get_all(struct inner *in, struct fault *f) {
    enum err e = OK;
    for (size_t from = 0; e == OK && from < in->list.object_count;) {
        struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
        struct ul_associate rq;
        size_t end = propose(in, from, &arena, &rq);
        e = end > from ? connect_to(in, &rq, f) : fault_set(f, ERR_NO_MEMORY, "not enough memory");
        arena_fini(&arena);
        while (e == OK && from < end) {
            size_t to = from;
            while (to < end && to - from < GET_BATCH &&
                   in->list.objects[to].series == in->list.objects[from].series)
                to++;
            e = get(in, from, to, f);
            from = to;
        }
    }
    return e;
}

// "2.25." and a random number: PS3.5 B.2.
static void new_uid(char ret_uid[UID_MAX + 1]) {
    __extension__ unsigned __int128 number = 0;
    char digits[48];
    size_t n = sizeof digits;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        bug("no random numbers");
    digits[--n] = '\0';
    do {
        digits[--n] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number > 0);
    snprintf(ret_uid, UID_MAX + 1, "2.25.%s", digits + n);
}

static enum err write_directory(struct inner *in, struct fault *f) {
    CLEANUP_FD int fd = -1;
    char uid[UID_MAX + 1];
    struct buf out = BUF_INIT(DICOMDIR_MAX_BYTES);
    new_uid(uid);
    enum err e = dicomdir_encode(in->dir, uid, &out, f);
    if (e == OK)
        e = halves_ask_fd(in->channel, &(struct report){.kind = REPORT_CREATE}, &fd, f);
    if (e == OK)
        e = os_fd_write_full(fd, out.p, out.n, f);
    buf_fini(&out);
    return e;
}

static enum err run(struct inner *in, struct fault *f) {
    enum err e = list_study(in, f);
    if (e != OK)
        return e;
    in->numbers = calloc(in->list.series_count, sizeof *in->numbers);
    in->dir = dicomdir_new();
    if (!in->numbers || !in->dir)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    (void)report_send(in->channel,
                      &(struct report){.kind = REPORT_AT, .index = (uint32_t)in->list.object_count},
                      NULL);
    e = get_all(in, f);
    if (e == OK && in->written < in->list.object_count)
        e = fault_set(f, ERR_IO, "the archive handed out %zu of %zu objects; its log says why",
                      in->written, in->list.object_count);
    return e == OK ? write_directory(in, f) : e;
}

int export_inner_run(int channel, void *export_inner) {
    struct inner in = {.channel = channel, .what = export_inner};
    struct fault f = {0};
    enum err e = run(&in, &f);
    scu_close(in.scu);
    struct report r = {.kind = e == OK ? REPORT_DONE : REPORT_FAILED, .index = (uint32_t)in.written};
    snprintf(r.text, sizeof r.text, "%s", f.detail);
    (void)report_send(channel, &r, NULL);
    export_list_fini(&in.list);
    dicomdir_free(in.dir);
    free(in.numbers);
    return e == OK ? 0 : 1;
}
