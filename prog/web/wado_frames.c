// Frames, bulk data and pixel data of one instance: PS3.18 10.4.1.1.3, .5, .6. A frame is one read.
#include "accepts.h"
#include "retrieve.h"
#include "route.h"

#include "http/multipart.h"

#include <stdio.h>

enum { FRAMES_AT_ONCE_MAX = 10000 };

struct frames {
    struct request *rq;
    struct retrieval from;
    struct object object;
    struct arena arena;
    struct slice summary;
    struct dicom_frames table;
    const struct std_ts *ts;
    char type[200]; // of a part
    char boundary[40];
    struct buf head;
    bool single, first;
};

// Table 8.7.3-2 and -5: what a frame of this syntax is.
static const char *media_type(const struct std_ts *ts) {
    switch ((enum ts_family)ts->family) {
    case TS_FAMILY_RLE:
        return "image/dicom-rle";
    case TS_FAMILY_JPEG:
        return "image/jpeg";
    case TS_FAMILY_JPEGLS:
        return "image/jls";
    case TS_FAMILY_JPEG2000:
        return "image/jp2";
    case TS_FAMILY_HTJ2K:
        return "image/jphc";
    case TS_FAMILY_JPEGXL:
        return "image/jxl";
    case TS_FAMILY_MPEG2:
        return "video/mpeg";
    case TS_FAMILY_MPEG4:
    case TS_FAMILY_HEVC:
        return "video/mp4";
    case TS_FAMILY_NATIVE:
    case TS_FAMILY_DEFLATE:
    case TS_FAMILY_JPIP:
    case TS_FAMILY_SMPTE:
    case TS_FAMILY_OTHER:
        break;
    }
    return "application/octet-stream";
}

static enum err open_instance(struct frames *x, struct request *rq, struct fault *f) {
    *x = (struct frames){
        .rq = rq, .arena = ARENA_INIT(64 * 1024 * 1024), .head = BUF_INIT(64 * 1024), .first = true};
    enum err e = retrieval_open(&x->from, rq, f);
    if (e == OK && (!retrieval_next(&x->from, &x->object) || x->object.error != OK))
        e = fault_set(f, ERR_IO, "the object cannot be read just now");
    if (e == OK)
        e = retrieval_front(&x->from, &x->arena, &x->summary, &x->table, f);
    x->ts = e == OK ? std_ts_find(slice_str(x->object.transfer)) : NULL;
    if (e == OK && !x->ts)
        e = fault_set(f, ERR_UNSUPPORTED, "its transfer syntax is not known");
    return e;
}

static void close_instance(struct frames *x) {
    retrieval_close(&x->from);
    arena_fini(&x->arena);
    buf_fini(&x->head);
}

// Deflated and big endian data sets are not as a client could use them: their bytes are elsewhere, or
// turned round.
static bool is_direct(const struct std_ts *ts) {
    return !ts->deflated && !ts->big_endian;
}

static void put_part(struct frames *x, const char *what) {
    char location[600];
    snprintf(location, sizeof location, "%.*s/dicomweb/studies/%s/series/%s/instances/%s%s",
             SLICE_FMT(request_origin(x->rq)), x->object.study, x->object.series, x->object.sop_instance,
             what);
    const struct http_field fields[] = {{SLICE_LIT("Content-Type"), slice_str(x->type)},
                                        {SLICE_LIT("Content-Location"), slice_str(location)}};
    buf_reset(&x->head);
    multipart_write_part(&x->head, x->boundary, x->first, fields, 2);
    x->first = false;
}

static void choose_type(struct frames *x) {
    const char *ts = x->ts->encapsulated ? x->object.transfer : UID_ExplicitVRLittleEndian;
    const char *media = x->ts->encapsulated ? media_type(x->ts) : "application/octet-stream";
    snprintf(x->type, sizeof x->type, "%s; transfer-syntax=%s", media, ts);
}

static bool begin_multipart(struct frames *x, int64_t length) {
    char text[400];
    struct buf type = BUF_INIT(512);
    struct slice media = slice_split(slice_str(x->type), ';', &(struct slice){0});
    char plain[64] = "";
    (void)slice_to_cstr(media, plain, sizeof plain);
    multipart_write_type(&type, plain, x->boundary);
    (void)slice_to_cstr(buf_slice(&type), text, sizeof text);
    buf_fini(&type);
    struct answer a = {.status = 200, .type = text, .length = length};
    return answer_begin(x->rq, &a);
}

static enum err end_multipart(struct frames *x, struct fault *f) {
    buf_reset(&x->head);
    multipart_write_end(&x->head, x->boundary, x->first);
    return answer_body(x->rq, buf_slice(&x->head), true) ? OK
                                                         : fault_set(f, ERR_PEER_GONE, "the client is gone");
}

// --- frames

static bool frame_exists(const struct frames *x, uint32_t frame) {
    struct dicom_ref ref;
    size_t first, count;
    return x->table.encapsulated ? dicom_frames_locate(&x->table, frame, &first, &count)
                                 : dicom_frames_native(&x->table, frame, &ref);
}

