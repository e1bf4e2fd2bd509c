#include "dicom/summary.h"

#include <stdlib.h>

#include "dicom/header.h"
#include "std/tag.h"

enum {
    REF_RESERVE_BYTES = 4096, // kept free of values, so that references still find room
    OFFSET_TABLE_MAX = 1 << 20,
    BLOOM_WORDS = 4,
};

// Values are appended to a buffer that may move, so what was picked is kept by position.
struct picked_at {
    bool present;
    enum vr vr;
    size_t at, n;
};

struct dicom_summary {
    size_t max;
    struct buf out;
    bool incomplete;
    bool is_dropping;               // inside a top-level sequence for which there was no room
    size_t top_at;                  // where the top-level sequence begins in `out`
    size_t sequence_at[DICOM_DEPTH_MAX + 1], item_at[DICOM_DEPTH_MAX + 1]; // where their lengths go
    uint32_t path[DICOM_DEPTH_MAX + 2]; // tags of the sequences around

    const struct dicom_pick *picks;
    size_t pick_count;
    uint64_t bloom[BLOOM_WORDS];    // of the last tags of all picks: most elements are nobody's pick
    struct picked_at picked_at[DICOM_PICK_MAX];
    struct dicom_picked picked[DICOM_PICK_MAX];
    struct buf values;

    struct dicom_frames frames;
    bool in_pixels;
    struct buf lengths, offset_table, extended;
};

// --- Life ---------------------------------------------------------------------------------------

static unsigned bloom_bit(uint32_t tag) {
    return (tag * 2654435761u) >> 24;
}

struct dicom_summary *dicom_summary_new(const struct dicom_pick *picks, size_t pick_count, size_t max_bytes) {
    bug_unless(pick_count <= DICOM_PICK_MAX);
    struct dicom_summary *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->max = max_bytes ? max_bytes : DICOM_SUMMARY_MAX_BYTES;
    s->out = BUF_INIT(s->max);
    s->picks = picks;
    s->pick_count = pick_count;
    for (size_t i = 0; i < pick_count; i++) {
        const uint32_t *p = picks[i].path;
        unsigned b = bloom_bit(p[2] ? p[2] : p[1] ? p[1] : p[0]);
        s->bloom[b / 64] |= (uint64_t)1 << b % 64;
    }
    s->values = BUF_INIT((size_t)DICOM_PICK_MAX * DICOM_PICK_VALUE_MAX);
    s->lengths = BUF_INIT((size_t)DICOM_FRAMES_MAX_FRAGMENTS * sizeof(uint32_t));
    s->offset_table = BUF_INIT(OFFSET_TABLE_MAX);
    s->extended = BUF_INIT(OFFSET_TABLE_MAX);
    dicom_summary_reset(s);
    return s;
}

void dicom_summary_free(struct dicom_summary *s) {
    if (!s)
        return;
    buf_fini(&s->out);
    buf_fini(&s->values);
    buf_fini(&s->lengths);
    buf_fini(&s->offset_table);
    buf_fini(&s->extended);
    free(s);
}

void dicom_summary_reset(struct dicom_summary *s) {
    buf_reset(&s->out);
    buf_reset(&s->values);
    buf_reset(&s->lengths);
    buf_reset(&s->offset_table);
    buf_reset(&s->extended);
    memset(s->picked_at, 0, s->pick_count * sizeof s->picked_at[0]);
    memset(s->picked, 0, s->pick_count * sizeof s->picked[0]);
    s->frames = (struct dicom_frames){.number_of_frames = 1};
    s->incomplete = s->is_dropping = s->in_pixels = false;
}

// --- Picks --------------------------------------------------------------------------------------

static bool is_picked(const struct dicom_summary *s, const struct dicom_pick *p,
                      const struct dicom_event *ev) {
    if (p->path[ev->depth] != ev->tag || (ev->depth < 2 && p->path[ev->depth + 1] != 0))
        return false;
    for (unsigned d = 0; d < ev->depth; d++)
        if (p->path[d] != s->path[d])
            return false;
    return true;
}

static void append_value(struct buf *out, const struct dicom_event *ev) {
    size_t at = out->n;
    buf_append_slice(out, ev->value);
    if (ev->syntax == DICOM_EXPLICIT_BE && buf_ok(out))
        dicom_swap(ev->vr, out->p + at, ev->value.n);
}

