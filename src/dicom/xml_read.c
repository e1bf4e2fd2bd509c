#include "dicom/xml_read.h"

#include <expat.h>

#include "base/hex.h"
#include "dicom/model_build.h"
#include "std/tag.h"

enum {
    GAP_MAX = 1024, // values that a number may leave out
    PLACES_MAX = 3 * DICOM_DEPTH_MAX + 8,
    SCANNED_MAX = 1 << 24, // elements looked at for private creators
};

// Where in the document: what an element is.
enum place {
    IN_DOCUMENT,
    IN_MODEL,
    IN_ATTRIBUTE,
    IN_ITEM,
    IN_VALUE,
    IN_BINARY,
    IN_BULK,
    IN_NAME,
    IN_GROUP, // Alphabetic, Ideographic, Phonetic
    IN_PART,  // FamilyName …
};

static const struct {
    enum place in, place;
    const char *name;
    uint8_t index; // of a group or part of a name
    bool text;     // holds text
} elements[] = {
    {IN_DOCUMENT, IN_MODEL, "NativeDicomModel", 0, false},
    {IN_MODEL, IN_ATTRIBUTE, "DicomAttribute", 0, false},
    {IN_ITEM, IN_ATTRIBUTE, "DicomAttribute", 0, false},
    {IN_ATTRIBUTE, IN_VALUE, "Value", 0, true},
    {IN_ATTRIBUTE, IN_ITEM, "Item", 0, false},
    {IN_ATTRIBUTE, IN_NAME, "PersonName", 0, false},
    {IN_ATTRIBUTE, IN_BINARY, "InlineBinary", 0, true},
    {IN_ATTRIBUTE, IN_BULK, "BulkData", 0, false},
    {IN_NAME, IN_GROUP, "Alphabetic", 0, false},
    {IN_NAME, IN_GROUP, "Ideographic", 1, false},
    {IN_NAME, IN_GROUP, "Phonetic", 2, false},
    {IN_GROUP, IN_PART, "FamilyName", 0, true},
    {IN_GROUP, IN_PART, "GivenName", 1, true},
    {IN_GROUP, IN_PART, "MiddleName", 2, true},
    {IN_GROUP, IN_PART, "NamePrefix", 3, true},
    {IN_GROUP, IN_PART, "NameSuffix", 4, true},
};
enum { ELEMENTS = sizeof elements / sizeof *elements };

struct level {
    const char *holds; // of an attribute: the name of what is in it so far
    uint32_t item;     // of an attribute: items so far
};

struct reading {
    XML_Parser parser;
    struct fault *f;
    enum err err;
    struct model_build build;
    struct buf text, name;
    size_t depth;
    uint8_t row[PLACES_MAX]; // of `elements`, for each that is open
    struct level level[DICOM_DEPTH_MAX + 2];
    unsigned next_group, next_part; // of the name under way
    size_t scanned;
};

