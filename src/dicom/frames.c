// The frame table as stored, little endian:
//
//   u8  version 1            u8  flags (FLAG_…)    u8  enum vr of the pixel data     u8  0
//   u32 pixel_tag            u64 offset            u64 length    u64 first_fragment
//   u16 rows                 u16 columns           u16 samples   u16 bits_allocated
//   u32 number_of_frames     u32 fragments
//   u32 bytes of the offset table                  u32 bytes of the extended one
//   offset table, extended offset table, fragments × u32 length
//
// An object without pixel data has an empty table.
#include "base/rd.h"
#include "dicom/summary.h"

enum {
    VERSION = 1,
    FLAG_ENCAPSULATED = 1,
    FLAG_INCOMPLETE = 2,
    FLAG_CHROMA_HALVED = 4,
    ITEM_HEADER_BYTES = 8
};
#define PLACE_MAX (UINT64_C(1) << 62) // no object is that long; sums of places don't overflow

void dicom_frames_write(const struct dicom_frames *f, struct buf *out) {
    if (!f->present)
        return;
    buf_u8(out, VERSION);
    buf_u8(out, (uint8_t)((f->encapsulated ? FLAG_ENCAPSULATED : 0) | (f->incomplete ? FLAG_INCOMPLETE : 0) |
                          (f->chroma_halved ? FLAG_CHROMA_HALVED : 0)));
    buf_u8(out, f->pixel_vr);
    buf_u8(out, 0);
    buf_u32le(out, f->pixel_tag);
    buf_u64le(out, f->offset);
    buf_u64le(out, f->length);
    buf_u64le(out, f->first_fragment);
    buf_u16le(out, f->rows);
    buf_u16le(out, f->columns);
    buf_u16le(out, f->samples);
    buf_u16le(out, f->bits_allocated);
    buf_u32le(out, f->number_of_frames);
    buf_u32le(out, (uint32_t)f->fragment_count);
    buf_u32le(out, (uint32_t)f->offset_table.n);
    buf_u32le(out, (uint32_t)f->extended_offset_table.n);
    buf_append_slice(out, f->offset_table);
    buf_append_slice(out, f->extended_offset_table);
    for (size_t i = 0; i < f->fragment_count; i++)
        buf_u32le(out, f->fragment_lengths[i]);
}

static void parse_fixed(struct rd *r, struct dicom_frames *fr) {
    fr->pixel_vr = rd_u8(r);
    rd_skip(r, 1);
    fr->pixel_tag = rd_u32le(r);
    fr->offset = rd_u64le(r);
    fr->length = rd_u64le(r);
    fr->first_fragment = rd_u64le(r);
    fr->rows = rd_u16le(r);
    fr->columns = rd_u16le(r);
    fr->samples = rd_u16le(r);
    fr->bits_allocated = rd_u16le(r);
    fr->number_of_frames = rd_u32le(r);
}

enum err dicom_frames_parse(struct slice bytes, struct arena *a, struct fault *f,
                            struct dicom_frames *ret_frames) {
    struct dicom_frames fr = {0};
    if (bytes.n == 0) {
        *ret_frames = fr;
        return OK;
    }
    struct rd r = rd_init(bytes);
    uint8_t version = rd_u8(&r), flags = rd_u8(&r);
    fr.present = true;
    fr.encapsulated = flags & FLAG_ENCAPSULATED;
    fr.incomplete = flags & FLAG_INCOMPLETE;
    fr.chroma_halved = flags & FLAG_CHROMA_HALVED;
    parse_fixed(&r, &fr);
    fr.fragment_count = rd_u32le(&r);
    uint32_t basic = rd_u32le(&r), extended = rd_u32le(&r);
    struct slice tables[2] = {rd_bytes(&r, basic), rd_bytes(&r, extended)};
    if (version != VERSION || !rd_ok(&r) || rd_left(&r) != fr.fragment_count * 4 || fr.offset > PLACE_MAX ||
        fr.length > PLACE_MAX || fr.first_fragment > PLACE_MAX)
        return fault_set(f, ERR_CORRUPT, "frame table");
    uint32_t *lengths = arena_calloc(a, fr.fragment_count + 1, sizeof *lengths);
    if (!lengths || !arena_dup(a, tables[0], &fr.offset_table) ||
        !arena_dup(a, tables[1], &fr.extended_offset_table))
        return fault_set(f, ERR_NO_MEMORY, "frame table");
    for (size_t i = 0; i < fr.fragment_count; i++)
        lengths[i] = rd_u32le(&r);
    fr.fragment_lengths = lengths;
    *ret_frames = fr;
    return OK;
}