// A second item's value joins the first's. As other values may lie between, the first moves to the end.
static void pick_more(struct dicom_summary *s, struct picked_at *p, const struct dicom_event *ev) {
    if (p->n + 1 + ev->value.n > DICOM_PICK_VALUE_MAX || p->vr != ev->vr ||
        !buf_reserve(&s->values, p->n + 1 + ev->value.n)) {
        s->values.failed = false;
        return;
    }
    if (p->at + p->n != s->values.n) {
        buf_append(&s->values, s->values.p + p->at, p->n);
        p->at = s->values.n - p->n;
    }
    if (std_vr_info(ev->vr)->class_ == VR_CLASS_STRING && p->n > 0)
        buf_u8(&s->values, '\\');
    append_value(&s->values, ev);
    p->n = s->values.n - p->at;
}

static void pick_one(struct dicom_summary *s, struct picked_at *p, const struct dicom_event *ev) {
    if (p->present && ev->depth > 0)
        pick_more(s, p, ev);
    if (p->present)
        return;
    *p = (struct picked_at){.present = true, .vr = ev->vr, .at = s->values.n};
    if (ev->value.n > DICOM_PICK_VALUE_MAX)
        return;
    append_value(&s->values, ev);
    p->n = s->values.n - p->at;
}

static void pick(struct dicom_summary *s, const struct dicom_event *ev) {
    unsigned b = bloom_bit(ev->tag);
    if (ev->depth > 2 || !(s->bloom[b / 64] >> b % 64 & 1))
        return;
    for (size_t i = 0; i < s->pick_count; i++)
        if (is_picked(s, &s->picks[i], ev))
            pick_one(s, &s->picked_at[i], ev);
}

// --- The summary --------------------------------------------------------------------------------

static bool has_room(const struct dicom_summary *s, size_t n, size_t reserve) {
    return s->max > reserve && n <= s->max - reserve && s->out.n <= s->max - reserve - n;
}

static void put_tag(struct buf *out, uint32_t tag) {
    buf_u16le(out, (uint16_t)(tag >> 16));
    buf_u16le(out, (uint16_t)tag);
}

static void put_ref(struct dicom_summary *s, const struct dicom_event *ev, enum vr vr, uint64_t length) {
    if (!has_room(s, DICOM_SUMMARY_BR_BYTES, 0)) {
        s->incomplete = true;
        return;
    }
    put_tag(&s->out, ev->tag);
    buf_append(&s->out, "BR", 2);
    buf_append(&s->out, std_vr_info(vr == VR_UNKNOWN ? VR_UN : vr)->code, 2);
    buf_u32le(&s->out, 16);
    buf_u64le(&s->out, ev->offset);
    buf_u64le(&s->out, length);
}

// No room inside a top-level sequence: all of it becomes a reference when it ends.
static void drop_sequence(struct dicom_summary *s) {
    s->out.n = s->top_at;
    s->is_dropping = true;
}

static bool is_pixel_tag(uint32_t tag) {
    return tag == TAG_PixelData || tag == TAG_FloatPixelData || tag == TAG_DoubleFloatPixelData;
}

static bool is_bulk(const struct dicom_event *ev) {
    if (is_pixel_tag(ev->tag))
        return true;
    if (ev->length <= DICOM_SUMMARY_BULK_BYTES)
        return false;
    enum vr v = ev->vr;
    bool bytes = v == VR_OB || v == VR_OD || v == VR_OF || v == VR_OL || v == VR_OV || v == VR_OW;
    bool open = v == VR_UN || v == VR_UC || v == VR_UR || v == VR_UT || v == VR_UNKNOWN;
    // Beyond 65,534 bytes a VR with a short length could not be said in explicit VR.
    return bytes || open || (ev->length > 65534 && !std_vr_info(v)->long_header);
}

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v) {
    put_u16(p, (uint16_t)v);
    put_u16(p + 2, (uint16_t)(v >> 16));
}

