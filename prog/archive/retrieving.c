// C-GET and C-MOVE as the archive sees them: which objects, then one after the other into the ring.
#include "archive.h"

#include "digest/digest.h"

static bool may_retrieve(struct archive *a, struct session *s) {
    if (s->rights & IPC_RIGHT_RETRIEVE)
        return true;
    session_end(a, s, "its worker retrieves without the right to");
    return false;
}

enum { RETURN_CLASS, RETURN_INSTANCE, RETURN_TRANSFER, RETURN_STUDY, RETURN_SERIES, RETURN_COUNT };

static enum err open_list(struct archive *a, const struct view *view,
                          const struct query_condition *conditions, size_t count, uint64_t limit,
                          struct index_query **ret_query, struct fault *f) {
    static const uint16_t returns[] = {[RETURN_CLASS] = INDEX_ATTR_SOPClassUID,
                                       [RETURN_INSTANCE] = INDEX_ATTR_SOPInstanceUID,
                                       [RETURN_TRANSFER] = INDEX_ATTR_AvailableTransferSyntaxUID,
                                       [RETURN_STUDY] = INDEX_ATTR_StudyInstanceUID,
                                       [RETURN_SERIES] = INDEX_ATTR_SeriesInstanceUID};
    struct index_query_spec spec = {.level = INDEX_INSTANCE,
                                    .conditions = conditions,
                                    .condition_count = count,
                                    .returns = returns,
                                    .return_count = RETURN_COUNT,
                                    .limit = limit};
    view_limit(view, &spec);
    return index_query_open(a->index, &spec, f, ret_query);
}

// The next object, however many rows it takes to find it.
static enum err next_row(struct index_query *q, bool *ret_done, struct fault *f) {
    enum index_step step = INDEX_AGAIN;
    enum err e = OK;
    while (e == OK && step == INDEX_AGAIN)
        e = index_query_step(q, f, &step);
    *ret_done = step == INDEX_END;
    return e;
}

static bool has_pair(struct slice pairs, struct slice pair) {
    for (; pairs.n >= pair.n; pairs = slice_sub(pairs, 1, pairs.n)) {
        if (memcmp(pairs.p, pair.p, pair.n) == 0)
            return true;
        const uint8_t *end = memchr(pairs.p, 0, pairs.n); // over the class, then over the syntax
        end = end ? memchr(end + 1, 0, pairs.n - (size_t)(end + 1 - pairs.p)) : NULL;
        if (!end)
            return false;
        pairs = slice_sub(pairs, (size_t)(end - pairs.p), pairs.n);
    }
    return false;
}

static void add_pair(const struct index_query *q, struct buf *pairs) {
    struct buf pair = BUF_INIT(256);
    buf_append_slice(&pair, index_query_value(q, RETURN_CLASS));
    buf_u8(&pair, 0);
    buf_append_slice(&pair, index_query_value(q, RETURN_TRANSFER));
    buf_u8(&pair, 0);
    if (!buf_ok(&pair))
        buf_fail(pairs, buf_error(&pair));
    else if (!has_pair(buf_slice(pairs), buf_slice(&pair)) && pairs->n + pair.n <= pairs->max)
        buf_append_slice(pairs, buf_slice(&pair));
    buf_fini(&pair);
}

// How many, and which SOP classes in which transfer syntaxes: what has to be negotiated.
static enum err survey(struct archive *a, const struct view *view, const struct query_condition *conditions,
                       size_t count, struct buf *pairs, uint64_t *ret_count, struct fault *f) {
    struct index_query *q = NULL;
    bool done = false;
    uint64_t n = 0;
    enum err e = open_list(a, view, conditions, count, 0, &q, f);
    while (e == OK && (e = next_row(q, &done, f)) == OK && !done) {
        add_pair(q, pairs);
        n++;
    }
    index_query_close(q);
    *ret_count = n;
    return e == OK ? buf_check(pairs, f, "the SOP classes of what there is") : e;
}

// What is retrieved is named by unique keys (PS3.4 C.4.2.1.4). Anything else could be as slow as its author
// likes, and this is done in one go.
static bool only_unique_keys(const struct query_condition *conditions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint16_t attr = conditions[i].attribute;
        bool unique = attr == INDEX_ATTR_PatientID || attr == INDEX_ATTR_StudyInstanceUID ||
                      attr == INDEX_ATTR_SeriesInstanceUID || attr == INDEX_ATTR_SOPInstanceUID;
        if (!unique || (conditions[i].kind != QUERY_SINGLE && conditions[i].kind != QUERY_LIST))
            return false;
    }
    return true;
}