static void stop(struct reading *r, enum err e) {
    if (e == OK || r->err != OK)
        return;
    r->err = e;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static enum err wrong(struct reading *r, const char *why) {
    return model_wrong(&r->build, ERR_SYNTAX, why);
}

static enum place place_of(const struct reading *r) {
    return r->depth ? elements[r->row[r->depth - 1]].place : IN_DOCUMENT;
}

// Without the namespace of the model. Others are left, and unknown.
static const char *local_name(const char *name) {
    static const char ns[] = "http://dicom.nema.org/PS3.19/models/NativeDICOM|";
    return strncmp(name, ns, sizeof ns - 1) == 0 ? name + sizeof ns - 1 : name;
}

// --- XML attributes -----------------------------------------------------------------------------

struct given {
    const char *tag, *vr, *creator, *number, *uri;
};

static enum err take_given(struct reading *r, enum place place, const char **atts, struct given *g) {
    static const char space[] = "http://www.w3.org/XML/1998/namespace|space", *ignored;
    const struct {
        enum place place;
        const char *name, **value;
    } known[] = {{IN_ATTRIBUTE, "tag", &g->tag},
                 {IN_ATTRIBUTE, "vr", &g->vr},
                 {IN_ATTRIBUTE, "keyword", &ignored},
                 {IN_ATTRIBUTE, "privateCreator", &g->creator},
                 {IN_VALUE, "number", &g->number},
                 {IN_ITEM, "number", &g->number},
                 {IN_NAME, "number", &g->number},
                 {IN_BULK, "uri", &g->uri},
                 {place, space, &ignored}};
    enum { KNOWN = sizeof known / sizeof *known };
    *g = (struct given){.tag = NULL};
    for (; *atts; atts += 2) {
        size_t i = 0;
        while (i < KNOWN && (known[i].place != place || strcmp(known[i].name, atts[0]) != 0))
            i++;
        if (i == KNOWN)
            return wrong(r, "an unknown XML attribute");
        *known[i].value = atts[1];
    }
    return OK;
}

// --- Private attributes -------------------------------------------------------------------------

static struct dicom_element *pending(const struct reading *r, size_t *ret_count) {
    const struct model_build *b = &r->build;
    size_t first = b->level[b->depth].first;
    *ret_count = b->pending.n / sizeof(struct dicom_element) - first;
    return (struct dicom_element *)(void *)b->pending.p + first;
}

static enum err reserve_block(struct reading *r, uint32_t tag, struct slice creator) {
    enum err e = model_element(&r->build, tag, VR_LO);
    if (e == OK)
        e = model_text(&r->build, creator);
    return e == OK ? model_element_end(&r->build) : e;
}

// The block of the creator in this set; *ret_is_new: it is free, to be reserved. False: there is none left.
static bool find_block(struct reading *r, uint16_t group, struct slice creator, uint32_t *ret_block,
                       bool *ret_is_new) {
    uint64_t used[4] = {0};
    size_t n;
    const struct dicom_element *e = pending(r, &n);
    r->scanned += n;
    *ret_is_new = false;
    for (size_t i = n; i-- > 0;) {
        if (tag_group(e[i].tag) != group || !tag_is_private_creator(e[i].tag))
            continue;
        *ret_block = e[i].tag & 0xFF;
        if (slice_eq(slice_trim(e[i].value, " "), creator))
            return true;
        used[*ret_block / 64] |= (uint64_t)1 << *ret_block % 64;
    }
    *ret_is_new = true;
    for (*ret_block = 0x10; *ret_block < 0x100; ++*ret_block)
        if (!(used[*ret_block / 64] >> *ret_block % 64 & 1))
            return true;
    return false;
}

static enum err resolve_private(struct reading *r, const char *name, uint32_t *tag) {
    struct slice creator = slice_trim(slice_str(name), " ");
    uint32_t block = tag_element(*tag) >> 8, reserved = (*tag & 0xFFFF0000u), found;
    bool is_new;
    if (!tag_is_private(*tag) || creator.n == 0 || (block > 0 && block < 0x10))
        return wrong(r, "a private creator where there is none");
    if (!find_block(r, tag_group(*tag), creator, &found, &is_new))
        return model_wrong(&r->build, ERR_LIMIT, "too many private creators");
    if (r->scanned > SCANNED_MAX)
        return model_wrong(&r->build, ERR_LIMIT, "too many private attributes");
    if (block == 0 || !is_new)
        block = found;
    *tag = reserved | block << 8 | (*tag & 0xFF);
    return is_new ? reserve_block(r, reserved | block, creator) : OK;
}

// --- Beginnings ---------------------------------------------------------------------------------

static enum err begin_attribute(struct reading *r, const struct given *g) {
    uint32_t tag;
    if (!g->tag || !hex_u32(slice_str(g->tag), &tag))
        return wrong(r, "a DicomAttribute without a tag of 8 hexadecimal digits");
    enum err e = OK;
    if (g->creator)
        e = resolve_private(r, g->creator, &tag);
    if (e == OK)
        e = model_element(&r->build, tag, VR_UN);
    if (e == OK && !g->vr)
        return wrong(r, "no vr");
    if (e == OK)
        e = model_element(&r->build, tag,
                          strlen(g->vr) == 2 ? std_vr_from_code((uint8_t)g->vr[0], (uint8_t)g->vr[1])
                                             : VR_UNKNOWN);
    r->level[r->build.depth] = (struct level){NULL, 0};
    return e;
}

// The number of a value or item; those that it leaves out are empty.
static enum err take_number(struct reading *r, const char *number, size_t so_far, size_t gap_max) {
    uint64_t n = so_far + 1;
    if (number && !slice_to_u64(slice_str(number), UINT32_MAX, &n))
        return wrong(r, "a number that is none");
    if (n <= so_far || n - so_far - 1 > gap_max)
        return wrong(r, "a number out of order");
    enum err e = OK;
    for (; e == OK && so_far + 1 < n; so_far++)
        e = model_null(&r->build);
    return e;
}

static enum err begin_item(struct reading *r, const struct given *g) {
    struct level *l = &r->level[r->build.depth];
    if (r->build.element.vr != VR_SQ)
        return wrong(r, "an Item where this VR has none");
    enum err e = take_number(r, g->number, l->item++, 0);
    return e == OK ? model_item(&r->build) : e;
}

static enum err begin_name(struct reading *r, const struct given *g) {
    r->next_group = 0;
    enum err e = take_number(r, g->number, r->build.values, GAP_MAX);
    return e == OK ? model_pn(&r->build) : e;
}

// Groups and their parts come in their order, each once at most.
static enum err begin_part(struct reading *r, unsigned index, unsigned *next) {
    if (index < *next)
        return wrong(r, "a part of a person name out of order");
    *next = index + 1;
    return OK;
}

static enum err begin(struct reading *r, size_t row, const struct given *g) {
    enum err e = OK;
    switch (elements[row].place) {
    case IN_ATTRIBUTE:
        e = begin_attribute(r, g);
        break;
    case IN_ITEM:
        e = begin_item(r, g);
        break;
    case IN_VALUE:
        e = take_number(r, g->number, r->build.values, GAP_MAX);
        break;
    case IN_NAME:
        e = begin_name(r, g);
        break;
    case IN_GROUP:
        e = begin_part(r, elements[row].index, &r->next_group);
        r->next_part = 0;
        buf_reset(&r->name);
        break;
    case IN_PART:
        e = begin_part(r, elements[row].index, &r->next_part);
        break;
    case IN_BULK:
        e = model_uri(&r->build, slice_str(g->uri ? g->uri : ""));
        break;
    case IN_DOCUMENT:
    case IN_MODEL:
    case IN_BINARY:
        break;
    }
    return e;
}

// An attribute holds Values, or Items, or PersonNames, or one InlineBinary, or one BulkData.
static enum err check_holds(struct reading *r, size_t row) {
    struct level *l = &r->level[r->build.depth];
    bool one = elements[row].place == IN_BINARY || elements[row].place == IN_BULK;
    if (l->holds && (one || l->holds != elements[row].name))
        return wrong(r, "an attribute with more than one kind of value");
    l->holds = elements[row].name;
    return OK;
}

static enum err start(struct reading *r, const char *name, const char **atts) {
    size_t row = 0;
    struct given g;
    while (row < ELEMENTS && (elements[row].in != place_of(r) || strcmp(elements[row].name, name) != 0))
        row++;
    if (row == ELEMENTS)
        return wrong(r, "an XML element that has no place here");
    if (r->depth == PLACES_MAX)
        return model_wrong(&r->build, ERR_DEPTH, "nested too deeply");
    enum err e = take_given(r, elements[row].place, atts, &g);
    if (e == OK && place_of(r) == IN_ATTRIBUTE)
        e = check_holds(r, row);
    if (e == OK)
        e = begin(r, row, &g);
    r->row[r->depth++] = (uint8_t)row;
    buf_reset(&r->text);
    return e;
}

// --- Ends ---------------------------------------------------------------------------------------

static enum err end_binary(struct reading *r) {
    size_t to = 0;
    for (size_t i = 0; i < r->text.n; i++)
        if (!strchr(" \t\r\n", r->text.p[i]) || r->text.p[i] == 0)
            r->text.p[to++] = r->text.p[i];
    r->text.n = to;
    return model_binary(&r->build, buf_slice(&r->text));
}

static enum err end_part(struct reading *r, unsigned index) {
    struct slice s = buf_slice(&r->text);
    bool last = index == 4; // takes what the standard has no name for
    if (!last && s.n > 0 && memchr(s.p, '^', s.n))
        return wrong(r, "a '^' in a part of a person name");
    size_t carets = 0;
    for (size_t i = 0; i < r->name.n; i++)
        carets += r->name.p[i] == '^';
    for (; s.n > 0 && carets < index; carets++)
        buf_u8(&r->name, '^');
    buf_append_slice(&r->name, s);
    return OK;
}

static enum err end(struct reading *r, size_t row) {
    switch (elements[row].place) {
    case IN_ATTRIBUTE:
        return model_element_end(&r->build);
    case IN_ITEM:
        return model_item_end(&r->build);
    case IN_VALUE:
        return r->text.n ? model_text(&r->build, buf_slice(&r->text)) : model_null(&r->build);
    case IN_BINARY:
        return end_binary(r);
    case IN_GROUP:
        return model_pn_group(&r->build, elements[row].index, buf_slice(&r->name));
    case IN_PART:
        return end_part(r, elements[row].index);
    case IN_DOCUMENT:
    case IN_MODEL:
    case IN_NAME:
    case IN_BULK:
        break;
    }
    return OK;
}

// --- expat --------------------------------------------------------------------------------------

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **atts) {
    struct reading *r = ctx;
    if (r->err == OK)
        stop(r, start(r, local_name(name), atts));
}

