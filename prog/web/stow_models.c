#include "stow_models.h"

#include "base/ckd.h"

#include "dicom/assemble.h"
#include "dicom/json_read.h"
#include "dicom/xml_read.h"
#include "http/media.h"
#include "std/index_attr.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdio.h>
#include <stdlib.h>

enum { MODELS_MAX = 20000, ARENA_BYTES = 256 * 1024 * 1024, FRAMES_MAX = 1 << 16 };

// What has come of one value that metadata only refer to.
struct bulk {
    struct buf data;       // of frames: one after the other
    uint32_t *frame_bytes; // of each frame, for what is encapsulated
    uint32_t frames;       // or other parts, that have come
    int64_t parts;         // that it comes in: one for each frame, or one
    bool encapsulated, complete;
};

struct model {
    struct dicom_model is;
    struct bulk *bulk; // one for each of is.bulk
    size_t missing;
    char transfer[65];
    bool settled; // stored, handed over, or failed
};

enum mode { PART_IGNORED, PART_METADATA, PART_BULK, PART_STREAM };

struct stow_models {
    struct stow *s;
    bool xml;
    struct arena arena;
    struct model *models;
    size_t count;
    size_t waiting_bytes; // of bulk data in memory
    // of the part at hand
    enum mode mode;
    struct buf text;
    struct model *model;
    size_t index; // of its bulk data
    // of the object that streams
    struct incoming in;
    struct dicom_assembler *assembler;
    uint64_t left;
    bool may_lack_pad; // to be even
};

struct stow_models *stow_models_new(struct stow *s, bool xml) {
    struct stow_models *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    *m = (struct stow_models){.s = s,
                              .xml = xml,
                              .arena = ARENA_INIT(ARENA_BYTES),
                              .models = calloc(MODELS_MAX, sizeof *m->models),
                              .text = BUF_INIT(STOW_METADATA_MAX_BYTES)};
    if (m->models)
        return m;
    stow_models_free(m);
    return NULL;
}

static void drop_bulk(struct stow_models *m, struct model *x) {
    for (size_t i = 0; x->bulk && i < x->is.bulk_count; i++) {
        m->waiting_bytes -= x->bulk[i].data.n;
        buf_fini(&x->bulk[i].data);
        free(x->bulk[i].frame_bytes);
        x->bulk[i].frame_bytes = NULL;
    }
}

void stow_models_free(struct stow_models *m) {
    if (!m)
        return;
    for (size_t i = 0; m->models && i < m->count; i++)
        drop_bulk(m, &m->models[i]);
    dicom_assembler_free(m->assembler);
    free(m->models);
    buf_fini(&m->text);
    arena_fini(&m->arena);
    free(m);
}

static void fail(struct stow_models *m, struct model *x, enum err e, const struct fault *f) {
    if (x->settled)
        return;
    x->settled = true;
    drop_bulk(m, x);
    web_log(m->s->rq->web, OS_LOG_WARN, "an object that %s uploads was not stored: %s: %s", m->s->rq->user,
            err_text(e), f->detail);
    stow_failed(m->s, dicom_dataset_trimmed(x->is.ds, TAG_SOPClassUID),
                dicom_dataset_trimmed(x->is.ds, TAG_SOPInstanceUID), e);
}

// --- one object to the archive: as far as its bulk data have come

static enum err put_encapsulated(struct stow_models *m, const struct bulk *b, struct fault *f) {
    struct slice head, rest = buf_slice(&b->data);
    enum err e = dicom_assembler_fragments(m->assembler, f, &head);
    if (e == OK)
        e = incoming_take(&m->in, head, f);
    for (uint32_t i = 0; e == OK && i < b->frames; i++) {
        e = dicom_assembler_fragment(m->assembler, b->frame_bytes[i], f, &head);
        if (e == OK)
            e = incoming_take(&m->in, head, f);
        if (e == OK)
            e = incoming_take(&m->in, slice_sub(rest, 0, b->frame_bytes[i]), f);
        rest = slice_sub(rest, b->frame_bytes[i], rest.n);
    }
    if (e == OK)
        e = dicom_assembler_fragments_end(m->assembler, f, &head);
    return e == OK ? incoming_take(&m->in, head, f) : e;
}