static struct slice study_of(const struct query_condition *conditions, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (conditions[i].attribute == INDEX_ATTR_StudyInstanceUID && conditions[i].kind == QUERY_SINGLE)
            return conditions[i].operands[0];
    return slice_of(NULL, 0);
}

static void close_object(struct session *s) {
    if (s->open)
        store_get_close(TAKE(s->open));
}

// Records are written once and never changed: where one lies names its content. It does so with a key, for
// the web shows it to clients (ETag): how much there is, and in which order it came, is not theirs to know.
static uint64_t object_tag(const struct archive *a, const struct blob_ref *ref) {
    uint64_t place[] = {ref->segment, ref->offset, ref->length}, tag;
    uint8_t mac[DIGEST_SHA256_BYTES];
    digest_hmac_sha256(slice_of(a->tag_key, sizeof a->tag_key), slice_of(place, sizeof place), mac);
    memcpy(&tag, mac, sizeof tag);
    return tag;
}

static enum err open_object(struct archive *a, struct session *s, struct ipc_object *m, struct fault *f) {
    m->sop_class = index_query_value(s->located, RETURN_CLASS);
    m->sop_instance = index_query_value(s->located, RETURN_INSTANCE);
    m->study = index_query_value(s->located, RETURN_STUDY);
    m->series = index_query_value(s->located, RETURN_SERIES);
    m->transfer_syntax = index_query_value(s->located, RETURN_TRANSFER);
    enum err e = index_query_ref(s->located, f, &s->open_at);
    struct blob_ref ref = blob_ref_of(&s->open_at);
    if (e == OK)
        e = store_get_open(a->store, &ref, f, &s->open);
    s->body_bytes = e == OK ? store_get_body_bytes(s->open) : 0;
    m->length = s->body_bytes;
    m->tag = object_tag(a, &ref);
    a->retrieved += e == OK;
    return e;
}

// Summary and frame table. A table that has no room is left out: readers then look into the object.
static enum err read_front(struct archive *a, struct session *s, uint8_t *aux, struct ipc_object *m,
                           struct fault *f) {
    struct blob_ref ref = blob_ref_of(&s->open_at);
    buf_reset(&a->summary);
    enum err e = store_get_summary(a->store, &ref, f, &a->summary);
    if (e != OK)
        return e;
    m->summary_bytes = (uint32_t)a->summary.n;
    struct fault no_table = {0};
    e = store_get_frames(a->store, &ref, &no_table, &a->summary);
    if (err_of_machine(e)) // it may have one: without it, it would look as if there were no such frame
        return fault_set(f, e, "%s", no_table.detail);
    if (e == OK)
        m->frames_bytes = (uint32_t)a->summary.n - m->summary_bytes;
    if (a->summary.n > 0)
        memcpy(aux, a->summary.p, m->summary_bytes + m->frames_bytes);
    return OK;
}

static uint32_t at_most(uint64_t bytes, uint32_t max) {
    return bytes < max ? (uint32_t)bytes : max;
}

// What the worker wants along with an object is where it said; `ring` has been checked to have room for it.
static enum err read_along(struct archive *a, struct session *s, const struct ipc_object_next *wanted,
                           uint8_t *ring, struct ipc_object *m, struct fault *f) {
    enum err e = wanted->front ? read_front(a, s, ring + RING_BODY_BYTES, m, f) : OK;
    uint32_t n = at_most(s->body_bytes, wanted->max);
    if (e == OK && n > 0)
        e = store_get_read(s->open, 0, ring + wanted->ring_offset, n, f);
    m->read_bytes = e == OK ? n : 0;
    return e;
}

// The memory for what an object shall come with; false: the worker names none there is, and ends.
static bool has_room(struct archive *a, struct session *s, const struct ipc_object_next *m,
                     uint8_t **ret_ring) {
    *ret_ring = ring_map(a, s);
    if ((*ret_ring || (!m->front && m->max == 0)) && ring_body_range(m->ring_offset, m->max))
        return true;
    session_end(a, s, "its worker reads to where no memory is");
    return false;
}

