#include "dicom/part10.h"

#include "dicom/header.h"
#include "dicom/writer.h"
#include "std/tag.h"
#include "std/uid.h"

enum { PREAMBLE_BYTES = 128, MAGIC_BYTES = 4 };

static bool has_magic(struct slice s, size_t at) {
    return s.n >= at + MAGIC_BYTES && memcmp(s.p + at, "DICM", MAGIC_BYTES) == 0;
}

// Where File Meta Information, or else the data set, begins. Some files have "DICM" but no preamble.
static size_t skip_preamble(struct slice s) {
    if (has_magic(s, PREAMBLE_BYTES))
        return PREAMBLE_BYTES + MAGIC_BYTES;
    return has_magic(s, 0) ? MAGIC_BYTES : 0;
}

static void copy_uid(struct slice value, char ret_uid[UID_MAX + 1]) {
    struct slice uid = uid_trim(value);
    if (uid_tolerable(uid))
        (void)slice_to_cstr(uid, ret_uid, UID_MAX + 1);
}

static void note_element(struct dicom_meta *m, uint32_t tag, struct slice value) {
    m->has_meta = true;
    switch (tag) {
    case 0x00020002: copy_uid(value, m->sop_class); break;
    case 0x00020003: copy_uid(value, m->sop_instance); break;
    case 0x00020010: copy_uid(value, m->transfer_syntax); break;
    default: break;
    }
}

// Does the data set begin with this header in this syntax? Groups that no data set begins with (text,
// images of other formats) are refused.
static bool begins_with(const uint8_t *p, enum dicom_syntax s) {
    uint32_t tag = header_tag(p, s);
    if (tag_group(tag) < 0x0004 || tag_group(tag) > 0x0040)
        return false;
    if (s != DICOM_IMPLICIT_LE)
        return header_looks_explicit(p);
    return (std_tag_find(tag) || tag_is_group_length(tag)) && header_u32(p + 4, s) < 0x10000;
}

// A file that says it is DICOM but not in which syntax gets the default one (PS3.5 10.1) as a last resort.
static bool guess_syntax(const uint8_t *p, struct dicom_meta *m) {
    const char *uid = NULL;
    if (begins_with(p, DICOM_EXPLICIT_LE))
        uid = UID_ExplicitVRLittleEndian;
    else if (begins_with(p, DICOM_EXPLICIT_BE))
        uid = UID_ExplicitVRBigEndian;
    else if (begins_with(p, DICOM_IMPLICIT_LE) || m->has_meta)
        uid = UID_ImplicitVRLittleEndian;
    if (!uid)
        return false;
    (void)slice_to_cstr(slice_str(uid), m->transfer_syntax, sizeof m->transfer_syntax);
    m->guessed = true;
    return true;
}

static enum err need_more(bool complete, struct fault *f) {
    return complete ? fault_set(f, ERR_TRUNCATED, "the file ends inside its head") : ERR_TRUNCATED;
}

// Walks the elements of group 0002 from *at. The group length is not relied on, but where it ends group
// 0002 of a deflated file what follows can't be told apart by its tag.
static enum err walk_meta(struct slice head, bool complete, struct dicom_meta *m, size_t *at,
                          struct fault *f) {
    size_t begin = *at, group_end = 0;
    while (head.n - *at >= HEADER_MIN) {
        const struct std_ts *ts = *at == group_end ? std_ts_find(slice_str(m->transfer_syntax)) : NULL;
        const uint8_t *p = head.p + *at;
        if (header_tag(p, DICOM_EXPLICIT_LE) >> 16 != 0x0002 || (ts && ts->deflated))
            return OK;
        struct header h;
        header_decode(p, head.n - *at, DICOM_EXPLICIT_LE, &h);
        if (head.n - *at < h.bytes)
            break;
        if (h.length > DICOM_META_MAX_BYTES || *at - begin + h.bytes + h.length > DICOM_META_MAX_BYTES)
            return fault_set(f, ERR_LIMIT, "File Meta Information longer than %d bytes",
                             DICOM_META_MAX_BYTES);
        struct slice value = slice_sub(head, *at + h.bytes, h.length);
        if (value.n < h.length)
            break;
        *at += h.bytes + h.length;
        if (h.tag == 0x00020000 && h.length == 4)
            group_end = *at + header_u32(value.p, DICOM_EXPLICIT_LE);
        note_element(m, h.tag, value);
    }
    return complete && *at == head.n ? OK : need_more(complete, f);
}

enum err dicom_meta_parse(struct slice head, bool complete, struct dicom_meta *ret_meta, struct fault *f) {
    if (!complete && head.n < PREAMBLE_BYTES + MAGIC_BYTES)
        return ERR_TRUNCATED;
    struct dicom_meta m = {0};
    size_t at = skip_preamble(head);
    m.has_preamble = at > 0;
    m.meta_offset = at;
    enum err e = walk_meta(head, complete, &m, &at, f);
    if (e != OK)
        return e == ERR_TRUNCATED && at == 0 && complete ? fault_set(f, e, "too short for a DICOM file") : e;
    m.data_set_offset = at;
    if (m.transfer_syntax[0] == 0) {
        if (head.n - at < HEADER_MIN)
            return complete ? fault_set(f, ERR_SYNTAX, "no DICOM file") : ERR_TRUNCATED;
        if (!guess_syntax(head.p + at, &m))
            return fault_set(f, ERR_SYNTAX, "no DICOM file");
    }
    *ret_meta = m;
    return OK;
}

enum err dicom_meta_reader_options(const struct dicom_meta *m, struct dicom_reader_options *ret_options,
                                   struct fault *f) {
    const struct std_ts *ts = std_ts_find(slice_str(m->transfer_syntax));
    if (!ts) {
        *ret_options = (struct dicom_reader_options){.syntax = DICOM_EXPLICIT_LE};
        return OK;
    }
    if (!dicom_reader_options_for(ts, ret_options))
        return fault_set(f, ERR_UNSUPPORTED, "transfer syntax %s", ts->uid);
    return OK;
}

void dicom_meta_write(struct buf *out, struct slice sop_class, struct slice sop_instance,
                      struct slice transfer_syntax, const char *source_ae) {
    const enum dicom_syntax s = DICOM_EXPLICIT_LE;
    uint8_t *p = buf_extend(out, PREAMBLE_BYTES);
    if (p)
        memset(p, 0, PREAMBLE_BYTES);
    buf_append_str(out, "DICM");
    dicom_write_u32(out, s, 0x00020000, 0);
    size_t begin = out->n;
    dicom_write_element(out, s, 0x00020001, VR_OB, slice_of("\0\1", 2));
    dicom_write_element(out, s, 0x00020002, VR_UI, sop_class);
    dicom_write_element(out, s, 0x00020003, VR_UI, sop_instance);
    dicom_write_element(out, s, 0x00020010, VR_UI, transfer_syntax);
    dicom_write_str(out, s, 0x00020012, VR_UI, GALENA_IMPLEMENTATION_CLASS);
    dicom_write_str(out, s, 0x00020013, VR_SH, GALENA_IMPLEMENTATION_VERSION);
    if (source_ae && source_ae[0])
        dicom_write_str(out, s, 0x00020016, VR_AE, source_ae);
    if (!buf_ok(out))
        return;
    uint32_t n = (uint32_t)(out->n - begin);
    memcpy(out->p + begin - 4,
           (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)}, 4);
}
