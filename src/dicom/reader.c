// The reader's state machine. Positions are counted in the (inflated) data set; every length is checked
// against the innermost enclosing length before it is believed, so that positions never pass an end.
#include "dicom/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "dicom/header.h"
#include "dicom/inflate.h"
#include "std/tag.h"
#include "std/uid.h"

#define NO_END UINT64_MAX

enum state {
    ST_HEADER,  // collecting a header
    ST_VALUE,   // collecting a value to deliver whole
    ST_PASS,    // passing over a long value
    ST_PADDING, // zeros after the data set
    ST_DONE,
};

// A sequence, or encapsulated Pixel Data, and its current item.
struct level {
    uint32_t tag, length;
    uint32_t item_count;
    enum vr vr;
    uint8_t code[2];
    bool encapsulated, in_item, sniff;
    bool is_signed;            // Pixel Representation in force around the sequence
    enum dicom_syntax header_syntax, item_syntax;
    uint64_t header_at, value_at;
    uint64_t end, bound;       // end: NO_END when undefined; bound: the innermost end, own or enclosing
    uint32_t item_length;
    uint64_t item_header_at, item_at, item_end;
};

struct dicom_reader {
    dicom_event_fn *fn;
    void *ctx;
    struct dicom_reader_options o;
    enum state state;
    enum err err;
    struct fault fault;        // the first, to be told again
    uint64_t pos;              // of the next byte to be consumed
    uint64_t left;             // of the value
    enum dicom_syntax syntax;  // of the elements read now
    bool sniff;                // the next header is the first of its data set or item
    bool is_signed;            // Pixel Representation says so: "US or SS" is SS
    unsigned depth;            // open levels
    uint64_t bound;            // innermost enclosing end
    uint32_t last_tag;         // at the top level
    bool is_value;             // ev is an element or fragment in progress
    struct dicom_event ev;
    unsigned head_n;
    uint8_t head[HEADER_MAX];
    struct buf value;
    struct inflater *inflater;
    struct dicom_oddities odd;
    struct level level[DICOM_DEPTH_MAX + 1];
};

// --- Life ---------------------------------------------------------------------------------------

static void set_defaults(struct dicom_reader_options *o) {
    if (o->value_max == 0)
        o->value_max = DICOM_VALUE_MAX_DEFAULT;
    if (o->inflate_max_bytes == 0)
        o->inflate_max_bytes = (uint64_t)4 << 30;
    if (o->inflate_free_bytes == 0)
        o->inflate_free_bytes = (uint64_t)64 << 20;
    if (o->inflate_ratio_max == 0)
        o->inflate_ratio_max = 200;
}

static enum err begin(struct dicom_reader *r, const struct dicom_reader_options *o) {
    r->o = *o;
    set_defaults(&r->o);
    r->state = ST_HEADER;
    r->err = OK;
    r->fault = (struct fault){0};
    r->pos = r->left = 0;
    r->syntax = o->deflated ? DICOM_EXPLICIT_LE : o->syntax;
    r->sniff = true;
    r->is_signed = false;
    r->depth = 0;
    r->bound = NO_END;
    r->last_tag = 0;
    r->is_value = false;
    r->head_n = 0;
    buf_reset(&r->value);
    r->value.max = r->o.value_max;
    r->odd = (struct dicom_oddities){0};
    if (!o->deflated)
        return OK;
    if (!r->inflater)
        r->inflater = inflater_new();
    if (!r->inflater)
        return r->err = fault_set(&r->fault, ERR_NO_MEMORY, "to inflate");
    inflater_reset(r->inflater, (struct inflate_limits){r->o.inflate_max_bytes, r->o.inflate_free_bytes,
                                                        r->o.inflate_ratio_max});
    return OK;
}

struct dicom_reader *dicom_reader_new(const struct dicom_reader_options *o, dicom_event_fn *fn, void *ctx) {
    struct dicom_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->fn = fn;
    r->ctx = ctx;
    r->value = BUF_INIT(DICOM_VALUE_MAX_DEFAULT);
    if (begin(r, o) != OK) {
        dicom_reader_free(r);
        return NULL;
    }
    return r;
}