static void put_element(struct dicom_summary *s, const struct dicom_event *ev) {
    const struct std_vr *vr = std_vr_info(ev->vr == VR_UNKNOWN ? VR_UN : ev->vr);
    size_t head = vr->long_header ? 12 : 8, n = ev->value.n;
    if (vr->class_ == VR_CLASS_NUMBER)
        n -= n & 1; // half a number is none, and padding would make it one
    size_t padded = n + (n & 1);
    if (!has_room(s, head + padded, REF_RESERVE_BYTES)) {
        if (ev->depth == 0)
            put_ref(s, ev, ev->vr, ev->length);
        else
            drop_sequence(s);
        return;
    }
    uint8_t *p = buf_extend(&s->out, head + padded);
    if (!p)
        return;
    put_u16(p, (uint16_t)(ev->tag >> 16));
    put_u16(p + 2, (uint16_t)ev->tag);
    memcpy(p + 4, vr->code, 2);
    if (vr->long_header) {
        put_u16(p + 6, 0);
        put_u32(p + 8, (uint32_t)padded);
    } else {
        put_u16(p + 6, (uint16_t)padded);
    }
    if (n > 0)
        memcpy(p + head, ev->value.p, n);
    if (ev->syntax == DICOM_EXPLICIT_BE)
        dicom_swap(ev->vr, p + head, n);
    if (n & 1)
        p[head + n] = vr->pad;
}

static void put_value(struct dicom_summary *s, const struct dicom_event *ev, uint64_t length, bool is_ref) {
    if (s->is_dropping)
        return;
    if (!is_ref)
        put_element(s, ev);
    else if (ev->depth > 0 && !has_room(s, DICOM_SUMMARY_BR_BYTES, REF_RESERVE_BYTES))
        drop_sequence(s);
    else
        put_ref(s, ev, ev->vr, length);
}

static void begin_sequence(struct dicom_summary *s, const struct dicom_event *ev) {
    s->path[ev->depth] = ev->tag;
    if (ev->depth == 0)
        s->top_at = s->out.n;
    if (s->is_dropping)
        return;
    if (!has_room(s, 12, REF_RESERVE_BYTES)) {
        drop_sequence(s);
        return;
    }
    put_tag(&s->out, ev->tag);
    buf_append(&s->out, "SQ\0\0\0\0\0\0", 8);
    s->sequence_at[ev->depth] = s->out.n - 4;
}

static void begin_item(struct dicom_summary *s, unsigned depth) {
    if (s->is_dropping)
        return;
    if (!has_room(s, 8, REF_RESERVE_BYTES)) {
        drop_sequence(s);
        return;
    }
    put_tag(&s->out, TAG_Item);
    buf_append(&s->out, "\0\0\0\0", 4);
    s->item_at[depth] = s->out.n - 4;
}

static void set_length(struct dicom_summary *s, size_t at) {
    if (!s->is_dropping && buf_ok(&s->out))
        put_u32(s->out.p + at, (uint32_t)(s->out.n - at - 4));
}

static void end_sequence(struct dicom_summary *s, const struct dicom_event *ev) {
    set_length(s, s->sequence_at[ev->depth]);
    if (ev->depth > 0 || !s->is_dropping)
        return;
    s->is_dropping = false;
    put_ref(s, ev, VR_SQ, ev->total);
}

// --- Frames -------------------------------------------------------------------------------------

static uint16_t value_u16(const struct dicom_event *ev) {
    return ev->value.n >= 2 ? header_u16(ev->value.p, ev->syntax) : 0;
}

static void note_number_of_frames(struct dicom_summary *s, const struct dicom_event *ev) {
    uint64_t n;
    struct slice text = slice_trim(slice_trim_right(ev->value, " \n"), " +");
    while (text.n > 0 && text.p[text.n - 1] == 0)
        text.n--;
    if (slice_to_u64(text, UINT32_MAX, &n) && n > 0)
        s->frames.number_of_frames = (uint32_t)n;
}

static void note_image(struct dicom_summary *s, const struct dicom_event *ev) {
    switch (ev->tag) {
    case TAG_SamplesPerPixel: s->frames.samples = value_u16(ev); break;
    case TAG_NumberOfFrames: note_number_of_frames(s, ev); break;
    case TAG_PhotometricInterpretation:
        s->frames.chroma_halved = ev->value.n >= 12 && memcmp(ev->value.p, "YBR_FULL_422", 12) == 0;
        break;
    case TAG_Rows: s->frames.rows = value_u16(ev); break;
    case TAG_Columns: s->frames.columns = value_u16(ev); break;
    case TAG_BitsAllocated: s->frames.bits_allocated = value_u16(ev); break;
    case TAG_ExtendedOffsetTable:
        if (s->extended.n == 0)
            append_value(&s->extended, ev);
        break;
    default: break;
    }
}

static bool begin_pixels(struct dicom_summary *s, const struct dicom_event *ev) {
    struct dicom_frames *f = &s->frames;
    if (ev->depth != 0 || f->present || !is_pixel_tag(ev->tag))
        return false;
    f->present = true;
    f->pixel_tag = ev->tag;
    f->pixel_vr = (uint8_t)ev->vr;
    f->offset = ev->offset;
    f->length = ev->length;
    return true;
}