static enum err put_bulk(struct stow_models *m, const struct bulk *b, struct fault *f) {
    struct slice head;
    if (b->encapsulated)
        return put_encapsulated(m, b, f);
    enum err e = dicom_assembler_value(m->assembler, b->data.n, f, &head);
    if (e == OK)
        e = incoming_take(&m->in, head, f);
    return e == OK ? incoming_take(&m->in, buf_slice(&b->data), f) : e;
}

// Up to the end, or to the value that is to stream.
static enum err assemble(struct stow_models *m, struct model *x, bool *ret_end, struct fault *f) {
    struct dicom_piece piece;
    enum err e = OK;
    *ret_end = false;
    while (e == OK && !*ret_end) {
        e = dicom_assembler_next(m->assembler, f, &piece);
        if (e != OK)
            break;
        if (piece.kind == DICOM_PIECE_BYTES)
            e = incoming_take(&m->in, piece.bytes, f);
        else if (piece.kind == DICOM_PIECE_END)
            *ret_end = true;
        else if (x->bulk[piece.bulk].complete)
            e = put_bulk(m, &x->bulk[piece.bulk], f);
        else
            return OK;
    }
    return e;
}

static enum err begin_object(struct stow_models *m, struct model *x, struct fault *f) {
    struct stow *s = m->s;
    struct incoming_tools *tools = request_tools(s->rq);
    struct incoming_claim claim = {.study = s->path_study[0] ? s->path_study : NULL};
    enum err e = stow_check_class(s, dicom_dataset_trimmed(x->is.ds, TAG_SOPClassUID), f);
    if (e != OK)
        return e;
    m->assembler = dicom_assembler_new(x->is.ds);
    if (!tools || !m->assembler)
        return fault_set(f, ERR_NO_MEMORY, "reader");
    return incoming_begin(&m->in, &s->rq->archive, tools, &claim, x->transfer, f);
}

static void end_object(struct stow_models *m, struct model *x, enum err e, bool begun, struct fault *f) {
    if (e == OK)
        e = stow_commit(m->s, &m->in, f);
    else if (begun)
        incoming_abort(&m->in);
    dicom_assembler_free(m->assembler);
    m->assembler = NULL;
    if (e != OK)
        fail(m, x, e, f);
    x->settled = true;
    drop_bulk(m, x);
}

static void store(struct stow_models *m, struct model *x) {
    struct fault f = {0};
    bool end = false;
    enum err e = begin_object(m, x, &f);
    bool begun = e == OK;
    if (begun)
        e = assemble(m, x, &end, &f);
    end_object(m, x, e, begun, &f);
}

// --- metadata

// What only answers to queries have, and File Meta Information, are no part of an object.
static void drop_foreign(struct dicom_dataset *ds) {
    static const uint32_t tags[] = {TAG_InstanceAvailability, TAG_RetrieveURL, TAG_RetrieveAETitle,
                                    TAG_AvailableTransferSyntaxUID};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        dicom_dataset_remove(ds, tags[i]);
}

static void note_transfer(struct model *x) {
    struct slice named = x->is.meta ? dicom_dataset_trimmed(x->is.meta, TAG_TransferSyntaxUID)
                                    : dicom_dataset_trimmed(x->is.ds, TAG_AvailableTransferSyntaxUID);
    const struct std_ts *ts = std_ts_find(named);
    snprintf(x->transfer, sizeof x->transfer, "%s",
             ts && ts->encapsulated ? ts->uid : UID_ExplicitVRLittleEndian);
}

static enum err add_model(struct stow_models *m, const struct dicom_model *is, struct fault *f) {
    if (m->count == MODELS_MAX)
        return fault_set(f, ERR_LIMIT, "more than %d instances in one request", MODELS_MAX);
    struct model *x = &m->models[m->count++];
    *x = (struct model){.is = *is, .missing = is->bulk_count};
    note_transfer(x);
    drop_foreign(x->is.ds);
    x->bulk = arena_calloc(&m->arena, is->bulk_count ? is->bulk_count : 1, sizeof *x->bulk);
    if (!x->bulk)
        return fault_set(f, ERR_NO_MEMORY, "metadata");
    for (size_t i = 0; i < is->bulk_count; i++)
        x->bulk[i].data = BUF_INIT(STOW_BULK_MAX_BYTES);
    if (x->missing == 0) {
        snprintf(x->transfer, sizeof x->transfer, "%s", UID_ExplicitVRLittleEndian);
        store(m, x);
    }
    return OK;
}

