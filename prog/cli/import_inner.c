#include "import_inner.h"

#include "file_source.h"
#include "halves.h"
#include "scu.h"
#include "zip_source.h"

#include "dicom/dataset.h"
#include "os/clock.h"
#include "os/fd.h"
#include "std/status.h"
#include "std/tag.h"
#include "std/uid.h"

#include <stdio.h>
#include <stdlib.h>

// What one association proposes: one (class, transfer syntax) a presentation context.
enum { PAIRS_MAX = UL_CONTEXTS_MAX, PIECE_BYTES = 128 * 1024 };

struct pair {
    char sop_class[UID_MAX + 1], transfer[UID_MAX + 1];
};

struct batch_file {
    int fd;
    uint32_t index;
    bool named;
};

struct inner {
    int channel;
    const char *called;
    struct scu *scu;
    struct pair wanted[PAIRS_MAX]; // by this batch
    size_t wanted_count;
    struct pair proposed[PAIRS_MAX]; // by the association that is open
    size_t proposed_count;
    struct batch_file files[IMPORT_BATCH];
    size_t file_count;
    struct object_head head;
    uint8_t piece[PIECE_BYTES];
};

static enum err say(struct inner *in, enum report_kind kind, uint32_t index, enum outcome o,
                    const char *text) {
    struct report r = {.kind = kind, .index = index, .outcome = o};
    snprintf(r.text, sizeof r.text, "%s", text);
    return report_send(in->channel, &r, NULL);
}

static void say_at(struct inner *in, uint32_t index, bool storing) {
    (void)report_send(in->channel,
                      &(struct report){.kind = REPORT_AT, .index = index, .series = storing}, NULL);
}

// The result for one object; a member of a ZIP is named as well.
static void say_result(struct inner *in, uint32_t index, const char *member, enum outcome o,
                       const char *why) {
    char text[HALVES_TEXT_MAX];
    snprintf(text, sizeof text, "%s%s%s", member ? member : "", member && why[0] ? ": " : "", why);
    (void)say(in, REPORT_RESULT, index, o, text);
}

static bool has_pair(const struct pair *v, size_t n, const struct object_head *h) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].sop_class, h->sop_class) == 0 &&
            strcmp(v[i].transfer, h->meta.transfer_syntax) == 0)
            return true;
    return false;
}

static bool can_be_proposed(const struct object_head *h) {
    return h->sop_class[0] && h->sop_instance[0] && uid_tolerable(slice_str(h->meta.transfer_syntax));
}

static void want_pair(struct inner *in, const struct object_head *h) {
    if (!can_be_proposed(h) || in->wanted_count >= PAIRS_MAX ||
        has_pair(in->wanted, in->wanted_count, h))
        return;
    struct pair *p = &in->wanted[in->wanted_count++];
    memcpy(p->sop_class, h->sop_class, sizeof p->sop_class);
    memcpy(p->transfer, h->meta.transfer_syntax, sizeof p->transfer);
}

// One context for each pair, with that transfer syntax alone: what is stored is what the file has.
static bool put_contexts(const struct inner *in, struct arena *arena, struct ul_associate *rq) {
    size_t n = in->wanted_count;
    rq->contexts = arena_calloc(arena, n, sizeof *rq->contexts);
    struct slice *transfers = arena_calloc(arena, n, sizeof *transfers);
    for (size_t i = 0; rq->contexts && transfers && i < n; i++) {
        transfers[i] = slice_str(in->wanted[i].transfer);
        rq->contexts[i] = (struct ul_context){.id = (uint8_t)(2 * i + 1),
                                              .abstract = slice_str(in->wanted[i].sop_class),
                                              .transfers = &transfers[i],
                                              .transfer_count = 1};
    }
    rq->context_count = n;
    return rq->contexts && transfers;
}

static enum err propose(struct inner *in, int take_fd, struct fault *f) {
    struct arena arena = ARENA_INIT(UL_ARENA_BYTES_MAX);
    struct ul_associate rq;
    enum err e;
    ul_associate_init(&rq, SCU_AE_TITLE, in->called);
    if (put_contexts(in, &arena, &rq)) {
        e = scu_open(take_fd, &rq, &in->scu, f);
    } else {
        os_fd_close(&take_fd);
        e = fault_set(f, ERR_NO_MEMORY, "not enough memory");
    }
    arena_fini(&arena);
    memcpy(in->proposed, in->wanted, sizeof in->proposed);
    in->proposed_count = e == OK ? in->wanted_count : 0;
    return e;
}

// An association that proposed what this object needs: the one that is open, or a new one.
static enum err associate_for(struct inner *in, const struct object_head *h, struct fault *f) {
    if (in->scu && ul_assoc_established(scu_assoc(in->scu)) &&
        has_pair(in->proposed, in->proposed_count, h))
        return OK;
    scu_close(in->scu);
    in->scu = NULL;
    if (!has_pair(in->wanted, in->wanted_count, h)) {
        in->wanted_count = 0; // the batch wants more than fits: begin again from here
        want_pair(in, h);
    }
    int fd = -1;
    enum err e = halves_ask_fd(in->channel, &(struct report){.kind = REPORT_CONNECT}, &fd, f);
    return e == OK ? propose(in, fd, f) : e;
}

