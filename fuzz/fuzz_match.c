// A key and a stored value: a first line with the VR and policy digits ("PN3"), a second with the key, then
// the value. Worker and index must give the same answer.
#include "fuzz.h"

#include "dicom/match.h"

static bool by_normal(const struct dicom_match *m, struct slice value, bool *ret_valid) {
    struct buf b = BUF_INIT(1 << 20);
    *ret_valid = dicom_match_normalise(m->vr, value, DICOM_ZONE_UNKNOWN, &b) && buf_ok(&b);
    bool multi = std_vr_info(m->vr)->multi || std_vr_info(m->vr)->class_ == VR_CLASS_NUMBER;
    bool any = false;
    struct slice rest = buf_slice(&b);
    do {
        struct slice one = rest;
        if (multi)
            one = slice_split(rest, '\\', &rest);
        else
            rest.p = NULL;
        any |= dicom_match_normal(m, one);
    } while (rest.p);
    buf_fini(&b);
    return any;
}

static void check_operands(const struct dicom_match *m) {
    FUZZ_CHECK(m->count <= DICOM_MATCH_MAX_OPERANDS);
    FUZZ_CHECK((m->kind == DICOM_MATCH_UNIVERSAL || m->kind == DICOM_MATCH_EMPTY) == (m->count == 0));
    FUZZ_CHECK(m->kind != DICOM_MATCH_SINGLE || m->count == 1);
    FUZZ_CHECK(m->kind != DICOM_MATCH_RANGE || m->count % 2 == 0);
    for (size_t i = 0; i < m->count; i++)
        FUZZ_CHECK(m->operands[i].n <= DICOM_MATCH_MAX_OPERAND_BYTES);
}

static void check_value(const struct dicom_match *m, struct slice value) {
    struct buf text = BUF_INIT(3 * value.n);
    if (std_vr_info(m->vr)->class_ == VR_CLASS_STRING) {
        (void)dicom_charset_decode(&dicom_charset_utf8, m->vr, value, &text);
        value = buf_slice(&text);
    }
    bool valid, answer = dicom_match_value(m, value, DICOM_ZONE_UNKNOWN);
    bool index = by_normal(m, value, &valid);
    if (m->kind != DICOM_MATCH_ALL && m->kind != DICOM_MATCH_EMPTY && valid)
        FUZZ_CHECK(answer == index);
    buf_fini(&text);
}

static void check_pair(enum vr vr, unsigned bits, struct slice key, struct slice value) {
    struct arena a = ARENA_INIT(4 << 20);
    struct dicom_match_policy policy = {bits & 1, bits & 2, bits & 4 ? -300 : DICOM_ZONE_UNKNOWN,
                                        bits & 8 ? 60 : DICOM_ZONE_UNKNOWN};
    struct dicom_match m;
    struct fault f = {OK, {0}};
    enum err e = dicom_match_parse(&m, 0x00080008, vr, key, &dicom_charset_utf8, &policy, &a, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    if (e == OK) {
        check_operands(&m);
        check_value(&m, value);
    }
    struct dicom_match both;
    if (dicom_match_combine(key, value, &policy, &a, &both))
        check_operands(&both);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    FUZZ_CHECK(dicom_charset_preload(NULL) == OK);
    struct slice rest = slice_of(data, n);
    struct slice head = slice_split(rest, '\n', &rest);
    struct slice key = rest.p ? slice_split(rest, '\n', &rest) : rest;
    if (head.n < 2)
        return 0;
    unsigned bits = head.n > 2 ? head.p[2] & 15u : 0;
    check_pair(std_vr_from_code(head.p[0], head.p[1]), bits, key, rest);
    return 0;
}