static enum err read_json(struct stow_models *m, struct fault *f) {
    struct dicom_json_reader reader;
    enum err e = dicom_json_reader_init(&reader, buf_slice(&m->text), f);
    if (e != OK)
        return e;
    while (e == OK && dicom_json_reader_more(&reader)) {
        struct dicom_model is;
        e = dicom_json_read(&reader, &m->arena, f, &is);
        if (e == OK)
            e = add_model(m, &is, f);
    }
    dicom_json_reader_fini(&reader);
    return e;
}

static enum err read_metadata(struct stow_models *m, struct fault *f) {
    struct dicom_model is;
    if (!buf_ok(&m->text))
        return fault_set(f, ERR_LIMIT, "metadata of more than %d bytes", STOW_METADATA_MAX_BYTES);
    if (!m->xml)
        return read_json(m, f);
    enum err e = dicom_xml_read(buf_slice(&m->text), &m->arena, f, &is);
    return e == OK ? add_model(m, &is, f) : e;
}

// --- bulk data

// The URI with /frames/N behind it.
static bool names_frame(struct slice location, struct slice uri) {
    static const char frames[] = "/frames/";
    const uint8_t *cut = location.n > 0 ? memmem(location.p, location.n, frames, sizeof frames - 1) : NULL;
    return cut && slice_eq(slice_of(location.p, (size_t)(cut - location.p)), uri);
}

// The same URI, or one of them relative to the other's beginning, or that of a frame.
static bool names(struct slice location, struct slice uri) {
    if (slice_eq(location, uri) || names_frame(location, uri))
        return true;
    struct slice longer = location.n > uri.n ? location : uri, shorter = location.n > uri.n ? uri : location;
    if (shorter.n == 0 || !slice_eq(slice_sub(longer, longer.n - shorter.n, shorter.n), shorter))
        return false;
    return shorter.p[0] == '/' || longer.p[longer.n - shorter.n - 1] == '/';
}

static bool find(struct stow_models *m, struct slice location) {
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; !m->models[i].settled && k < m->models[i].is.bulk_count; k++)
            if (!m->models[i].bulk[k].complete && names(location, m->models[i].is.bulk[k].uri)) {
                m->model = &m->models[i];
                m->index = k;
                return true;
            }
    return false;
}