void dicom_reader_free(struct dicom_reader *r) {
    if (!r)
        return;
    buf_fini(&r->value);
    inflater_free(r->inflater);
    free(r);
}

enum err dicom_reader_reset(struct dicom_reader *r, const struct dicom_reader_options *o, void *ctx) {
    r->ctx = ctx;
    return begin(r, o);
}

bool dicom_reader_options_for(const struct std_ts *ts, struct dicom_reader_options *ret_options) {
    if (ts->family == TS_FAMILY_OTHER || ts->family == TS_FAMILY_SMPTE)
        return false;
    enum dicom_syntax s = ts->big_endian ? DICOM_EXPLICIT_BE : ts->explicit_vr ? DICOM_EXPLICIT_LE
                                                                               : DICOM_IMPLICIT_LE;
    *ret_options = (struct dicom_reader_options){.syntax = s, .deflated = ts->deflated};
    return true;
}

// --- Errors and where they are ------------------------------------------------------------------

void dicom_tag_format(uint32_t tag, char ret_text[12]) {
    snprintf(ret_text, 12, "(%04x,%04x)", tag >> 16, tag & 0xFFFFu);
}

static void path_add(char *path, const char *text) {
    size_t n = strlen(path);
    snprintf(path + n, DICOM_PATH_MAX - n, "%s", text);
}

static void path_add_level(char *path, const struct level *l) {
    char tag[12], part[32];
    dicom_tag_format(l->tag, tag);
    if (l->in_item)
        snprintf(part, sizeof part, "%s[%u].", tag, l->item_count - 1);
    else
        snprintf(part, sizeof part, "%s", tag);
    path_add(path, part);
}

void dicom_reader_path(const struct dicom_reader *r, char path[DICOM_PATH_MAX]) {
    path[0] = 0;
    // Of deep nesting the outermost level and the inner ones; a path must fit into a message.
    for (unsigned i = 0; i < r->depth; i++) {
        if (r->depth > 3 && i > 0 && i + 2 < r->depth) {
            if (i == 1)
                path_add(path, "...");
            continue;
        }
        path_add_level(path, &r->level[i]);
    }
    char tag[12];
    dicom_tag_format(r->ev.tag, tag);
    if (r->is_value && r->ev.kind != DICOM_EV_FRAGMENT)
        path_add(path, tag);
}

static enum err fail(struct dicom_reader *r, enum err e, const char *what) {
    char path[DICOM_PATH_MAX];
    dicom_reader_path(r, path);
    r->err = e;
    return fault_set(&r->fault, e, "%s, %s%sbyte %llu", what, path, path[0] ? " " : "",
                     (unsigned long long)r->pos);
}

// --- Events -------------------------------------------------------------------------------------

static enum err emit(struct dicom_reader *r, enum dicom_event_kind kind) {
    r->ev.kind = kind;
    enum err e = r->fn(r->ctx, &r->ev, &r->fault);
    if (e != OK) {
        r->err = e;
        fault_set(&r->fault, e, "byte %llu", (unsigned long long)r->pos);
    }
    return e;
}

static void event_of_level(struct dicom_reader *r, const struct level *l) {
    r->ev = (struct dicom_event){.vr = l->vr,
                                 .tag = l->tag,
                                 .length = l->length,
                                 .depth = (unsigned)(l - r->level),
                                 .syntax = l->header_syntax,
                                 .vr_code = {l->code[0], l->code[1]},
                                 .header_at = l->header_at,
                                 .offset = l->value_at};
}

static void event_of_item(struct dicom_reader *r, const struct level *l) {
    event_of_level(r, l);
    r->ev.item = l->item_count - 1;
    r->ev.length = l->item_length;
    r->ev.depth++;
    r->ev.syntax = l->item_syntax;
    r->ev.header_at = l->item_header_at;
    r->ev.offset = l->item_at;
}

// --- Levels -------------------------------------------------------------------------------------

static uint64_t bound_here(const struct dicom_reader *r) {
    if (r->depth == 0)
        return NO_END;
    const struct level *l = &r->level[r->depth - 1];
    return l->in_item && l->item_end != NO_END ? l->item_end : l->bound;
}

