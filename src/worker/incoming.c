#include "worker/incoming.h"

#include <stdlib.h>

#include "base/uid.h"
#include "dicom/charset.h"
#include "dicom/match.h"
#include "dicom/summary.h"
#include "std/tag.h"
#include "std/uid.h"
#include "worker/indexed.h"

enum { HALVES = 2, ATTRIBUTES_MAX_BYTES = 49152, RING_FRAMES_MAX = 1024 * 1024 };

struct incoming_tools {
    struct dicom_reader *reader;
    struct dicom_summary *summary;
    struct buf decoded, normal, attributes, frames;
};

static struct incoming_tools *preloaded;

static void tools_free(struct incoming_tools *t) {
    dicom_reader_free(t->reader);
    dicom_summary_free(t->summary);
    buf_fini(&t->decoded);
    buf_fini(&t->normal);
    buf_fini(&t->attributes);
    buf_fini(&t->frames);
    free(t);
}

struct incoming_tools *incoming_tools_new(void) {
    struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    struct incoming_tools *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->summary = dicom_summary_new(indexed_picks, INDEXED_PICKS, 0);
    t->reader = t->summary ? dicom_reader_new(&o, dicom_summary_event, t->summary) : NULL;
    t->decoded = t->normal = BUF_INIT(1 << 20);
    t->attributes = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    t->frames = BUF_INIT(RING_FRAMES_MAX);
    if (t->reader)
        return t;
    tools_free(t);
    return NULL;
}

enum err incoming_preload(struct fault *f) {
    preloaded = incoming_tools_new();
    return preloaded ? OK : fault_set(f, ERR_NO_MEMORY, "reader");
}

struct incoming_tools *incoming_tools_preloaded(void) {
    return preloaded;
}

enum err incoming_begin(struct incoming *in, struct channel *archive, struct incoming_tools *tools,
                        const struct incoming_claim *claim, const char *transfer, struct fault *f) {
    *in = (struct incoming){.archive = archive, .tools = tools, .claim = *claim, .transfer = transfer};
    struct dicom_reader_options o;
    const struct std_ts *ts = std_ts_find(slice_str(transfer));
    if (!ts || !dicom_reader_options_for(ts, &o))
        return fault_set(f, ERR_UNSUPPORTED, "transfer syntax is not read here");
    enum err e = channel_ring(archive, f);
    if (e != OK)
        return e;
    dicom_summary_reset(tools->summary);
    return dicom_reader_reset(tools->reader, &o, tools->summary);
}

struct slice incoming_uid(const struct incoming *in, int attr) {
    return uid_trim(dicom_summary_picked_so_far(in->tools->summary, (size_t)attr));
}

static enum err await_taken(struct incoming *in, struct fault *f) {
    struct ipc_msg m = channel_receive(in->archive, IPC_STORE_BODY_TAKEN);
    in->unacknowledged--;
    enum err e = (enum err)m.u.store_body_taken.error;
    return e == OK ? OK : fault_set(f, e, "the archive could not take the object");
}

// Hands [part_from, at) over and goes on in the other half of the body area, once that is free.
static enum err hand_over(struct incoming *in, struct fault *f) {
    struct ipc_store_body m = {.study = incoming_uid(in, INDEX_ATTR_StudyInstanceUID),
                               .ring_offset = (uint32_t)in->part_from,
                               .length = (uint32_t)(in->at - in->part_from)};
    if (!uid_tolerable(m.study))
        return fault_set(f, ERR_LIMIT, "no Study Instance UID within the first %zu bytes",
                         in->archive->ring_body);
    channel_tell(in->archive, IPC_STORE_BODY, &m);
    in->streaming = true;
    in->unacknowledged++;
    if (in->at == in->archive->ring_body)
        in->at = 0;
    in->part_from = in->at;
    return in->unacknowledged < HALVES ? OK : await_taken(in, f);
}

// Until the body area is full once, nothing is handed over: most objects fit and go in one message.
static enum err room(struct incoming *in, size_t *ret_room, struct fault *f) {
    size_t half = channel_turn_bytes(in->archive);
    enum err e = OK;
    if (!in->streaming && in->at == in->archive->ring_body) {
        in->at = half;
        e = hand_over(in, f);
        in->at = in->archive->ring_body;
        if (e == OK)
            e = hand_over(in, f);
    } else if (in->streaming && in->at == in->part_from + half) {
        e = hand_over(in, f);
    }
    *ret_room = in->streaming ? in->part_from + half - in->at : in->archive->ring_body - in->at;
    return e;
}

enum err incoming_space(struct incoming *in, uint8_t **ret_at, size_t *ret_room, struct fault *f) {
    enum err e = room(in, ret_room, f);
    if (e == OK)
        *ret_at = in->archive->ring.p + in->at;
    return e;
}

enum err incoming_take(struct incoming *in, struct slice bytes, struct fault *f) {
    while (bytes.n > 0) {
        size_t n = 0;
        enum err e = room(in, &n, f);
        if (e != OK)
            return e;
        struct slice now = slice_sub(bytes, 0, n);
        if (now.p != in->archive->ring.p + in->at) // else they were read to their place
            memcpy(in->archive->ring.p + in->at, now.p, now.n);
        in->at += now.n;
        bytes = slice_sub(bytes, now.n, bytes.n);
        e = dicom_reader_feed(in->tools->reader, now, f);
        if (e != OK)
            return e;
    }
    return OK;
}

