#include "dicom/number.h"

enum { DIGITS_MAX = 64, EXPONENT_MAX = 9999, PLAIN_DIGITS = 20 };

struct number {
    bool negative;
    uint8_t digits[DIGITS_MAX]; // without zeros in front
    int count;
    int exponent; // of the last digit
};

static bool at_digit(struct slice s) {
    return s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9';
}

static bool take_sign(struct slice *s) {
    bool negative = s->n > 0 && s->p[0] == '-';
    if (s->n > 0 && (s->p[0] == '-' || s->p[0] == '+'))
        *s = slice_sub(*s, 1, s->n);
    return negative;
}

// Digits up to something else; false when there are too many.
static bool take_digits(struct slice *s, struct number *n, bool fraction, bool *any) {
    for (; at_digit(*s); *s = slice_sub(*s, 1, s->n)) {
        *any = true;
        n->exponent -= fraction;
        if (n->exponent < -EXPONENT_MAX)
            return false;
        if (n->count == 0 && s->p[0] == '0')
            continue;
        if (n->count == DIGITS_MAX)
            return false;
        n->digits[n->count++] = s->p[0];
    }
    return true;
}

static bool take_exponent(struct slice *s, struct number *n) {
    if (s->n == 0 || (s->p[0] != 'e' && s->p[0] != 'E'))
        return true;
    *s = slice_sub(*s, 1, s->n);
    bool negative = take_sign(s);
    int e = 0;
    if (!at_digit(*s))
        return false;
    for (; at_digit(*s); *s = slice_sub(*s, 1, s->n)) {
        e = e * 10 + (s->p[0] - '0');
        if (e > EXPONENT_MAX)
            return false;
    }
    n->exponent += negative ? -e : e;
    return true;
}

static bool parse(struct slice s, struct number *n) {
    bool any = false;
    n->negative = take_sign(&s);
    if (!take_digits(&s, n, false, &any))
        return false;
    if (s.n > 0 && s.p[0] == '.') {
        s = slice_sub(s, 1, s.n);
        if (!take_digits(&s, n, true, &any))
            return false;
    }
    if (!any || !take_exponent(&s, n) || s.n > 0)
        return false;
    for (; n->count > 0 && n->digits[n->count - 1] == '0'; n->count--)
        n->exponent++;
    return true;
}

static void zeros(struct buf *out, int count) {
    for (int i = 0; i < count; i++)
        buf_u8(out, '0');
}

bool dicom_number_normalise(struct slice s, struct buf *out) {
    struct number n = {false, {0}, 0, 0};
    if (!parse(slice_trim(s, " "), &n))
        return false;
    if (n.count == 0) {
        buf_u8(out, '0');
        return true;
    }
    if (n.negative)
        buf_u8(out, '-');
    int whole = n.count + n.exponent; // digits before the point
    if (n.exponent >= 0 && whole <= PLAIN_DIGITS) {
        buf_append(out, n.digits, (size_t)n.count);
        zeros(out, n.exponent);
    } else if (n.exponent < 0 && whole > 0) {
        buf_append(out, n.digits, (size_t)whole);
        buf_u8(out, '.');
        buf_append(out, n.digits + whole, (size_t)(n.count - whole));
    } else if (n.exponent < 0 && whole > -PLAIN_DIGITS) {
        buf_append_str(out, "0.");
        zeros(out, -whole);
        buf_append(out, n.digits, (size_t)n.count);
    } else {
        buf_append(out, n.digits, (size_t)n.count);
        buf_printf(out, "e%d", n.exponent);
    }
    return true;
}