static void leave_level(struct dicom_reader *r) {
    const struct level *l = &r->level[--r->depth];
    r->syntax = l->header_syntax;
    r->is_signed = l->is_signed;
    r->bound = bound_here(r);
    r->sniff = false;
}

static enum err end_item(struct dicom_reader *r) {
    struct level *l = &r->level[r->depth - 1];
    event_of_item(r, l);
    l->in_item = false;
    r->bound = bound_here(r);
    r->syntax = l->item_syntax;
    r->is_signed = l->is_signed;
    return emit(r, DICOM_EV_ITEM_END);
}

// `end`: where its last item ended.
static enum err end_sequence(struct dicom_reader *r, uint64_t end) {
    const struct level *l = &r->level[r->depth - 1];
    event_of_level(r, l);
    r->ev.total = end - l->value_at;
    enum dicom_event_kind kind = l->encapsulated ? DICOM_EV_ENCAPSULATED_END : DICOM_EV_SEQUENCE_END;
    leave_level(r);
    return emit(r, kind);
}

// Ends what ends here by its defined length.
static enum err close_levels(struct dicom_reader *r) {
    while (r->depth > 0) {
        const struct level *l = &r->level[r->depth - 1];
        enum err e;
        if (l->in_item && l->item_end == r->pos)
            e = end_item(r);
        else if (!l->in_item && l->end == r->pos)
            e = end_sequence(r, r->pos);
        else
            break;
        if (e != OK)
            return e;
    }
    return OK;
}

// UN of undefined length is a sequence in implicit little endian, whatever is around it (PS3.5 6.2.2 note 2).
static bool items_are_implicit(const struct header *h, enum dicom_syntax s) {
    if (s == DICOM_IMPLICIT_LE || (h->implicit && s == DICOM_EXPLICIT_LE))
        return true;
    return (h->vr == VR_UN || h->vr == VR_UNKNOWN) && h->length == DICOM_LENGTH_UNDEFINED;
}

static enum err begin_level(struct dicom_reader *r, const struct header *h, bool encapsulated) {
    if (r->depth >= (encapsulated ? DICOM_DEPTH_MAX + 1 : DICOM_DEPTH_MAX))
        return fail(r, ERR_DEPTH, "nested too deeply");
    struct level *l = &r->level[r->depth];
    *l = (struct level){.tag = h->tag, .length = h->length, .vr = h->vr, .code = {h->code[0], h->code[1]},
                        .encapsulated = encapsulated, .header_syntax = r->syntax, .is_signed = r->is_signed,
                        .header_at = r->ev.header_at, .value_at = r->pos, .end = NO_END, .bound = r->bound};
    l->item_syntax = items_are_implicit(h, r->syntax) ? DICOM_IMPLICIT_LE : r->syntax;
    l->sniff = l->item_syntax != r->syntax;
    if (h->length != DICOM_LENGTH_UNDEFINED)
        l->end = l->bound = r->pos + h->length;
    r->depth++;
    r->bound = l->bound;
    r->syntax = l->item_syntax;
    event_of_level(r, l);
    return emit(r, encapsulated ? DICOM_EV_ENCAPSULATED : DICOM_EV_SEQUENCE);
}

static enum err begin_item(struct dicom_reader *r, const struct header *h) {
    struct level *l = &r->level[r->depth - 1];
    if (l->item_count == UINT32_MAX)
        return fail(r, ERR_LIMIT, "too many items");
    l->item_count++;
    l->in_item = true;
    l->item_length = h->length;
    l->item_header_at = r->pos - h->bytes;
    l->item_at = r->pos;
    l->item_end = h->length == DICOM_LENGTH_UNDEFINED ? NO_END : r->pos + h->length;
    r->bound = bound_here(r);
    r->sniff = l->sniff || l->item_syntax != DICOM_IMPLICIT_LE;
    event_of_item(r, l);
    return emit(r, DICOM_EV_ITEM);
}

// --- Values -------------------------------------------------------------------------------------

