#include "dicom/pn.h"

#include "base/fold.h"

void dicom_pn_normalise(struct slice utf8, struct buf *out) {
    fold_name_tidy(utf8, out);
}

void dicom_pn_fold(struct slice utf8, struct buf *out) {
    fold_name(utf8, out);
}

void dicom_text_fold(struct slice utf8, struct buf *out) {
    fold_text(utf8, out);
}

static struct slice trim_group(struct slice s) {
    return slice_trim_right(slice_trim(s, " "), " ^");
}

void dicom_pn_split(struct slice utf8, struct dicom_pn *ret_pn) {
    *ret_pn = (struct dicom_pn){0};
    struct slice rest = utf8;
    for (int g = 0; g < DICOM_PN_GROUPS && rest.p; g++) {
        struct slice s = trim_group(slice_split(rest, '=', &rest));
        ret_pn->group[g] = s;
        for (int c = 0; c < DICOM_PN_COMPONENTS - 1 && s.p; c++)
            ret_pn->part[g][c] = slice_trim(slice_split(s, '^', &s), " ");
        if (s.p) {
            ret_pn->part[g][DICOM_PN_COMPONENTS - 1] = slice_trim(s, " ");
            ret_pn->excess |= memchr(s.p, '^', s.n) != NULL;
        }
    }
    ret_pn->excess |= rest.p != NULL;
}