static enum err send_frame(struct frames *x, uint32_t frame, bool last, struct fault *f) {
    struct dicom_ref ref;
    size_t first = 0, count = 0;
    if (!x->table.encapsulated) {
        (void)dicom_frames_native(&x->table, frame, &ref);
        return retrieval_send(&x->from, ref.offset, ref.length, last, f);
    }
    enum err e = OK;
    (void)dicom_frames_locate(&x->table, frame, &first, &count);
    for (size_t i = 0; e == OK && i < count; i++) {
        if (!dicom_frames_fragment(&x->table, first + i, &ref))
            return fault_set(f, ERR_CORRUPT, "a fragment is missing");
        e = retrieval_send(&x->from, ref.offset, ref.length, last && i + 1 == count, f);
    }
    return e;
}

// "1,3,2": PS3.18 Table 10.4.1-1, {frames}. They count from 1.
static bool parse_list(struct frames *x, struct slice list, uint32_t *numbers, size_t *ret_count) {
    size_t n = 0;
    struct slice rest = list;
    while (rest.p) {
        uint64_t number;
        if (n == FRAMES_AT_ONCE_MAX || !slice_to_u64(slice_split(rest, ',', &rest), UINT32_MAX, &number) ||
            number == 0)
            return false;
        numbers[n++] = (uint32_t)number - 1;
    }
    (void)x;
    *ret_count = n;
    return true;
}

static void put_frame_header(struct frames *x, uint32_t frame) {
    char what[32];
    snprintf(what, sizeof what, "/frames/%u", frame + 1);
    put_part(x, what);
}

// Of the whole answer, so that it needs no chunks; -1: some frame is in fragments.
static int64_t length_of(struct frames *x, const uint32_t *numbers, size_t count) {
    uint64_t n = 0;
    struct dicom_ref ref;
    for (size_t i = 0; i < count; i++) {
        if (!dicom_frames_native(&x->table, numbers[i], &ref))
            return -1;
        put_frame_header(x, numbers[i]);
        n += x->head.n + ref.length;
    }
    buf_reset(&x->head);
    multipart_write_end(&x->head, x->boundary, false);
    n += x->head.n;
    x->first = true;
    return (int64_t)n;
}

static enum err send_frames(struct frames *x, const uint32_t *numbers, size_t count, struct fault *f) {
    enum err e = OK;
    for (size_t i = 0; e == OK && i < count; i++) {
        put_frame_header(x, numbers[i]);
        if (!answer_body_begin(x->rq, buf_slice(&x->head), false))
            return fault_set(f, ERR_PEER_GONE, "the client is gone");
        e = send_frame(x, numbers[i], false, f);
    }
    return e == OK ? end_multipart(x, f) : e;
}

static void answer_frames(struct frames *x, const uint32_t *numbers, size_t count) {
    struct fault f = {0};
    choose_type(x);
    if (x->single) {
        struct dicom_ref ref = {0, 0};
        struct answer a = {.status = 200, .type = x->type, .length = -1};
        if (dicom_frames_native(&x->table, numbers[0], &ref))
            a.length = (int64_t)ref.length;
        if (answer_begin(x->rq, &a) && send_frame(x, numbers[0], true, &f) != OK)
            answer_break(x->rq);
        return;
    }
    request_boundary(x->boundary);
    if (begin_multipart(x, length_of(x, numbers, count)) && send_frames(x, numbers, count, &f) != OK)
        answer_break(x->rq);
}

static bool all_exist(const struct frames *x, const uint32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!frame_exists(x, numbers[i]))
            return false;
    return true;
}

// Is what is stored what the client takes? 8.7.3.3: uncompressed as bytes; compressed where it asks for
// this very syntax or for any, or for the media type of it; and where there is only a lossy form
// (8.7.3.5.2).
static bool is_sent_as(const struct frames *x, const struct accepted *a) {
    bool any = strcmp(a->transfer, "*") == 0, same = strcmp(a->transfer, x->object.transfer) == 0;
    bool bytes = a->type[0] == '\0' || strcmp(a->type, "application/octet-stream") == 0;
    if (!is_direct(x->ts))
        return false;
    if (!x->ts->encapsulated)
        return bytes &&
               (any || a->transfer[0] == '\0' || strcmp(a->transfer, UID_ExplicitVRLittleEndian) == 0);
    bool media = strcmp(a->type, media_type(x->ts)) == 0 && a->transfer[0] == '\0';
    return any || same || media || (bytes && a->transfer[0] == '\0' && x->ts->lossy);
}

void wado_frames(struct request *rq) {
    struct frames x;
    struct fault f = {0};
    size_t count = 0;
    static const char *const offers[] = {"multipart/related; type=\"*\"", "application/octet-stream"};
    struct accepted accepted;
    if (!request_accepts(rq, offers, 2, &accepted))
        return;
    enum err e = open_instance(&x, rq, &f);
    uint32_t *numbers = arena_calloc(&x.arena, FRAMES_AT_ONCE_MAX, sizeof *numbers);
    x.single = accepted.offer == 1;
    if (e != OK)
        answer_fault(rq, e, &f);
    else if (!numbers || !parse_list(&x, rq->parts[3], numbers, &count) || (x.single && count != 1))
        answer_error(rq, 400, "frames", "Frames are a list of numbers from 1 on, such as 1,2,5.");
    else if (!all_exist(&x, numbers, count))
        answer_error(rq, 404, "not_found", "There is no such frame.");
    else if (!is_sent_as(&x, &accepted))
        answer_error(rq, 406, "transfer_syntax",
                     "It is compressed and cannot be decompressed yet: ask for transfer-syntax=*.");
    else
        answer_frames(&x, numbers, count);
    close_instance(&x);
}