static enum err send_object(struct inner *in, struct source *s, uint8_t context, struct fault *f) {
    const struct object_head *h = &in->head;
    struct dimse_command c = {.field = DIMSE_C_STORE_RQ,
                              .has = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_PRIORITY,
                              .message_id = scu_next_id(in->scu),
                              .priority = DIMSE_PRIORITY_MEDIUM,
                              .data_set_type = DIMSE_DATA_SET};
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_CLASS, slice_str(h->sop_class));
    dimse_command_set_uid(&c, DIMSE_HAS_AFFECTED_INSTANCE, slice_str(h->sop_instance));
    enum err e = scu_send_command(in->scu, context, &c, f);
    size_t from = h->meta.data_set_offset < h->n ? (size_t)h->meta.data_set_offset : h->n;
    if (e == OK)
        e = scu_send_piece(in->scu, context, slice_sub(slice_of(h->bytes, h->n), from, h->n), h->whole,
                           f);
    for (bool more = !h->whole; e == OK && more;) {
        ssize_t n = s->read(s, in->piece, sizeof in->piece, f);
        more = n > 0;
        e = n < 0 ? f->code
                  : scu_send_piece(in->scu, context, slice_of(in->piece, (size_t)n), n == 0, f);
    }
    return e;
}

static enum outcome judge(const struct dimse_command *rsp, char *why, size_t cap) {
    const struct std_status *known = std_status_find(STATUS_STORE, rsp->status);
    enum status_class class = std_status_class(rsp->status);
    why[0] = '\0';
    if (rsp->status != 0)
        snprintf(why, cap, "%s (%04X)%s%s", known ? known->meaning : "refused", rsp->status,
                 rsp->comment[0] ? ": " : "", rsp->comment);
    return class == STATUS_SUCCESS || class == STATUS_WARNING ? OUTCOME_STORED : OUTCOME_REFUSED;
}

// Sends one object whose head has been read, and says what became of it. Anything but OK: the
// association is gone (and what is left of the batch gets a new one).
static enum err store(struct inner *in, struct source *s, uint32_t index, const char *member) {
    const struct object_head *h = &in->head;
    struct fault f = {0};
    char why[256];
    enum err e = associate_for(in, h, &f);
    if (e != OK) {
        say_result(in, index, member, OUTCOME_REFUSED, f.detail);
        return e;
    }
    const struct ul_agreed *agreed =
        ul_assoc_find(scu_assoc(in->scu), h->sop_class, h->meta.transfer_syntax);
    if (!agreed) {
        const char *class = std_uid_name(slice_str(h->sop_class));
        const char *syntax = std_uid_name(slice_str(h->meta.transfer_syntax));
        snprintf(why, sizeof why, "the archive does not take %s in %s", class ? class : h->sop_class,
                 syntax ? syntax : h->meta.transfer_syntax);
        say_result(in, index, member, OUTCOME_REFUSED, why);
        return OK;
    }
    struct dimse_command rsp;
    uint8_t context;
    e = send_object(in, s, agreed->id, &f);
    if (e == OK)
        e = scu_wait_command(in->scu, &rsp, &context, &f);
    if (e == OK)
        say_result(in, index, member, judge(&rsp, why, sizeof why), why);
    else
        say_result(in, index, member,
                   f.code == ERR_SYNTAX || f.code == ERR_LIMIT ? OUTCOME_UNREADABLE : OUTCOME_REFUSED,
                   f.detail);
    if (e != OK) { // in the middle of a data set: nothing can follow on this association
        ul_assoc_abort(scu_assoc(in->scu), e, "import", os_clock_ms());
        scu_close(in->scu);
        in->scu = NULL;
    }
    return e;
}

static bool head_is_usable(struct inner *in, uint32_t index, const char *member, bool named, enum err e,
                           const struct fault *f) {
    const struct object_head *h = &in->head;
    if (e == OK && can_be_proposed(h))
        return true;
    if (e == OK)
        say_result(in, index, member, OUTCOME_UNREADABLE, "has no SOP class or no SOP instance UID");
    else if (e == ERR_SYNTAX && source_is_zip(h) && member)
        say_result(in, index, member, OUTCOME_NOT_DICOM, "a ZIP within a ZIP is not opened");
    else if (e == ERR_SYNTAX || e == ERR_TRUNCATED)
        say_result(in, index, member, named ? OUTCOME_UNREADABLE : OUTCOME_NOT_DICOM,
                   "is not a DICOM file");
    else
        say_result(in, index, member, OUTCOME_UNREADABLE, f->detail);
    return false;
}

