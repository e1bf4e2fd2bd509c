#include "instance.h"

#include "extract.h"
#include "http/multipart.h"

#include <stdio.h>

const char *instance_media_type(const struct instance *x) {
    switch ((enum ts_family)x->ts->family) {
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

enum err instance_open(struct instance *x, struct request *rq, unsigned with, struct fault *f) {
    *x = (struct instance){
        .rq = rq, .arena = ARENA_INIT(64 * 1024 * 1024), .head = BUF_INIT(64 * 1024), .first = true};
    enum err e = retrieval_open(&x->from, rq, RETRIEVAL_WITH_FRONT | with, f);
    if (e != OK)
        return e;
    return instance_next(x, f) ? OK : f->code ? f->code : fault_set(f, ERR_NO_SUCH_OBJECT, "it is gone");
}

bool instance_next(struct instance *x, struct fault *f) {
    arena_reset(&x->arena);
    if (!retrieval_next(&x->from, &x->object))
        return false;
    enum err e = x->object.error != OK ? fault_set(f, x->object.error, "the object cannot be read just now")
                                       : retrieval_front(&x->from, &x->arena, &x->summary, &x->table, f);
    x->ts = std_ts_find(slice_str(x->object.transfer));
    if (e == OK && !x->ts)
        e = fault_set(f, ERR_UNSUPPORTED, "its transfer syntax is not known");
    return e == OK;
}

void instance_close(struct instance *x) {
    retrieval_fini(&x->from);
    arena_fini(&x->arena);
    buf_fini(&x->head);
}

void instance_put_part(struct instance *x, const char *what) {
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

void instance_choose_type(struct instance *x) {
    const char *ts = x->ts->encapsulated ? x->object.transfer : UID_ExplicitVRLittleEndian;
    const char *media = x->ts->encapsulated ? instance_media_type(x) : "application/octet-stream";
    snprintf(x->type, sizeof x->type, "%s; transfer-syntax=%s", media, ts);
}

bool instance_begin_multipart(struct instance *x, int64_t length) {
    char plain[64] = "", type[MULTIPART_TYPE_MAX];
    (void)slice_to_cstr(slice_split(slice_str(x->type), ';', &(struct slice){0}), plain, sizeof plain);
    multipart_write_type(type, plain, x->boundary);
    struct answer a = {.status = 200, .type = type, .length = length};
    return answer_begin(x->rq, &a);
}

enum err instance_end_multipart(struct instance *x, struct fault *f) {
    buf_reset(&x->head);
    multipart_write_end(&x->head, x->boundary, x->first);
    if (!buf_ok(&x->head))
        return fault_set(f, ERR_NO_MEMORY, "the end of an answer");
    return answer_body(x->rq, buf_slice(&x->head), true) ? OK
                                                         : fault_set(f, ERR_PEER_GONE, "the client is gone");
}

bool instance_has_frame(const struct instance *x, uint32_t frame) {
    struct dicom_ref ref;
    size_t first, count;
    return x->table.encapsulated ? dicom_frames_locate(&x->table, frame, &first, &count)
                                 : dicom_frames_native(&x->table, frame, &ref);
}

enum err instance_send_frame(struct instance *x, uint32_t frame, bool last, struct fault *f) {
    struct dicom_ref ref;
    size_t first = 0, count = 0;
    if (!x->table.encapsulated) {
        struct dicom_ref all = {x->table.offset, x->table.length};
        (void)dicom_frames_native(&x->table, frame, &ref);
        return extract_send_part(&x->from, &x->object, all, ref.offset - all.offset, ref.length,
                                 (enum vr)x->table.pixel_vr, last, f);
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

// Media type and transfer syntax agree: 8.7.3.3. Where no syntax is named, it is the default of the media
// type; application/octet-stream means uncompressed bytes, but for what is only there with loss (8.7.3.4).
bool instance_is_sent_as(const struct instance *x, const struct accepted *a) {
    bool any = strcmp(a->transfer, "*") == 0, same = strcmp(a->transfer, x->object.transfer) == 0;
    bool named = a->transfer[0] != '\0', bytes = accepted_takes(a, "application/octet-stream");
    if (!x->ts->encapsulated)
        return bytes && (any || !named || strcmp(a->transfer, UID_ExplicitVRLittleEndian) == 0);
    bool media = accepted_takes(a, instance_media_type(x));
    if ((!media && !bytes) || accepted_refuses(a, instance_media_type(x)))
        return false;
    return any || same || (!named && (media || x->ts->lossy));
}
