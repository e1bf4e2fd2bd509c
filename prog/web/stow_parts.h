// Storing Part 10 objects as they arrive: PS3.18 10.5, application/dicom.
#ifndef WEB_STOW_PARTS_H
#define WEB_STOW_PARTS_H

#include "dicom/part10.h"
#include "stow.h"

// One object on its way in: first the head of the file is gathered, then the data set goes straight on.
struct stow_part {
    struct stow *s;
    struct buf head;
    struct dicom_meta meta;
    struct incoming in;
    bool begun; // the head is read
    enum err error;
};

void stow_part_begin(struct stow_part *p, struct stow *s);
void stow_part_take(struct stow_part *p, struct slice bytes);
void stow_part_end(struct stow_part *p);   // stored, or failed and reported
void stow_part_abort(struct stow_part *p); // the rest will not come
void stow_part_free(struct stow_part *p);

#endif