// Both passes over a ZIP: the first learns what to propose, the second stores.
static void each_member(struct inner *in, const struct batch_file *file, bool storing) {
    struct zip *z = NULL;
    struct fault f = {0};
    enum err e = zip_open(file->fd, &z, &f);
    while (e == OK) {
        struct source s;
        const char *name;
        struct fault why = {0};
        e = zip_next(z, &s, &name, &f);
        if (e != OK)
            break;
        enum err head = source_read_head(&s, &in->head, &why);
        if (!storing && head == OK)
            want_pair(in, &in->head);
        if (storing && head_is_usable(in, file->index, name, false, head, &why))
            (void)store(in, &s, file->index, name);
    }
    if (storing && e != ERR_NO_SUCH_OBJECT)
        say_result(in, file->index, NULL, OUTCOME_UNREADABLE, f.detail);
    zip_close(z);
}

// Referenced File ID of each directory record, PS3.3 F.3.2.2: components separated by backslashes.
static enum err on_directory(void *ctx, const struct dicom_event *ev, struct fault *f) {
    struct inner *in = ctx;
    if (ev->kind != DICOM_EV_ELEMENT || ev->tag != TAG_ReferencedFileID)
        return OK;
    char path[HALVES_TEXT_MAX];
    if (!slice_to_cstr(slice_trim(ev->value, " "), path, sizeof path))
        return OK;
    for (char *c = path; *c; c++)
        if (*c == '\\')
            *c = '/';
        else if (*c == '/')
            return OK; // no component may have one
    (void)f;
    return say(in, REPORT_REFERENCE, in->files[0].index, OUTCOME_STORED, path);
}

static void read_directory(struct inner *in, const struct batch_file *file, struct source *s) {
    struct dicom_reader_options o = {0};
    struct fault f = {0};
    struct batch_file first = in->files[0];
    in->files[0] = *file; // whom on_directory speaks of
    enum err e = dicom_meta_reader_options(&in->head.meta, &o, &f);
    struct dicom_reader *r = e == OK ? dicom_reader_new(&o, on_directory, in) : NULL;
    size_t from = (size_t)in->head.meta.data_set_offset;
    if (r)
        e = dicom_reader_feed(r, slice_sub(slice_of(in->head.bytes, in->head.n), from, in->head.n), &f);
    for (bool more = r && !in->head.whole; e == OK && more;) {
        ssize_t n = s->read(s, in->piece, sizeof in->piece, &f);
        more = n > 0;
        e = n < 0 ? f.code : n > 0 ? dicom_reader_feed(r, slice_of(in->piece, (size_t)n), &f) : OK;
    }
    in->files[0] = first;
    dicom_reader_free(r);
    if (e != OK)
        say_result(in, file->index, NULL, OUTCOME_UNREADABLE, f.detail);
}

static bool is_directory(const struct object_head *h) {
    return strcmp(h->meta.sop_class, UID_MediaStorageDirectoryStorage) == 0;
}

static void first_pass(struct inner *in, const struct batch_file *file) {
    struct source s = source_of_fd(file->fd);
    struct fault f = {0};
    enum err e = source_read_head(&s, &in->head, &f);
    if (e == OK && !is_directory(&in->head))
        want_pair(in, &in->head);
    else if (source_is_zip(&in->head))
        each_member(in, file, false);
}

static void second_pass(struct inner *in, const struct batch_file *file) {
    struct source s = source_of_fd(file->fd);
    struct fault f = {0};
    say_at(in, file->index, true);
    enum err e = source_read_head(&s, &in->head, &f);
    if (e != OK && source_is_zip(&in->head))
        each_member(in, file, true);
    else if (e == OK && is_directory(&in->head))
        read_directory(in, file, &s);
    else if (head_is_usable(in, file->index, NULL, file->named, e, &f))
        (void)store(in, &s, file->index, NULL);
}

static void do_batch(struct inner *in) {
    in->wanted_count = 0;
    for (size_t i = 0; i < in->file_count; i++) {
        say_at(in, in->files[i].index, false);
        first_pass(in, &in->files[i]);
    }
    for (size_t i = 0; i < in->file_count; i++) {
        second_pass(in, &in->files[i]);
        os_fd_close(&in->files[i].fd);
    }
    in->file_count = 0;
    (void)say(in, REPORT_DONE, 0, OUTCOME_STORED, "");
}

int import_inner_run(int channel, void *import_inner) {
    struct inner *in = calloc(1, sizeof *in);
    uint8_t *head = malloc(SOURCE_HEAD_BYTES);
    struct order o;
    int fd = -1;
    if (!in || !head)
        return 1;
    in->channel = channel;
    in->called = ((const struct import_inner *)import_inner)->called;
    in->head.bytes = head;
    while (order_recv(channel, &o, &fd, NULL) == OK && o.kind != ORDER_END) {
        if (o.kind == ORDER_FILE && in->file_count < IMPORT_BATCH && fd >= 0)
            in->files[in->file_count++] = (struct batch_file){os_fd_take(&fd), o.index, o.named != 0};
        else if (o.kind == ORDER_GO)
            do_batch(in);
        os_fd_close(&fd);
    }
    scu_close(in->scu);
    free(head);
    free(in);
    return 0;
}
