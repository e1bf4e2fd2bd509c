#include "stow_parts.h"

#include "std/index_attr.h"
#include "std/uid.h"

void stow_part_begin(struct stow_part *p, struct stow *s) {
    *p = (struct stow_part){.s = s, .head = BUF_INIT(DICOM_META_MAX_BYTES + 1024)};
}

static void fail(struct stow_part *p, enum err e, const struct fault *f) {
    p->error = e;
    web_log(p->s->rq->web, OS_LOG_WARN, "an object that %s uploads was not stored: %s: %s", p->s->rq->user,
            err_text(e), f->detail);
}

static enum err start(struct stow_part *p, struct fault *f) {
    struct stow *s = p->s;
    struct incoming_tools *tools = request_tools(s->rq);
    struct incoming_claim claim = {.study = s->path_study[0] ? s->path_study : NULL};
    if (!tools)
        return fault_set(f, ERR_NO_MEMORY, "reader");
    if (p->meta.sop_class[0]) {
        enum err e = stow_check_class(s, slice_str(p->meta.sop_class), f);
        if (e != OK)
            return e;
    }
    return incoming_begin(&p->in, &s->rq->archive, tools, &claim, p->meta.transfer_syntax, f);
}

// The bytes of a body piece go into the ring; incoming_take() copies them there.
static void pass_on(struct stow_part *p, struct slice bytes) {
    struct fault f = {0};
    enum err e = bytes.n ? incoming_take(&p->in, bytes, &f) : OK;
    if (e != OK) {
        incoming_abort(&p->in);
        fail(p, e, &f);
    }
}

// Is all of the head there? `complete`: no more comes.
static void look_at_head(struct stow_part *p, bool complete) {
    struct fault f = {0};
    enum err e = dicom_meta_parse(buf_slice(&p->head), complete, &p->meta, &f);
    if (e == ERR_TRUNCATED && !complete)
        return;
    if (e == OK)
        e = start(p, &f);
    if (e != OK) {
        fail(p, e, &f);
        return;
    }
    p->begun = true;
    pass_on(p, slice_sub(buf_slice(&p->head), (size_t)p->meta.data_set_offset, p->head.n));
}

void stow_part_take(struct stow_part *p, struct slice bytes) {
    if (p->error != OK)
        return;
    if (p->begun) {
        pass_on(p, bytes);
        return;
    }
    size_t room = p->head.max - p->head.n, n = bytes.n < room ? bytes.n : room;
    struct fault f = {0};
    buf_append(&p->head, bytes.p, n);
    enum err e = buf_check(&p->head, &f, "its File Meta Information");
    if (e != OK)
        fail(p, e, &f);
    else
        look_at_head(p, false);
    if (p->error != OK || (!p->begun && n == bytes.n))
        return;
    if (!p->begun) { // the head's buffer is full, and it is not over
        fail(p, ERR_LIMIT, &(struct fault){.detail = "its File Meta Information is too long"});
        return;
    }
    pass_on(p, slice_sub(bytes, n, bytes.n));
}

static void commit(struct stow_part *p) {
    struct fault f = {0};
    enum err e = stow_check_class(p->s, incoming_uid(&p->in, INDEX_ATTR_SOPClassUID), &f);
    if (e != OK)
        incoming_abort(&p->in);
    else
        e = stow_commit(p->s, &p->in, &f);
    if (e != OK)
        fail(p, e, &f);
}

void stow_part_end(struct stow_part *p) {
    if (p->error == OK && !p->begun)
        look_at_head(p, true);
    if (p->error == OK)
        commit(p);
    if (p->error == OK)
        return;
    struct slice sop_class = slice_str(p->meta.sop_class), instance = slice_str(p->meta.sop_instance);
    if (p->begun && instance.n == 0) {
        sop_class = incoming_uid(&p->in, INDEX_ATTR_SOPClassUID);
        instance = incoming_uid(&p->in, INDEX_ATTR_SOPInstanceUID);
    }
    stow_failed(p->s, sop_class, instance, p->error);
}

void stow_part_abort(struct stow_part *p) {
    if (p->begun && p->error == OK)
        incoming_abort(&p->in);
}

void stow_part_free(struct stow_part *p) {
    buf_fini(&p->head);
}