bool dicom_frames_native(const struct dicom_frames *f, uint32_t frame, struct dicom_ref *ret_ref) {
    if (!f->present || f->encapsulated || frame >= f->number_of_frames)
        return false;
    // 16 × 16 × 16 × 16 bits can't overflow 64.
    uint64_t samples = f->chroma_halved && f->samples == 3 ? 2 : f->samples;
    uint64_t bits = (uint64_t)f->rows * f->columns * samples * f->bits_allocated;
    if (f->bits_allocated % 8 != 0 && (bits % 8 != 0 || f->bits_allocated != 1) && f->number_of_frames > 1)
        return false; // frames of single bits that don't end on a byte: not to be told apart as bytes
    uint64_t bytes = (bits + 7) / 8;
    if (bytes == 0 || bytes > f->length || frame > (f->length - bytes) / bytes)
        return false;
    *ret_ref = (struct dicom_ref){f->offset + bytes * frame, bytes};
    return true;
}

static uint64_t entry(struct slice table, size_t unit, size_t i) {
    struct rd r = rd_init(slice_sub(table, i * unit, unit));
    return unit == 8 ? rd_u64le(&r) : rd_u32le(&r);
}

// By an offset table: offsets count from the first fragment's item header. They must hit the begin of a
// fragment.
static bool locate_by_table(const struct dicom_frames *f, struct slice table, size_t unit, uint32_t frame,
                            size_t *ret_first, size_t *ret_count) {
    if (table.n != (uint64_t)f->number_of_frames * unit)
        return false;
    uint64_t from = entry(table, unit, frame);
    bool is_last = frame + 1 == f->number_of_frames;
    uint64_t to = is_last ? UINT64_MAX : entry(table, unit, (size_t)frame + 1);
    uint64_t at = 0;
    size_t first = SIZE_MAX, i = 0;
    for (; i < f->fragment_count && at < to; i++) {
        if (at == from)
            first = i;
        at += ITEM_HEADER_BYTES + (uint64_t)f->fragment_lengths[i];
    }
    if (first == SIZE_MAX || (is_last ? f->incomplete : at != to))
        return false;
    *ret_first = first;
    *ret_count = i - first;
    return true;
}

bool dicom_frames_locate(const struct dicom_frames *f, uint32_t frame, size_t *ret_first, size_t *ret_count) {
    if (!f->present || !f->encapsulated || frame >= f->number_of_frames)
        return false;
    if (!f->incomplete && (f->fragment_count == f->number_of_frames || f->number_of_frames == 1)) {
        *ret_first = frame;
        *ret_count = f->number_of_frames == 1 ? f->fragment_count : 1;
        return *ret_count > 0;
    }
    return locate_by_table(f, f->extended_offset_table, 8, frame, ret_first, ret_count) ||
           locate_by_table(f, f->offset_table, 4, frame, ret_first, ret_count);
}

bool dicom_frames_fragment(const struct dicom_frames *f, size_t fragment, struct dicom_ref *ret_ref) {
    if (fragment >= f->fragment_count)
        return false;
    uint64_t at = f->first_fragment;
    for (size_t i = 0; i < fragment; i++)
        at += ITEM_HEADER_BYTES + (uint64_t)f->fragment_lengths[i];
    *ret_ref = (struct dicom_ref){at + ITEM_HEADER_BYTES, f->fragment_lengths[fragment]};
    return true;
}