// PS3.18 Table 8.7.3-2 and -5: what a media type stands for when it names no transfer syntax.
static const char *default_transfer(const struct media_type *type) {
    static const char *const rows[][2] = {
        {"image/jpeg", UID_JPEGLosslessSV1}, {"image/dicom-rle", UID_RLELossless},
        {"image/jls", UID_JPEGLSLossless},   {"image/jp2", UID_JPEG2000Lossless},
        {"image/jphc", UID_HTJ2KLossless},   {"video/mpeg", UID_MPEG2MPML},
        {"video/mp4", UID_MPEG4HP41}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (media_is(type, rows[i][0]))
            return rows[i][1];
    return NULL;
}

static int64_t frames_of(const struct model *x) {
    int64_t n = 1;
    (void)dicom_dataset_int(x->is.ds, TAG_NumberOfFrames, &n);
    return n > 0 ? n : 1;
}

static void begin_frame(struct stow_models *m, const struct media_type *type) {
    struct model *x = m->model;
    struct bulk *b = &x->bulk[m->index];
    struct slice named = media_parameter(type, "transfer-syntax");
    const struct std_ts *ts = std_ts_find(named), *had = std_ts_find(slice_str(x->transfer));
    const char *usual = default_transfer(type);
    if (!ts && usual && !(had && had->encapsulated))
        ts = std_ts_find(slice_str(usual));
    if (ts && ts->encapsulated) {
        snprintf(x->transfer, sizeof x->transfer, "%s", ts->uid);
    } else if (!had || !had->encapsulated) {
        fail(m, x, ERR_UNSUPPORTED,
             &(struct fault){.detail = "its frames are of a media type that no transfer syntax goes with"});
        m->mode = PART_IGNORED;
        return;
    }
    b->parts = media_slice_is(type->type, "video") ? 1 : frames_of(x);
    if (b->parts > FRAMES_MAX) {
        fail(m, x, ERR_LIMIT, &(struct fault){.detail = "it has too many frames to send them one by one"});
        m->mode = PART_IGNORED;
        return;
    }
    if (!b->frame_bytes && !(b->frame_bytes = calloc(FRAMES_MAX, sizeof *b->frame_bytes))) {
        fail(m, x, ERR_NO_MEMORY, &(struct fault){.detail = "for its frames"});
        m->mode = PART_IGNORED;
        return;
    }
    b->encapsulated = true;
}

// Two pixels share their chrominance: PS3.3 C.7.6.3.1.2.
static bool is_422(const struct model *x) {
    struct slice photometric = dicom_dataset_trimmed(x->is.ds, TAG_PhotometricInterpretation);
    return slice_eq_str(photometric, "YBR_FULL_422") || slice_eq_str(photometric, "YBR_PARTIAL_422");
}

// What native pixel data must have: PS3.5 8.1.1. 0: the attributes do not say.
static uint64_t pixel_bytes(const struct model *x) {
    uint16_t rows = 0, columns = 0, samples = 1, bits = 0;
    (void)dicom_dataset_u16(x->is.ds, TAG_Rows, &rows);
    (void)dicom_dataset_u16(x->is.ds, TAG_Columns, &columns);
    (void)dicom_dataset_u16(x->is.ds, TAG_SamplesPerPixel, &samples);
    (void)dicom_dataset_u16(x->is.ds, TAG_BitsAllocated, &bits);
    if (samples == 3 && is_422(x))
        samples = 2;
    int64_t frames = frames_of(x);
    uint64_t frame = (uint64_t)rows * columns * samples * (bits / 8u),
             n; // 16 × 16 × 16 × 13 bits can't overflow
    if (bits % 8 != 0 || !ckd_mul_u64(frame, (uint64_t)frames, &n) || n > UINT32_MAX)
        return 0;
    return n;
}

// Of the part: as it says, or as the attributes do; but that is a guess, as pixel data may have been padded,
// and so is only made where the part is too long to wait for its end.
static uint64_t length_of(struct stow_models *m, const struct multipart_event *ev) {
    uint64_t n = 0;
    const struct dicom_bulk *b = &m->model->is.bulk[m->index];
    if (slice_to_u64(multipart_field(ev, "content-length"), UINT32_MAX - 1, &n) && n > 0)
        return n;
    n = b->tag == TAG_PixelData && strlen(b->path) == 8 ? pixel_bytes(m->model) : 0;
    bool waits = n <= STOW_GUESS_MIN_BYTES && m->waiting_bytes + n < STOW_BULK_MAX_BYTES;
    m->may_lack_pad = n & 1;
    return waits ? 0 : n + (n & 1);
}

// The last that is missing goes straight on, when its length is known.
static bool stream(struct stow_models *m, const struct multipart_event *ev) {
    struct model *x = m->model;
    struct fault f = {0};
    struct slice head;
    bool end = false;
    m->may_lack_pad = false;
    uint64_t n = length_of(m, ev);
    const struct std_ts *ts = std_ts_find(slice_str(x->transfer));
    if (x->missing != 1 || n == 0 || !ts || ts->encapsulated)
        return false;
    enum err e = begin_object(m, x, &f);
    bool begun = e == OK;
    if (begun)
        e = assemble(m, x, &end, &f);
    if (e == OK)
        e = dicom_assembler_value(m->assembler, n, &f, &head);
    if (e == OK)
        e = incoming_take(&m->in, head, &f);
    m->left = n;
    m->mode = PART_STREAM;
    if (e != OK) {
        end_object(m, x, e, begun, &f);
        m->mode = PART_IGNORED;
    }
    return true;
}

static void begin_bulk(struct stow_models *m, const struct multipart_event *ev,
                       const struct media_type *type) {
    struct slice location = multipart_field(ev, "content-location");
    m->mode = PART_IGNORED;
    if (!find(m, location))
        return;
    m->mode = PART_BULK;
    bool frame = names_frame(location, m->model->is.bulk[m->index].uri);
    m->model->bulk[m->index].parts = frame ? frames_of(m->model) : 1;
    if (media_slice_is(type->type, "image") || media_slice_is(type->type, "video"))
        begin_frame(m, type);
    else if (frame || !stream(m, ev)) {
        const struct std_ts *ts = std_ts_find(slice_str(m->model->transfer));
        if (ts && ts->encapsulated && m->model->is.bulk[m->index].tag == TAG_PixelData)
            begin_frame(m, type);
    }
}

static void take_bulk(struct stow_models *m, struct slice bytes) {
    struct model *x = m->model;
    struct bulk *b = &x->bulk[m->index];
    if (m->waiting_bytes + bytes.n > STOW_BULK_MAX_BYTES) {
        fail(m, x, ERR_LIMIT,
             &(struct fault){.detail =
                                 "its bulk data have no room: give their Content-Length, the longest last"});
        m->mode = PART_IGNORED;
        return;
    }
    buf_append_slice(&b->data, bytes);
    if (!buf_ok(&b->data)) {
        fail(m, x, ERR_NO_MEMORY, &(struct fault){.detail = "for its bulk data, which must wait"});
        m->mode = PART_IGNORED;
        return;
    }
    m->waiting_bytes += bytes.n;
    if (b->encapsulated && b->frames < FRAMES_MAX)
        b->frame_bytes[b->frames] += (uint32_t)bytes.n;
}

static void take_stream(struct stow_models *m, struct slice bytes) {
    struct fault f = {0};
    enum err e = bytes.n <= m->left ? incoming_take(&m->in, bytes, &f)
                                    : fault_set(&f, ERR_MISMATCH, "bulk data are longer than they must be");
    m->left -= bytes.n <= m->left ? bytes.n : m->left;
    if (e != OK) {
        end_object(m, m->model, e, true, &f);
        m->mode = PART_IGNORED;
    }
}

static void end_bulk(struct stow_models *m) {
    struct model *x = m->model;
    struct bulk *b = &x->bulk[m->index];
    if (++b->frames < b->parts)
        return; // more frames follow
    b->complete = true;
    if (--x->missing == 0)
        store(m, x);
}

static void end_stream(struct stow_models *m) {
    struct fault f = {0};
    bool end = false;
    m->model->bulk[m->index].complete = true; // it has gone
    if (m->left == 1 && m->may_lack_pad)
        take_stream(m, SLICE_LIT("\0"));
    enum err e = m->left == 0 ? assemble(m, m->model, &end, &f)
                              : fault_set(&f, ERR_TRUNCATED, "bulk data are shorter than they must be");
    end_object(m, m->model, e, true, &f);
}

// --- parts

enum err stow_models_part(struct stow_models *m, const struct multipart_event *ev, struct fault *f) {
    struct media_type type;
    struct slice header = multipart_field(ev, "content-type");
    if (!header.p || !media_parse(header, &type))
        return fault_set(f, ERR_SYNTAX, "a part has no Content-Type");
    if (media_is(&type, m->xml ? "application/dicom+xml" : "application/dicom+json")) {
        m->mode = PART_METADATA;
        buf_reset(&m->text);
        return OK;
    }
    begin_bulk(m, ev, &type);
    return OK;
}

enum err stow_models_data(struct stow_models *m, struct slice bytes, struct fault *f) {
    (void)f;
    if (m->mode == PART_METADATA)
        buf_append_slice(&m->text, bytes);
    else if (m->mode == PART_BULK)
        take_bulk(m, bytes);
    else if (m->mode == PART_STREAM)
        take_stream(m, bytes);
    return OK;
}

enum err stow_models_part_end(struct stow_models *m, struct fault *f) {
    enum mode mode = m->mode;
    m->mode = PART_IGNORED;
    if (mode == PART_METADATA)
        return read_metadata(m, f);
    if (mode == PART_BULK)
        end_bulk(m);
    else if (mode == PART_STREAM)
        end_stream(m);
    return OK;
}

void stow_models_end(struct stow_models *m) {
    struct fault f = {0};
    if (m->mode == PART_STREAM)
        end_object(m, m->model, fault_set(&f, ERR_TRUNCATED, "bulk data broke off"), true, &f);
    m->mode = PART_IGNORED;
    for (size_t i = 0; i < m->count; i++)
        fail(m, &m->models[i], ERR_TRUNCATED, &(struct fault){.detail = "its bulk data did not come"});
}
