#include "http/h1_body.h"

#include "base/hex.h"

void h1_body_init_length(struct h1_body *b, uint64_t n) {
    *b = (struct h1_body){.state = n ? H1_BODY_LENGTH : H1_BODY_NONE, .left = n};
}

void h1_body_init_chunked(struct h1_body *b) {
    *b = (struct h1_body){.state = H1_BODY_SIZE};
}

static bool plain(uint8_t c) { // field-vchar, blank and tab
    return (c >= 0x20 && c != 0x7F) || c == '\t';
}

static enum h1_body_state size_byte(struct h1_body *b, uint8_t c) {
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (++b->digits > H1_CHUNK_DIGITS_MAX)
            return H1_BODY_BAD;
        b->left = b->left << 4 | (uint64_t)digit;
        return H1_BODY_SIZE;
    }
    if (b->digits == 0)
        return H1_BODY_BAD;
    if (c == ';')
        return H1_BODY_EXTENSION;
    return c == '\r' ? H1_BODY_SIZE_LF : H1_BODY_BAD;
}

static enum h1_body_state extension_byte(struct h1_body *b, uint8_t c) {
    if (c == '\r')
        return H1_BODY_SIZE_LF;
    // Extensions cost a sender nothing and us a byte each: no more of them than anybody needs.
    if (++b->extension_bytes > H1_CHUNK_EXTENSION_MAX * (1 + b->chunks / 1024))
        return H1_BODY_BAD;
    return plain(c) ? H1_BODY_EXTENSION : H1_BODY_BAD;
}

static enum h1_body_state size_end(struct h1_body *b) {
    b->digits = 0;
    b->chunks++;
    return b->left ? H1_BODY_CHUNK : H1_BODY_TRAILER_START;
}

static enum h1_body_state trailer_byte(struct h1_body *b, uint8_t c) {
    if (++b->trailer_bytes > H1_TRAILER_BYTES_MAX)
        return H1_BODY_BAD;
    if (c == '\r')
        return b->state == H1_BODY_TRAILER_START ? H1_BODY_LAST_LF : H1_BODY_TRAILER_LF;
    return plain(c) ? H1_BODY_TRAILER : H1_BODY_BAD;
}

static enum h1_body_state expect(uint8_t c, uint8_t wanted, enum h1_body_state next) {
    return c == wanted ? next : H1_BODY_BAD;
}

static enum h1_body_state frame_byte(struct h1_body *b, uint8_t c) {
    switch ((int)b->state) {
    case H1_BODY_SIZE:
        return size_byte(b, c);
    case H1_BODY_EXTENSION:
        return extension_byte(b, c);
    case H1_BODY_SIZE_LF:
        return c == '\n' ? size_end(b) : H1_BODY_BAD;
    case H1_BODY_CHUNK_CR:
        return expect(c, '\r', H1_BODY_CHUNK_LF);
    case H1_BODY_CHUNK_LF:
        return expect(c, '\n', H1_BODY_SIZE);
    case H1_BODY_TRAILER_START:
    case H1_BODY_TRAILER:
        return trailer_byte(b, c);
    case H1_BODY_TRAILER_LF:
        return expect(c, '\n', H1_BODY_TRAILER_START);
    case H1_BODY_LAST_LF:
        return expect(c, '\n', H1_BODY_NONE);
    default:
        return H1_BODY_BAD;
    }
}

static struct slice take_data(struct h1_body *b, struct slice *in) {
    size_t n = b->left < in->n ? (size_t)b->left : in->n;
    struct slice data = {in->p, n};
    *in = (struct slice){in->p + n, in->n - n};
    b->left -= n;
    if (b->left == 0)
        b->state = b->state == H1_BODY_LENGTH ? H1_BODY_NONE : H1_BODY_CHUNK_CR;
    return data;
}

struct slice h1_body_take(struct h1_body *b, struct slice *in) {
    while (in->n && b->state != H1_BODY_NONE && b->state != H1_BODY_BAD) {
        if (b->state == H1_BODY_LENGTH || b->state == H1_BODY_CHUNK)
            return take_data(b, in);
        b->state = frame_byte(b, in->p[0]);
        *in = (struct slice){in->p + 1, in->n - 1};
    }
    return (struct slice){NULL, 0};
}