static void note_pixel_representation(struct dicom_reader *r, struct slice v) {
    if (v.n >= 2)
        r->is_signed = header_u16(v.p, r->ev.syntax) == 1;
}

static enum err deliver(struct dicom_reader *r, struct slice v) {
    r->ev.value = v;
    if (r->ev.tag == TAG_PixelRepresentation && r->ev.kind == DICOM_EV_ELEMENT)
        note_pixel_representation(r, v);
    enum err e = emit(r, r->ev.kind);
    r->ev.value = slice_of(NULL, 0);
    r->is_value = false;
    return e;
}

// ev is set but for its kind; the value's bytes follow.
static enum err begin_value(struct dicom_reader *r, bool is_fragment, bool whole) {
    r->is_value = true;
    r->left = r->ev.length;
    if (!is_fragment)
        r->ev.kind = whole ? DICOM_EV_ELEMENT : DICOM_EV_BULK;
    else
        r->ev.kind = DICOM_EV_FRAGMENT;
    if (!whole) {
        enum err e = emit(r, r->ev.kind);
        if (e != OK)
            return e;
        r->state = r->left > 0 ? ST_PASS : ST_HEADER;
        r->is_value = r->left > 0;
        return OK;
    }
    if (r->left == 0)
        return deliver(r, slice_of(NULL, 0));
    r->state = ST_VALUE;
    buf_reset(&r->value);
    return OK;
}

static void event_of_header(struct dicom_reader *r, const struct header *h) {
    r->ev = (struct dicom_event){.vr = h->vr, .tag = h->tag, .length = h->length, .depth = r->depth,
                                 .syntax = h->implicit ? DICOM_IMPLICIT_LE : r->syntax,
                                 .vr_code = {h->code[0], h->code[1]},
                                 .header_at = r->pos - h->bytes, .offset = r->pos};
    // Values after a big endian header in implicit VR are big endian all the same.
    if (h->implicit && r->syntax == DICOM_EXPLICIT_BE)
        r->ev.syntax = DICOM_EXPLICIT_BE;
}

// --- Headers ------------------------------------------------------------------------------------

static bool fits(const struct dicom_reader *r, uint32_t length) {
    return r->bound == NO_END || length <= r->bound - r->pos;
}

// A delimiter where none belongs. With length 0 it does no harm and real files have them.
static enum err stray_delimiter(struct dicom_reader *r, const struct header *h) {
    if (h->length != 0 || h->tag == TAG_Item)
        return fail(r, ERR_SYNTAX, "an item or delimiter out of place");
    r->odd.stray_delimiters++;
    return OK;
}

static enum err on_fragment(struct dicom_reader *r, const struct header *h) {
    struct level *l = &r->level[r->depth - 1];
    if (h->length == DICOM_LENGTH_UNDEFINED || !fits(r, h->length))
        return fail(r, ERR_SYNTAX, "a fragment longer than what it is in");
    if (l->item_count == UINT32_MAX)
        return fail(r, ERR_LIMIT, "too many fragments");
    uint32_t index = l->item_count++;
    event_of_level(r, l);
    r->ev.item = index;
    r->ev.length = h->length;
    r->ev.header_at = r->pos - h->bytes;
    r->ev.offset = r->pos;
    return begin_value(r, true, index == 0 && h->length <= r->o.value_max);
}

// Inside a sequence, between its items.
static enum err on_sequence_header(struct dicom_reader *r, const struct header *h) {
    const struct level *l = &r->level[r->depth - 1];
    if (h->tag == TAG_Item) {
        if (l->encapsulated)
            return on_fragment(r, h);
        if (h->length != DICOM_LENGTH_UNDEFINED && !fits(r, h->length))
            return fail(r, ERR_SYNTAX, "an item longer than what it is in");
        return begin_item(r, h);
    }
    if (h->tag == TAG_SequenceDelimitationItem && l->end == NO_END && h->length == 0)
        return end_sequence(r, r->pos - h->bytes);
    if (h->tag == TAG_SequenceDelimitationItem || h->tag == TAG_ItemDelimitationItem)
        return stray_delimiter(r, h);
    return fail(r, ERR_SYNTAX, "no item where one must be");
}