static void note_fragment(struct dicom_summary *s, const struct dicom_event *ev) {
    if (!s->in_pixels)
        return;
    if (ev->item == 0) {
        append_value(&s->offset_table, ev);
        s->frames.first_fragment = ev->offset + ev->length;
        return;
    }
    if (s->lengths.n == s->lengths.max) {
        s->frames.incomplete = true;
        return;
    }
    uint32_t length = ev->length;
    buf_append(&s->lengths, &length, sizeof length);
}

static void begin_encapsulated(struct dicom_summary *s, const struct dicom_event *ev) {
    if (begin_pixels(s, ev))
        s->in_pixels = s->frames.encapsulated = true;
}

static void end_encapsulated(struct dicom_summary *s, const struct dicom_event *ev) {
    if (s->in_pixels)
        s->frames.length = ev->total;
    s->in_pixels = false;
    put_value(s, ev, ev->total, true);
}

// --- Events -------------------------------------------------------------------------------------

// Group lengths are retired and often wrong; padding says nothing.
static bool is_left_out(uint32_t tag) {
    return tag_is_group_length(tag) || tag == TAG_DataSetTrailingPadding;
}

static void on_element(struct dicom_summary *s, const struct dicom_event *ev) {
    if (is_left_out(ev->tag))
        return;
    pick(s, ev);
    if (ev->depth == 0 && ev->kind == DICOM_EV_ELEMENT)
        note_image(s, ev);
    (void)begin_pixels(s, ev);
    put_value(s, ev, ev->length, ev->kind == DICOM_EV_BULK || is_bulk(ev));
}

static void finish(struct dicom_summary *s) {
    for (size_t i = 0; i < s->pick_count; i++) {
        const struct picked_at *p = &s->picked_at[i];
        s->picked[i] = (struct dicom_picked){p->present, (uint16_t)p->vr,
                                             slice_sub(buf_slice(&s->values), p->at, p->n)};
    }
    struct dicom_frames *f = &s->frames;
    f->fragment_lengths = (const uint32_t *)(const void *)s->lengths.p;
    f->fragment_count = s->lengths.n / sizeof(uint32_t);
    f->offset_table = buf_slice(&s->offset_table);
    f->extended_offset_table = buf_slice(&s->extended);
}

enum err dicom_summary_event(void *summary, const struct dicom_event *ev, struct fault *f) {
    struct dicom_summary *s = summary;
    switch (ev->kind) {
    case DICOM_EV_ELEMENT:
    case DICOM_EV_BULK: on_element(s, ev); break;
    case DICOM_EV_SEQUENCE:
        pick(s, ev);
        begin_sequence(s, ev);
        break;
    case DICOM_EV_SEQUENCE_END: end_sequence(s, ev); break;
    case DICOM_EV_ITEM: begin_item(s, ev->depth); break;
    case DICOM_EV_ITEM_END: set_length(s, s->item_at[ev->depth]); break;
    case DICOM_EV_ENCAPSULATED: begin_encapsulated(s, ev); break;
    case DICOM_EV_FRAGMENT: note_fragment(s, ev); break;
    case DICOM_EV_ENCAPSULATED_END: end_encapsulated(s, ev); break;
    case DICOM_EV_CHUNK: break;
    case DICOM_EV_END: finish(s); break;
    }
    // Room is checked before writing, so a buffer that failed found no memory.
    if (!buf_ok(&s->out) || !buf_ok(&s->values) || !buf_ok(&s->lengths))
        return fault_set(f, ERR_NO_MEMORY, "for the summary");
    return OK;
}

struct slice dicom_summary_bytes(const struct dicom_summary *s) {
    return buf_slice(&s->out);
}

bool dicom_summary_incomplete(const struct dicom_summary *s) {
    return s->incomplete;
}

struct slice dicom_summary_picked_so_far(const struct dicom_summary *s, size_t i) {
    bug_unless(i < s->pick_count);
    return slice_sub(buf_slice(&s->values), s->picked_at[i].at, s->picked_at[i].n);
}

const struct dicom_picked *dicom_summary_picked(const struct dicom_summary *s, size_t i) {
    bug_unless(i < s->pick_count);
    return &s->picked[i];
}

const struct dicom_frames *dicom_summary_frames(const struct dicom_summary *s) {
    return &s->frames;
}