static void tell_next(struct archive *a, struct session *s, const struct ipc_object_next *wanted,
                      uint8_t *ring) {
    struct ipc_object m = {0};
    struct fault f = {0};
    bool done = !s->located;
    close_object(s);
    enum err e = done ? OK : next_row(s->located, &done, &f);
    if (e == OK && !done)
        e = open_object(a, s, &m, &f);
    if (e == OK && !done)
        e = read_along(a, s, wanted, ring, &m, &f);
    if (e != OK)
        session_log(a, s, OS_LOG_ERROR, "an object cannot be read: %s: %s", err_text(e), f.detail);
    m.done = done;
    m.error = (uint16_t)e;
    session_reply(a, s, IPC_OBJECT, &m, -1);
}

void retrieving_on_next(struct archive *a, struct session *s, const struct ipc_object_next *m) {
    uint8_t *ring;
    if (has_room(a, s, m, &ring))
        tell_next(a, s, m, ring);
}

void retrieving_on_locate(struct archive *a, struct session *s, const struct ipc_locate *m) {
    const struct ipc_object_next first = {.front = m->front, .max = m->max};
    uint8_t *ring;
    if (!may_retrieve(a, s) || !has_room(a, s, &first, &ring))
        return;
    struct fault f = {0};
    struct query_condition *conditions;
    size_t count;
    if (conditions_take(a, s, m->conditions_bytes, &conditions, &count, &f) != OK ||
        !only_unique_keys(conditions, count)) {
        session_end(a, s, "its worker sent UIDs that are none");
        return;
    }
    if (!signing_may_retrieve(a, s, study_of(conditions, count)))
        return;
    struct buf pairs = BUF_INIT(57344);
    struct ipc_located located = {0};
    uint64_t n = 0;
    // No condition at all would be everything: no service has that.
    enum err e = count == 0 ? ERR_MISMATCH : survey(a, s->view, conditions, count, &pairs, &n, &f);
    if (e == OK && n > 0) // what arrives from now on does not change the count that was announced
        e = open_list(a, s->view, conditions, count, n, &s->located, &f);
    located.error = (uint16_t)e;
    located.count = (uint32_t)(n > UINT32_MAX ? UINT32_MAX : n);
    located.pairs = buf_slice(&pairs);
    if (e == OK) {
        s->phase = IPC_PHASE_RETRIEVING;
        if (s->proof.lane != IPC_LANE_HTTPS) // of a page of the web there are hundreds
            session_log(a, s, OS_LOG_INFO, "peer %s retrieves %llu objects", s->peer, (unsigned long long)n);
    } else {
        session_log(a, s, OS_LOG_ERROR, "a retrieval of peer %s failed: %s: %s", s->peer, err_text(e),
                    f.detail);
    }
    session_reply(a, s, IPC_LOCATED, &located, -1);
    if (e == OK && n > 0 && m->first && !s->ending)
        tell_next(a, s, &first, ring);
    buf_fini(&pairs);
}

void retrieving_on_read(struct archive *a, struct session *s, const struct ipc_object_read *m) {
    uint8_t *ring = ring_map(a, s);
    bool fits = ring && ring_body_range(m->ring_offset, m->max) && m->max > 0;
    if (!fits || !s->open || m->offset > s->body_bytes) {
        session_end(a, s, "its worker reads what is not open");
        return;
    }
    uint64_t left = s->body_bytes - m->offset;
    uint32_t n = at_most(left, m->max);
    struct fault f = {0};
    enum err e = n ? store_get_read(s->open, m->offset, ring + m->ring_offset, n, &f) : OK;
    if (e != OK)
        session_log(a, s, OS_LOG_ERROR, "an object cannot be read: %s: %s", err_text(e), f.detail);
    struct ipc_object_data data = {
        .error = (uint16_t)e, .ring_offset = m->ring_offset, .length = e == OK ? n : 0, .last = left == n};
    session_reply(a, s, IPC_OBJECT_DATA, &data, -1);
}

void retrieving_end(struct archive *a, struct session *s) {
    (void)a;
    close_object(s);
    if (s->located)
        index_query_close(TAKE(s->located));
    if (s->phase == IPC_PHASE_RETRIEVING)
        s->phase = IPC_PHASE_READY;
}
