// See incoming.h. The picked attributes travel decoded (UTF-8) and, where the comparable form
// differs (names folded, dates and times completed), in that form too: std/index_attr.h.
#include "incoming.h"

#include <stdlib.h>

#include "dicom/charset.h"
#include "dicom/match.h"
#include "dicom/summary.h"
#include "indexed.h"
#include "std/tag.h"
#include "std/uid.h"

enum { HALF = 2, ATTRIBUTES_MAX_BYTES = 49152, RING_FRAMES_MAX = 1024 * 1024 };

static struct dicom_reader *reader;
static struct dicom_summary *summary;
static struct buf decoded, normal, attributes, frames;

enum err incoming_preload(struct fault *f) {
    struct dicom_reader_options o = {.syntax = DICOM_EXPLICIT_LE};
    summary = dicom_summary_new(indexed_picks, INDEXED_PICKS, 0);
    reader = summary ? dicom_reader_new(&o, dicom_summary_event, summary) : NULL;
    decoded = normal = BUF_INIT(1 << 20);
    attributes = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    frames = BUF_INIT(RING_FRAMES_MAX);
    return reader ? OK : fault_set(f, ERR_NO_MEMORY, "reader");
}

enum err incoming_begin(struct incoming *in, struct worker *w, const struct dimse_command *command,
                        const char *transfer, struct fault *f) {
    *in = (struct incoming){.w = w, .command = command, .transfer = transfer};
    struct dicom_reader_options o;
    const struct std_ts *ts = std_ts_find(slice_str(transfer));
    if (!ts || !dicom_reader_options_for(ts, &o))
        return fault_set(f, ERR_UNSUPPORTED, "transfer syntax is not read here");
    enum err e = archive_ring(w, f);
    if (e != OK)
        return e;
    dicom_summary_reset(summary);
    return dicom_reader_reset(reader, &o, summary);
}

static struct slice picked_uid(size_t attr) {
    const struct dicom_picked *p = dicom_summary_picked(summary, attr);
    return p && p->present ? uid_trim(p->value) : slice_of(NULL, 0);
}

static enum err await_taken(struct incoming *in, struct fault *f) {
    struct ipc_msg m;
    struct worker *w = in->w;
    if (ipc_recv(w->archive, IPC_ARCHIVE_TO_DIMSE, 0, w->message, &m, f) != OK ||
        m.type != IPC_STORE_BODY_TAKEN)
        exit(0); // the archive is gone
    in->unacknowledged--;
    enum err e = (enum err)m.u.store_body_taken.error;
    return e == OK ? OK : fault_set(f, e, "the archive could not take the object");
}

// Hands [part_from, at) over and goes on in the other half of the body area, once that is free.
static enum err hand_over(struct incoming *in, struct fault *f) {
    struct ipc_store_body m = {
        .study = uid_trim(dicom_summary_picked_so_far(summary, INDEX_ATTR_StudyInstanceUID)),
        .ring_offset = (uint32_t)in->part_from,
        .length = (uint32_t)(in->at - in->part_from)};
    if (!uid_tolerable(m.study))
        return fault_set(f, ERR_LIMIT, "no Study Instance UID within the first %zu bytes", in->w->ring_body);
    archive_tell(in->w, IPC_STORE_BODY, &m);
    in->streaming = true;
    in->unacknowledged++;
    if (in->at == in->w->ring_body)
        in->at = 0;
    in->part_from = in->at;
    return in->unacknowledged < HALF ? OK : await_taken(in, f);
}

// Until the body area is full once, nothing is handed over: most objects fit and go in one message.
static enum err room(struct incoming *in, size_t *ret_room, struct fault *f) {
    size_t half = in->w->ring_body / HALF;
    enum err e = OK;
    if (!in->streaming && in->at == in->w->ring_body) {
        in->at = half;
        e = hand_over(in, f);
        in->at = in->w->ring_body;
        if (e == OK)
            e = hand_over(in, f);
    } else if (in->streaming && in->at == in->part_from + half) {
        e = hand_over(in, f);
    }
    *ret_room = in->streaming ? in->part_from + half - in->at : in->w->ring_body - in->at;
    return e;
}

enum err incoming_space(struct incoming *in, uint8_t **ret_at, size_t *ret_room, struct fault *f) {
    enum err e = room(in, ret_room, f);
    if (e == OK)
        *ret_at = in->w->ring.p + in->at;
    return e;
}

enum err incoming_take(struct incoming *in, struct slice bytes, struct fault *f) {
    while (bytes.n > 0) {
        size_t n = 0;
        enum err e = room(in, &n, f);
        if (e != OK)
            return e;
        struct slice now = slice_sub(bytes, 0, n);
        if (now.p != in->w->ring.p + in->at) // else they were read to their place
            memcpy(in->w->ring.p + in->at, now.p, now.n);
        in->at += now.n;
        bytes = slice_sub(bytes, now.n, bytes.n);
        e = dicom_reader_feed(reader, now, f);
        if (e != OK)
            return e;
    }
    return OK;
}

