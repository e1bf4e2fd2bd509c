#include "file_source.h"

#include "std/tag.h"

#include <errno.h>
#include <unistd.h>

static ssize_t read_fd(struct source *s, void *p, size_t n, struct fault *f) {
    for (;;) {
        ssize_t got = read(s->fd, p, n);
        if (got >= 0)
            return got;
        if (errno != EINTR) {
            fault_errno(f, "reading");
            return -1;
        }
    }
}

struct source source_of_fd(int fd) {
    lseek(fd, 0, SEEK_SET);
    return (struct source){.read = read_fd, .fd = fd};
}

static enum err fill_head(struct source *s, struct object_head *h, struct fault *f) {
    h->n = 0;
    h->whole = false;
    while (h->n < SOURCE_HEAD_BYTES) {
        ssize_t got = s->read(s, h->bytes + h->n, SOURCE_HEAD_BYTES - h->n, f);
        if (got < 0)
            return f->code;
        if (got == 0) {
            h->whole = true;
            break;
        }
        h->n += (size_t)got;
    }
    return OK;
}

// Takes class and instance from the data set; they come early, so the reading is ended after them.
static enum err on_event(void *ctx, const struct dicom_event *ev, struct fault *f) {
    struct object_head *h = ctx;
    if (ev->depth == 0 && ev->tag > TAG_SOPInstanceUID)
        return fault_set(f, ERR_CANCELLED, "seen enough");
    if (ev->depth != 0 || ev->kind != DICOM_EV_ELEMENT)
        return OK;
    char *into = ev->tag == TAG_SOPClassUID      ? h->sop_class
                 : ev->tag == TAG_SOPInstanceUID ? h->sop_instance
                                                 : NULL;
    struct slice uid = uid_trim(ev->value);
    if (into && uid_tolerable(uid))
        (void)slice_to_cstr(uid, into, UID_MAX + 1);
    return OK;
}

// The data set's own UIDs count: the archive compares the request with them.
static enum err find_uids(struct object_head *h, struct fault *f) {
    struct dicom_reader_options o = {0};
    struct fault ignored = {0}; // a damaged data set is the archive's to judge
    enum err e = dicom_meta_reader_options(&h->meta, &o, f);
    if (e != OK)
        return e;
    struct dicom_reader *r = dicom_reader_new(&o, on_event, h);
    if (!r)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    size_t from = h->meta.data_set_offset < h->n ? (size_t)h->meta.data_set_offset : h->n;
    (void)dicom_reader_feed(r, slice_sub(slice_of(h->bytes, h->n), from, h->n), &ignored);
    dicom_reader_free(r);
    if (!h->sop_class[0])
        memcpy(h->sop_class, h->meta.sop_class, sizeof h->sop_class);
    if (!h->sop_instance[0])
        memcpy(h->sop_instance, h->meta.sop_instance, sizeof h->sop_instance);
    return OK;
}

enum err source_read_head(struct source *s, struct object_head *h, struct fault *f) {
    h->sop_class[0] = h->sop_instance[0] = '\0';
    enum err e = fill_head(s, h, f);
    if (e == OK)
        e = dicom_meta_parse(slice_of(h->bytes, h->n), true, &h->meta, f);
    if (e == OK)
        e = find_uids(h, f);
    if (e == OK && !h->sop_class[0] && h->meta.guessed)
        e = fault_set(f, ERR_SYNTAX, "is not a DICOM file");
    return e;
}

bool source_is_zip(const struct object_head *h) {
    static const uint8_t local[4] = {'P', 'K', 3, 4}, empty[4] = {'P', 'K', 5, 6};
    return h->n >= 4 && (memcmp(h->bytes, local, 4) == 0 || memcmp(h->bytes, empty, 4) == 0);
}
