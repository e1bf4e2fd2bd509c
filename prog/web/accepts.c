#include "accepts.h"

#include "http/media.h"

#include <stdio.h>

// Of the rendered category (PS3.18 8.7.4); as types of parts they are bulk data.
static bool is_rendered(const struct media_type *m) {
    return media_slice_is(m->type, "text") || media_is(m, "image/png") || media_is(m, "image/gif") ||
           media_is(m, "image/jpeg") || media_is(m, "application/pdf");
}

static bool is_dicom(const struct media_type *m) {
    return media_is(m, "application/dicom") || media_is(m, "application/dicom+json") ||
           media_is(m, "application/dicom+xml");
}

static bool is_mixed(const struct accept *accept) {
    bool rendered = false, dicom = false;
    for (size_t i = 0; i < accept->count; i++) {
        const struct media_type *m = &accept->range[i].media;
        struct media_type part;
        if (accept->range[i].q == 0)
            break; // the rest is refused
        if (media_is(m, "multipart/related") && media_parse(media_parameter(m, "type"), &part))
            dicom = dicom || is_dicom(&part);
        rendered = rendered || is_rendered(m);
        dicom = dicom || is_dicom(m);
    }
    return rendered && dicom;
}

// Does a range hold an offer? What the range says of the parts must be what is offered; what it does not
// say is fine.
static bool holds(const struct accept_range *range, const char *offer) {
    struct media_type offered;
    bug_unless(media_parse(slice_str(offer), &offered));
    char name[64];
    snprintf(name, sizeof name, "%.*s/%.*s", SLICE_FMT(offered.type), SLICE_FMT(offered.subtype));
    if (!accept_holds(range, name))
        return false;
    struct slice wanted = media_parameter(&range->media, "type"), parts = media_parameter(&offered, "type");
    if (!wanted.p || !parts.p || slice_eq_str(wanted, "*/*") || slice_eq_str(parts, "*"))
        return true;
    char text[64] = "";
    (void)slice_to_cstr(parts, text, sizeof text);
    return media_slice_is(wanted, text);
}

static bool is_any(struct slice s) {
    return slice_eq_str(s, "*");
}

// How exactly a range names an offer as a whole; 0: not. Of an offer of several part types, and of several
// transfer syntaxes, one that names a type or a syntax means only some.
static unsigned exactness(const struct accept_range *range, const char *offer) {
    struct media_type offered;
    struct slice part = media_parameter(&range->media, "type");
    if (!holds(range, offer))
        return 0;
    if (is_any(range->media.type))
        return 1;
    if (is_any(range->media.subtype))
        return 2;
    bug_unless(media_parse(slice_str(offer), &offered));
    return part.p && !slice_eq_str(part, "*/*") && !is_any(media_parameter(&offered, "type")) ? 4 : 3;
}

static bool means_some(const struct accept_range *range, const char *offer) {
    struct media_type offered;
    bug_unless(media_parse(slice_str(offer), &offered));
    struct slice transfer = media_parameter(&range->media, "transfer-syntax");
    struct slice part = media_parameter(&range->media, "type");
    return (transfer.p && !is_any(transfer)) || (part.p && is_any(media_parameter(&offered, "type")));
}

// Does this range say how much the offer is wanted, or does a more exact one?
static bool has_the_say(const struct accept *accept, const struct accept_range *range, const char *offer) {
    unsigned exact = exactness(range, offer);
    for (size_t i = 0; exact > 0 && i < accept->count; i++)
        if (exactness(&accept->range[i], offer) > exact && !means_some(&accept->range[i], offer))
            return false;
    return exact > 0;
}

// Then it may not be to be had so, but in another form that the same range holds.
static bool is_refused_in_part(const struct accept *accept, const char *offer) {
    bool refused = false;
    for (size_t i = 0; i < accept->count; i++) {
        const struct accept_range *range = &accept->range[i];
        refused = refused || (range->q == 0 && holds(range, offer) && means_some(range, offer));
    }
    return refused;
}