// PS3.4 B.2.3: what the command says and what the data set says must be the same object.
static enum err check_identity(const struct incoming *in, struct fault *f) {
    struct slice sop_class = picked_uid(INDEX_ATTR_SOPClassUID),
                 instance = picked_uid(INDEX_ATTR_SOPInstanceUID);
    if (!slice_eq_str(sop_class, in->command->affected_class))
        return fault_set(f, ERR_MISMATCH, "SOP Class UID is not the command's");
    if (!slice_eq_str(instance, in->command->affected_instance))
        return fault_set(f, ERR_MISMATCH, "SOP Instance UID is not the command's");
    if (!uid_tolerable(picked_uid(INDEX_ATTR_StudyInstanceUID)))
        return fault_set(f, ERR_MISMATCH, "Study Instance UID missing or invalid");
    if (!uid_tolerable(picked_uid(INDEX_ATTR_SeriesInstanceUID)))
        return fault_set(f, ERR_MISMATCH, "Series Instance UID missing or invalid");
    return OK;
}

static void put_attribute(uint16_t number, struct slice value) {
    buf_u16le(&attributes, number);
    buf_u16le(&attributes, (uint16_t)value.n);
    buf_append_slice(&attributes, value);
}

static void pick_attributes(void) {
    struct dicom_charset cs;
    const struct dicom_picked *set = dicom_summary_picked(summary, INDEXED_PICK_CHARSET);
    dicom_charset_init(&cs, set && set->present ? set->value : slice_of(NULL, 0));
    buf_reset(&attributes);
    for (uint16_t i = 0; i < INDEX_ATTR_COUNT_; i++) {
        const struct dicom_picked *p = dicom_summary_picked(summary, i);
        if (!p || !p->present || !indexed_is_taken_from_object(i))
            continue;
        buf_reset(&decoded);
        buf_reset(&normal);
        indexed_decode(&cs, (enum vr)p->vr, p->value, &decoded, &normal);
        if (decoded.n == 0 || decoded.n > INDEX_VALUE_MAX_BYTES || normal.n > INDEX_VALUE_MAX_BYTES)
            continue;
        put_attribute(INDEX_ATTR_VALUE(i), buf_slice(&decoded));
        // A value of nothing but delimiters has no form to compare.
        if (normal.n > 0 && !slice_eq(buf_slice(&decoded), buf_slice(&normal)))
            put_attribute(INDEX_ATTR_MATCHING(i), buf_slice(&normal));
    }
}

static enum err store_commit(struct incoming *in, struct fault *f) {
    struct worker *w = in->w;
    struct slice bytes = dicom_summary_bytes(summary);
    buf_reset(&frames);
    dicom_frames_write(dicom_summary_frames(summary), &frames);
    if (!buf_ok(&frames) || bytes.n + frames.n > w->ring_aux)
        buf_reset(&frames); // too many fragments to list: readers of frames then look into the object
    if (bytes.n > w->ring_aux)
        return fault_set(f, ERR_LIMIT, "attributes take more than %zu bytes", w->ring_aux);
    uint8_t *aux = w->ring.p + w->ring_body;
    memcpy(aux, bytes.p, bytes.n);
    if (frames.n)
        memcpy(aux + bytes.n, frames.p, frames.n);
    struct ipc_store_commit m = {.sop_class = picked_uid(INDEX_ATTR_SOPClassUID),
                                 .sop_instance = picked_uid(INDEX_ATTR_SOPInstanceUID),
                                 .study = picked_uid(INDEX_ATTR_StudyInstanceUID),
                                 .series = picked_uid(INDEX_ATTR_SeriesInstanceUID),
                                 .transfer_syntax = slice_str(in->transfer),
                                 .ring_offset = (uint32_t)in->part_from,
                                 .length = (uint32_t)(in->at - in->part_from),
                                 .summary_bytes = (uint32_t)bytes.n,
                                 .frames_bytes = (uint32_t)frames.n,
                                 .attributes = buf_slice(&attributes)};
    struct ipc_msg answer = archive_call(w, IPC_STORE_COMMIT, &m, IPC_STORE_DONE);
    const struct ipc_store_done *done = &answer.u.store_done;
    enum err e = (enum err)done->error;
    return e == OK ? OK : fault_set(f, e, "%.*s", SLICE_FMT(done->detail));
}

enum err incoming_commit(struct incoming *in, struct fault *f) {
    enum err e = dicom_reader_finish(reader, f);
    while (e == OK && in->unacknowledged > 0)
        e = await_taken(in, f);
    if (e == OK)
        e = check_identity(in, f);
    if (e != OK) {
        incoming_abort(in);
        return e;
    }
    pick_attributes();
    return store_commit(in, f);
}

void incoming_abort(struct incoming *in) {
    struct fault ignored = {0};
    while (in->unacknowledged > 0)
        (void)await_taken(in, &ignored);
    if (in->streaming)
        archive_tell(in->w, IPC_STORE_ABORT, &(struct ipc_store_abort){0});
}