static void XMLCALL on_end(void *ctx, const XML_Char *name) {
    (void)name;
    struct reading *r = ctx;
    if (r->err != OK)
        return;
    enum err e = end(r, r->row[r->depth - 1]);
    if (e == OK && !(buf_ok(&r->text) && buf_ok(&r->name)))
        e = model_wrong(&r->build, ERR_NO_MEMORY, "for a value");
    r->depth--;
    buf_reset(&r->text);
    stop(r, e);
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int n) {
    struct reading *r = ctx;
    struct slice text = slice_of(s, (size_t)n);
    if (r->err != OK)
        return;
    if (r->depth > 0 && elements[r->row[r->depth - 1]].text)
        buf_append_slice(&r->text, text);
    else if (slice_trim(text, " \t\r\n").n > 0)
        stop(r, wrong(r, "text that has no place here"));
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid,
                               int has_internal_subset) {
    (void)name, (void)sysid, (void)pubid, (void)has_internal_subset;
    struct reading *r = ctx;
    stop(r, fault_set(r->f, ERR_SYNTAX, "XML with a document type declaration"));
}

static enum err parse(struct reading *r, struct slice text) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status s = XML_Parse(r->parser, (const char *)text.p, (int)text.n, XML_TRUE);
    if (r->err != OK)
        return r->err;
    if (s == XML_STATUS_OK)
        return OK;
    enum XML_Error code = XML_GetErrorCode(r->parser);
    return fault_set(r->f, code == XML_ERROR_NO_MEMORY ? ERR_NO_MEMORY : ERR_SYNTAX, "XML, line %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(r->parser), XML_ErrorString(code));
}

static enum err read_text(struct reading *r, struct slice text, struct arena *a,
                          struct dicom_model *ret_model) {
    r->parser = XML_ParserCreateNS("UTF-8", '|');
    if (!r->parser)
        return fault_set(r->f, ERR_NO_MEMORY, "for an XML parser");
    enum err e = model_begin(&r->build, a, r->f);
    if (e == OK)
        e = parse(r, text);
    XML_ParserFree(r->parser);
    return e == OK ? model_end(&r->build, ret_model) : e;
}

enum err dicom_xml_read(struct slice text, struct arena *a, struct fault *f, struct dicom_model *ret_model) {
    struct reading r = {
        .f = f, .text = BUF_INIT(DICOM_MODEL_TEXT_MAX), .name = BUF_INIT(DICOM_MODEL_TEXT_MAX)};
    if (text.n > DICOM_MODEL_TEXT_MAX)
        return fault_set(f, ERR_LIMIT, "XML longer than %d bytes", DICOM_MODEL_TEXT_MAX);
    model_init(&r.build);
    enum err e = read_text(&r, text, a, ret_model);
    model_fini(&r.build);
    buf_fini(&r.text);
    buf_fini(&r.name);
    return e;
}