// PS3.4 B.2.3, PS3.18 10.5: what the request says and what the data set says must be the same object.
static enum err check_identity(const struct incoming *in, struct fault *f) {
    const struct {
        int attr;
        const char *name, *claimed;
    } uids[] = {{INDEX_ATTR_SOPClassUID, "SOP Class", in->claim.sop_class},
                {INDEX_ATTR_SOPInstanceUID, "SOP Instance", in->claim.sop_instance},
                {INDEX_ATTR_StudyInstanceUID, "Study Instance", in->claim.study},
                {INDEX_ATTR_SeriesInstanceUID, "Series Instance", NULL}};
    for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
        struct slice uid = incoming_uid(in, uids[i].attr);
        if (uids[i].claimed && !slice_eq_str(uid, uids[i].claimed))
            return fault_set(f, ERR_MISMATCH, "%s UID is not the request's", uids[i].name);
        if (!uid_tolerable(uid))
            return fault_set(f, ERR_MISMATCH, "%s UID missing or invalid", uids[i].name);
    }
    return OK;
}

static void put_attribute(struct buf *attributes, uint16_t number, struct slice value) {
    buf_u16le(attributes, number);
    buf_u16le(attributes, (uint16_t)value.n);
    buf_append_slice(attributes, value);
}

static void pick_attributes(struct incoming_tools *t) {
    struct dicom_charset cs;
    const struct dicom_picked *set = dicom_summary_picked(t->summary, INDEXED_PICK_CHARSET);
    dicom_charset_init(&cs, set && set->present ? set->value : slice_of(NULL, 0));
    buf_reset(&t->attributes);
    for (uint16_t i = 0; i < INDEX_ATTR_COUNT_; i++) {
        const struct dicom_picked *p = dicom_summary_picked(t->summary, i);
        if (!p || !p->present || !indexed_is_taken_from_object(i))
            continue;
        buf_reset(&t->decoded);
        buf_reset(&t->normal);
        indexed_decode(&cs, indexed_vr(i, (enum vr)p->vr), p->value, &t->decoded, &t->normal);
        if (t->decoded.n == 0 || t->decoded.n > INDEX_VALUE_MAX_BYTES || t->normal.n > INDEX_VALUE_MAX_BYTES)
            continue;
        put_attribute(&t->attributes, INDEX_ATTR_VALUE(i), buf_slice(&t->decoded));
        // A value of nothing but delimiters has no form to compare.
        if (t->normal.n > 0 && !slice_eq(buf_slice(&t->decoded), buf_slice(&t->normal)))
            put_attribute(&t->attributes, INDEX_ATTR_MATCHING(i), buf_slice(&t->normal));
    }
}

static enum err store_commit(struct incoming *in, bool early, struct fault *f) {
    struct channel *ch = in->archive;
    struct slice bytes = dicom_summary_bytes(in->tools->summary);
    struct buf *frames = &in->tools->frames;
    buf_reset(frames);
    dicom_frames_write(dicom_summary_frames(in->tools->summary), frames);
    if (!buf_ok(frames) || bytes.n + frames->n > ch->ring_aux)
        buf_reset(frames); // too many fragments to list: readers of frames then look into the object
    if (bytes.n > ch->ring_aux)
        return fault_set(f, ERR_LIMIT, "attributes take more than %zu bytes", ch->ring_aux);
    memcpy(channel_aux(ch), bytes.p, bytes.n);
    if (frames->n)
        memcpy(channel_aux(ch) + bytes.n, frames->p, frames->n);
    struct ipc_store_commit m = {.sop_class = incoming_uid(in, INDEX_ATTR_SOPClassUID),
                                 .sop_instance = incoming_uid(in, INDEX_ATTR_SOPInstanceUID),
                                 .study = incoming_uid(in, INDEX_ATTR_StudyInstanceUID),
                                 .series = incoming_uid(in, INDEX_ATTR_SeriesInstanceUID),
                                 .transfer_syntax = slice_str(in->transfer),
                                 .ring_offset = (uint32_t)in->part_from,
                                 .length = (uint32_t)(in->at - in->part_from),
                                 .summary_bytes = (uint32_t)bytes.n,
                                 .frames_bytes = (uint32_t)frames->n,
                                 .early = early,
                                 .attributes = buf_slice(&in->tools->attributes)};
    channel_tell(ch, IPC_STORE_COMMIT, &m);
    struct ipc_msg answer = channel_receive(ch, early ? IPC_STORE_TAKEN : IPC_STORE_DONE);
    enum err e = (enum err)(early ? answer.u.store_taken.error : answer.u.store_done.error);
    struct slice detail = early ? answer.u.store_taken.detail : answer.u.store_done.detail;
    return e == OK ? OK : fault_set(f, e, "%.*s", SLICE_FMT(detail));
}

static enum err commit(struct incoming *in, bool early, struct fault *f) {
    enum err e = dicom_reader_finish(in->tools->reader, f);
    while (e == OK && in->unacknowledged > 0)
        e = await_taken(in, f);
    if (e == OK)
        e = check_identity(in, f);
    if (e != OK) {
        incoming_abort(in);
        return e;
    }
    pick_attributes(in->tools);
    return store_commit(in, early, f);
}

enum err incoming_commit(struct incoming *in, struct fault *f) {
    return commit(in, false, f);
}

enum err incoming_commit_early(struct incoming *in, struct fault *f) {
    return commit(in, true, f);
}

void incoming_abort(struct incoming *in) {
    struct fault ignored = {0};
    while (in->unacknowledged > 0)
        (void)await_taken(in, &ignored);
    if (in->streaming)
        channel_tell(in->archive, IPC_STORE_ABORT, &(struct ipc_store_abort){0});
}