static void note(const struct accept_range *range, int offer, struct accepted *ret) {
    *ret = (struct accepted){.offer = offer};
    struct slice part = media_parameter(&range->media, "type");
    bool named = !slice_eq_str(range->media.type, "*");
    if (part.p)
        (void)slice_to_cstr(part, ret->type, sizeof ret->type);
    else if (named && !media_slice_is(range->media.type, "multipart"))
        snprintf(ret->type, sizeof ret->type, "%.*s/%.*s", SLICE_FMT(range->media.type),
                 SLICE_FMT(range->media.subtype));
    for (char *c = ret->type; *c; c++) // RFC 9110 8.3.1: case does not matter
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 32);
    struct slice transfer = media_parameter(&range->media, "transfer-syntax");
    if (transfer.p && !slice_to_cstr(transfer, ret->transfer, sizeof ret->transfer))
        strcpy(ret->transfer, "?"); // a syntax that nothing has
}

bool accepted_refuses(const struct accepted *a, const char *media) {
    for (size_t i = 0; a->accept && i < a->accept->count; i++) {
        const struct accept_range *range = &a->accept->range[i];
        if (range->q == 0 && !media_parameter(&range->media, "transfer-syntax").p &&
            media_slice_is(media_parameter(&range->media, "type"), media))
            return true;
    }
    return false;
}

bool accepted_takes(const struct accepted *a, const char *media) {
    const char *slash = strchr(a->type, '/');
    if (accepted_refuses(a, media))
        return false;
    if (a->type[0] == '\0' || strcmp(a->type, "*/*") == 0)
        return true;
    if (slash && strcmp(slash, "/*") == 0)
        return strncmp(a->type, media, (size_t)(slash - a->type) + 1) == 0;
    return strcmp(a->type, media) == 0;
}

static size_t choose(const struct accept *accept, const char *const *offers, size_t count,
                     struct accepted ret_accepted[ACCEPTED_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < accept->count && accept->range[i].q > 0; i++)
        for (size_t k = 0; k < count && n < ACCEPTED_MAX; k++)
            if (has_the_say(accept, &accept->range[i], offers[k])) {
                note(&accept->range[i], (int)k, &ret_accepted[n]);
                ret_accepted[n++].accept = strncmp(offers[k], "multipart/", 10) == 0 ? accept : NULL;
                if (!is_refused_in_part(accept, offers[k]))
                    break;
            }
    return n;
}

static bool is_word(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The parameter (PS3.18 8.3.3.1). Written as in the standard's examples, "application/dicom+json", its '+'
// has been taken for a blank, which no media type has between two words.
static struct slice wanted_in_url(struct request *rq) {
    struct slice text = request_parameter(rq, "accept", 0);
    uint8_t *c = text.n > 0 ? arena_alloc(&rq->arena, text.n) : NULL;
    if (!c)
        return text;
    for (size_t i = 0; i < text.n; i++) {
        bool inner = i > 0 && i + 1 < text.n && is_word(text.p[i - 1]) && is_word(text.p[i + 1]);
        c[i] = text.p[i] == ' ' && inner ? '+' : text.p[i];
    }
    return slice_of(c, text.n);
}

size_t request_accepts_some(struct request *rq, const char *const *offers, size_t count,
                            struct accepted ret_accepted[ACCEPTED_MAX]) {
    struct accept *accept = arena_alloc(&rq->arena, sizeof *accept);
    struct slice text = wanted_in_url(rq);
    rq->by_accept = true;
    if (!accept) {
        answer_error(rq, 503, "busy", "The archive is too busy just now. Try again.");
        return 0;
    }
    if (!text.p)
        text = request_header(rq, "accept");
    if (!text.p) {
        answer_error(rq, 406, "accept", "Say in Accept what you can take, such as %s.", offers[0]);
        return 0;
    }
    accept_parse(text, accept);
    if (is_mixed(accept)) {
        answer_error(rq, 400, "accept", "Accept mixes DICOM and rendered media types.");
        return 0;
    }
    size_t n = choose(accept, offers, count, ret_accepted);
    if (n == 0)
        answer_error(rq, 406, "accept",
                     "This resource is not to be had in a form that Accept names; there is %s.", offers[0]);
    return n;
}

bool request_accepts(struct request *rq, const char *const *offers, size_t count,
                     struct accepted *ret_accepted) {
    struct accepted all[ACCEPTED_MAX];
    size_t n = request_accepts_some(rq, offers, count, all);
    if (n > 0)
        *ret_accepted = all[0];
    return n > 0;
}