static enum err on_delimiter(struct dicom_reader *r, const struct header *h) {
    const struct level *l = r->depth ? &r->level[r->depth - 1] : NULL;
    if (!l || l->item_end != NO_END || h->length != 0)
        return stray_delimiter(r, h);
    if (h->tag == TAG_ItemDelimitationItem)
        return end_item(r);
    if (h->tag != TAG_SequenceDelimitationItem || l->end != NO_END)
        return stray_delimiter(r, h);
    // The item's own delimiter is missing; its sequence ends, so it does too.
    r->odd.stray_delimiters++;
    enum err e = end_item(r);
    return e == OK ? end_sequence(r, r->pos - h->bytes) : e;
}

static enum err on_undefined_length(struct dicom_reader *r, const struct header *h) {
    bool is_implicit = r->syntax == DICOM_IMPLICIT_LE || h->implicit;
    if ((h->vr == VR_OB || h->vr == VR_OW) && (!is_implicit || h->tag == TAG_PixelData))
        return begin_level(r, h, true);
    if (h->vr == VR_SQ || h->vr == VR_UN || h->vr == VR_UNKNOWN || is_implicit)
        return begin_level(r, h, false);
    return fail(r, ERR_SYNTAX, "undefined length of what is no sequence");
}

static void note_element(struct dicom_reader *r, const struct header *h) {
    r->odd.unknown_vrs += h->odd_vr;
    r->odd.implicit_in_explicit += h->implicit;
    r->odd.odd_lengths += h->length != DICOM_LENGTH_UNDEFINED && (h->length & 1);
    if (r->depth > 0)
        return;
    r->odd.out_of_order += h->tag <= r->last_tag && r->last_tag != 0;
    r->odd.group_0002 |= tag_group(h->tag) == 0x0002;
    r->last_tag = h->tag;
}

// PS3.6 leaves the choice between US and SS to Pixel Representation (0028,0103).
static enum vr implicit_vr(const struct dicom_reader *r, uint32_t tag, enum vr vr) {
    if (vr != VR_US || !r->is_signed)
        return vr;
    const struct std_tag *t = std_tag_find(tag);
    bool either = t && (t->vr[0] == VR_SS || t->vr[1] == VR_SS || t->vr[2] == VR_SS);
    return either ? VR_SS : vr;
}

static enum err on_element(struct dicom_reader *r, struct header *h) {
    note_element(r, h);
    if (h->code[0] == 0)
        h->vr = implicit_vr(r, h->tag, h->vr);
    event_of_header(r, h);
    if (h->length == DICOM_LENGTH_UNDEFINED)
        return on_undefined_length(r, h);
    if (!fits(r, h->length))
        return fail(r, ERR_SYNTAX, "an element longer than what it is in");
    if (h->vr == VR_SQ)
        return begin_level(r, h, false);
    return begin_value(r, false, h->length <= r->o.value_max);
}

static enum err on_header(struct dicom_reader *r, struct header *h) {
    r->state = ST_HEADER;
    r->ev.tag = h->tag;
    enum err e;
    if (r->depth > 0 && !r->level[r->depth - 1].in_item)
        e = on_sequence_header(r, h);
    else if (tag_group(h->tag) == 0xFFFE)
        e = on_delimiter(r, h);
    else
        e = on_element(r, h);
    return e == OK && r->state == ST_HEADER ? close_levels(r) : e;
}

static bool is_zero(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != 0)
            return false;
    return true;
}

// The first header of a data set or item shows whether it is in the form declared. Later ones are taken
// as they come (header.c), but a length in implicit VR that happens to look like a VR would then be
// misread.
static void sniff(struct dicom_reader *r, const uint8_t *p, const struct header *h) {
    r->sniff = false;
    if (tag_group(h->tag) == 0xFFFE)
        return;
    enum dicom_syntax was = r->syntax;
    if (was == DICOM_IMPLICIT_LE && header_looks_explicit(p))
        r->syntax = DICOM_EXPLICIT_LE;
    else if (was == DICOM_EXPLICIT_LE && h->implicit)
        r->syntax = DICOM_IMPLICIT_LE;
    if (r->syntax == was)
        return;
    if (r->depth == 0)
        r->odd.wrong_syntax = true;
    else
        r->odd.implicit_in_explicit++;
}

// Decodes a header from n bytes. Returns how many it needs; done when that is no more than n.
static unsigned decode(struct dicom_reader *r, const uint8_t *p, size_t n, struct header *h) {
    if (n < HEADER_MIN)
        return HEADER_MIN;
    header_decode(p, n, r->syntax, h);
    if (r->sniff && (r->depth == 0 || r->level[r->depth - 1].in_item)) {
        sniff(r, p, h);
        header_decode(p, n, r->syntax, h);
    }
    return h->bytes;
}

static enum err take_header(struct dicom_reader *r, struct header *h) {
    if (h->bytes > r->bound - r->pos)
        return fail(r, ERR_SYNTAX, "a header reaches beyond what it is in");
    r->pos += h->bytes;
    return on_header(r, h);
}

static bool is_padding(const struct dicom_reader *r, const uint8_t *p, size_t n) {
    return r->depth == 0 && n >= HEADER_MIN && p[0] == 0 && is_zero(slice_of(p, HEADER_MIN));
}

// The header lies across slices: collect it.
static enum err collect_header(struct dicom_reader *r, struct slice *s) {
    struct header h = {0};
    unsigned need = r->head_n < HEADER_MIN ? HEADER_MIN : HEADER_MAX;
    while (r->head_n < need && s->n > 0) {
        r->head[r->head_n++] = *s->p;
        *s = slice_sub(*s, 1, s->n - 1);
    }
    if (r->head_n < need)
        return OK;
    if (is_padding(r, r->head, r->head_n)) {
        r->state = ST_PADDING;
        r->odd.trailing_bytes += r->head_n;
        r->pos += r->head_n;
        r->head_n = 0;
        return OK;
    }
    if (decode(r, r->head, r->head_n, &h) > r->head_n)
        return OK; // a long one: come again for the rest
    r->head_n = 0;
    return take_header(r, &h);
}

static enum err read_header(struct dicom_reader *r, struct slice *s) {
    struct header h = {0};
    if (r->head_n > 0 || s->n < HEADER_MAX || is_padding(r, s->p, s->n))
        return collect_header(r, s);
    unsigned n = decode(r, s->p, s->n, &h);
    *s = slice_sub(*s, n, s->n - n);
    return take_header(r, &h);
}

// --- Feeding ------------------------------------------------------------------------------------

static enum err value_done(struct dicom_reader *r) {
    r->state = ST_HEADER;
    r->is_value = false;
    return close_levels(r);
}

static enum err read_value(struct dicom_reader *r, struct slice *s) {
    size_t n = r->left < s->n ? (size_t)r->left : s->n;
    struct slice part = slice_sub(*s, 0, n);
    *s = slice_sub(*s, n, s->n - n);
    r->pos += n;
    r->left -= n;
    if (r->left == 0 && r->value.n == 0) { // whole in this slice: no copy
        enum err e = deliver(r, part);
        return e == OK ? value_done(r) : e;
    }
    buf_append_slice(&r->value, part);
    if (!buf_ok(&r->value))
        return fail(r, ERR_NO_MEMORY, "no memory for a value");
    if (r->left > 0)
        return OK;
    enum err e = deliver(r, buf_slice(&r->value));
    return e == OK ? value_done(r) : e;
}

static enum err pass_value(struct dicom_reader *r, struct slice *s) {
    size_t n = r->left < s->n ? (size_t)r->left : s->n;
    if (r->o.chunks && n > 0) {
        struct dicom_event was = r->ev;
        r->ev.offset = r->pos;
        r->ev.value = slice_sub(*s, 0, n);
        enum err e = emit(r, DICOM_EV_CHUNK);
        if (e != OK)
            return e;
        r->ev = was;
    }
    *s = slice_sub(*s, n, s->n - n);
    r->pos += n;
    r->left -= n;
    return r->left == 0 ? value_done(r) : OK;
}

static enum err read_padding(struct dicom_reader *r, struct slice *s) {
    if (!is_zero(*s))
        return fail(r, ERR_SYNTAX, "something after the zeros that end the data set");
    r->odd.trailing_bytes += s->n;
    r->pos += s->n;
    *s = slice_of(NULL, 0);
    return OK;
}

static enum err step(struct dicom_reader *r, struct slice *s) {
    switch (r->state) {
    case ST_HEADER: return read_header(r, s);
    case ST_VALUE: return read_value(r, s);
    case ST_PASS: return pass_value(r, s);
    case ST_PADDING: return read_padding(r, s);
    case ST_DONE: break;
    }
    bug("fed after the end");
}

static enum err feed_plain(void *reader, struct slice s, struct fault *f) {
    (void)f; // told by the caller
    struct dicom_reader *r = reader;
    while (s.n > 0) {
        enum err e = step(r, &s);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err tell(struct dicom_reader *r, enum err e, struct fault *f) {
    if (e == OK)
        return OK;
    r->err = e;
    return fault_set(f, e, "%s", r->fault.detail);
}

enum err dicom_reader_feed(struct dicom_reader *r, struct slice bytes, struct fault *f) {
    if (r->err != OK)
        return tell(r, r->err, f);
    if (r->o.deflated)
        return tell(r, inflater_feed(r->inflater, bytes, feed_plain, r, &r->fault), f);
    return tell(r, feed_plain(r, bytes, f), f);
}

static enum err finish(struct dicom_reader *r) {
    if (r->o.deflated) {
        if (!inflater_ended(r->inflater))
            return fail(r, ERR_TRUNCATED, "the deflated data set is cut off");
        r->odd.trailing_bytes += inflater_trailing(r->inflater);
    }
    if (r->state == ST_PASS && r->left == 0) { // skipped up to the very end
        enum err e = value_done(r);
        if (e != OK)
            return e;
    }
    bool zeros = r->depth == 0 && is_zero(slice_of(r->head, r->head_n));
    if (r->state == ST_VALUE || r->state == ST_PASS)
        return fail(r, ERR_TRUNCATED, "the data set ends inside a value");
    if (r->state == ST_HEADER && (r->depth > 0 || !zeros))
        return fail(r, ERR_TRUNCATED, "the data set ends inside a sequence or header");
    r->odd.trailing_bytes += r->head_n;
    r->state = ST_DONE;
    r->ev = (struct dicom_event){.syntax = r->syntax, .header_at = r->pos, .offset = r->pos};
    return emit(r, DICOM_EV_END);
}

enum err dicom_reader_finish(struct dicom_reader *r, struct fault *f) {
    return tell(r, r->err != OK ? r->err : finish(r), f);
}

enum err dicom_read(const struct dicom_reader_options *o, struct slice bytes, dicom_event_fn *fn, void *ctx,
                    struct fault *f) {
    struct dicom_reader *r = dicom_reader_new(o, fn, ctx);
    if (!r)
        return fault_set(f, ERR_NO_MEMORY, "for a reader");
    enum err e = dicom_reader_feed(r, bytes, f);
    if (e == OK)
        e = dicom_reader_finish(r, f);
    dicom_reader_free(r);
    return e;
}

uint64_t dicom_reader_skippable(const struct dicom_reader *r) {
    bool can = r->err == OK && r->state == ST_PASS && !r->o.chunks && !r->o.deflated;
    return can ? r->left : 0;
}

void dicom_reader_skip(struct dicom_reader *r, uint64_t n) {
    bug_unless(n <= dicom_reader_skippable(r));
    r->pos += n;
    r->left -= n;
}

const struct dicom_oddities *dicom_reader_oddities(const struct dicom_reader *r) {
    return &r->odd;
}

void dicom_swap(enum vr vr, uint8_t *p, size_t n) {
    size_t unit = std_vr_info(vr)->swap_bytes;
    if (unit < 2)
        return;
    for (; n >= unit; p += unit, n -= unit)
        for (size_t i = 0; i < unit / 2; i++) {
            uint8_t c = p[i];
            p[i] = p[unit - 1 - i];
            p[unit - 1 - i] = c;
        }
}
