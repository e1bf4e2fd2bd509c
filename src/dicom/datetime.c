#include "dicom/datetime.h"

#include "base/err.h"

enum { MINUTES_PER_DAY = 24 * 60 };

// The parts of a value, as far as it goes.
struct parts {
    int year, month, day, hour, minute, second, micro; // -1: not given
    int micro_span;                                    // what the digits of a fraction leave open
};

static int digits(struct slice *s, size_t n, int least, int most) {
    if (s->n < n)
        return -1;
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return -1;
        v = v * 10 + (s->p[i] - '0');
    }
    if (v < least || v > most)
        return -1;
    *s = slice_sub(*s, n, s->n);
    return v;
}

static bool skip(struct slice *s, uint8_t c) {
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = slice_sub(*s, 1, s->n);
    return true;
}

static int month_days(int year, int month) {
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

// ".F" to ".FFFFFF"; more digits than six are no DICOM.
static bool parse_fraction(struct slice *s, struct parts *p) {
    int value = 0, scale = 1000000;
    while (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9') {
        if (scale == 1)
            return false;
        value = value * 10 + (s->p[0] - '0');
        scale /= 10;
        *s = slice_sub(*s, 1, s->n);
    }
    if (scale == 1000000)
        return false;
    p->micro = value * scale;
    p->micro_span = scale - 1;
    return true;
}

// HH[MM[SS[.F]]], with ':' between when `colons`. Stops at what does not belong to it.
static bool parse_clock(struct slice *s, bool colons, struct parts *p) {
    p->hour = digits(s, 2, 0, 23);
    if (p->hour < 0)
        return false;
    if (s->n == 0 || (colons ? !skip(s, ':') : s->p[0] < '0' || s->p[0] > '9'))
        return true;
    p->minute = digits(s, 2, 0, 59);
    if (p->minute < 0)
        return false;
    if (s->n == 0 || (colons ? !skip(s, ':') : s->p[0] < '0' || s->p[0] > '9'))
        return true;
    p->second = digits(s, 2, 0, 60);
    if (p->second < 0)
        return false;
    return skip(s, '.') ? parse_fraction(s, p) : true;
}

static bool parse_day(struct slice *s, char separator, struct parts *p) {
    p->year = digits(s, 4, 1, 9999);
    if (p->year < 0 || (separator && !skip(s, (uint8_t)separator)))
        return false;
    p->month = digits(s, 2, 1, 12);
    if (p->month < 0 || (separator && !skip(s, (uint8_t)separator)))
        return false;
    p->day = digits(s, 2, 1, month_days(p->year, p->month));
    return p->day > 0;
}

static const struct parts NONE = {-1, -1, -1, -1, -1, -1, -1, 0};

static int or_else(int value, int other) {
    return value < 0 ? other : value;
}

static int two(const char *s) {
    return (s[0] - '0') * 10 + (s[1] - '0');
}

static void put_two(char *dst, int v) {
    dst[0] = (char)('0' + v / 10 % 10);
    dst[1] = (char)('0' + v % 10);
}

static void put_day(char *dst, const struct parts *p, bool high) {
    int month = or_else(p->month, high ? 12 : 1);
    put_two(dst, p->year / 100);
    put_two(dst + 2, p->year % 100);
    put_two(dst + 4, month);
    put_two(dst + 6, or_else(p->day, high ? month_days(p->year, month) : 1));
    dst[8] = 0;
}

static void put_clock(char *dst, const struct parts *p, bool high) {
    int micro = p->micro < 0 ? (high ? 999999 : 0) : p->micro + (high ? p->micro_span : 0);
    put_two(dst, or_else(p->hour, high ? 23 : 0));
    put_two(dst + 2, or_else(p->minute, high ? 59 : 0));
    put_two(dst + 4, or_else(p->second, high ? 59 : 0));
    dst[6] = '.';
    put_two(dst + 7, micro / 10000);
    put_two(dst + 9, micro / 100 % 100);
    put_two(dst + 11, micro % 100);
    dst[13] = 0;
}

static struct slice trim(struct slice s) {
    return slice_trim(s, " ");
}

static struct slice trim_padding(struct slice s) {
    while (s.n > 0 && (s.p[s.n - 1] == 0 || s.p[s.n - 1] == ' '))
        s.n--;
    return trim(s);
}

bool dicom_date_parse(struct slice s, struct dicom_span *ret_span) {
    s = trim_padding(s);
    struct parts p = NONE;
    bool dots = s.n == 10 && s.p[4] == '.';
    if (!parse_day(&s, dots ? '.' : 0, &p) || s.n > 0)
        return false;
    put_day(ret_span->low, &p, false);
    put_day(ret_span->high, &p, true);
    return true;
}

bool dicom_time_parse(struct slice s, struct dicom_span *ret_span) {
    s = trim_padding(s);
    struct parts p = NONE;
    bool colons = s.n > 2 && s.p[2] == ':';
    if (!parse_clock(&s, colons, &p) || s.n > 0)
        return false;
    put_clock(ret_span->low, &p, false);
    put_clock(ret_span->high, &p, true);
    return true;
}

bool dicom_zone_parse(struct slice s, int *ret_zone_min) {
    s = trim_padding(s);
    if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    bool west = s.p[0] == '-';
    s = slice_sub(s, 1, 4);
    int hours = digits(&s, 2, 0, 14), minutes = digits(&s, 2, 0, 59);
    if (hours < 0 || minutes < 0)
        return false;
    int zone = hours * 60 + minutes;
    if (zone > (west ? 12 : 14) * 60)
        return false;
    *ret_zone_min = west ? -zone : zone;
    return true;
}

// YYYY[MM[DD[clock]]]
static bool parse_moment(struct slice s, struct parts *p) {
    p->year = digits(&s, 4, 1, 9999);
    if (p->year < 0 || s.n == 0)
        return p->year > 0;
    p->month = digits(&s, 2, 1, 12);
    if (p->month < 0 || s.n == 0)
        return p->month > 0;
    p->day = digits(&s, 2, 1, month_days(p->year, p->month));
    if (p->day < 0 || s.n == 0)
        return p->day > 0;
    return parse_clock(&s, false, p) && s.n == 0;
}

// Takes "+ZZXX" or "-ZZXX" off the end of s. False when there is a sign but no valid offset.
static bool take_zone(struct slice *s, int *zone_min) {
    const uint8_t *sign = s->n ? memchr(s->p, '+', s->n) : NULL;
    if (!sign && s->n)
        sign = memchr(s->p, '-', s->n);
    if (!sign)
        return true;
    size_t at = (size_t)(sign - s->p);
    if (!dicom_zone_parse(slice_sub(*s, at, s->n), zone_min))
        return false;
    s->n = at;
    return true;
}

bool dicom_datetime_parse(struct slice s, int zone_min, struct dicom_span *ret_span) {
    s = trim_padding(s);
    struct parts p = NONE;
    struct dicom_span span;
    if (!take_zone(&s, &zone_min) || !parse_moment(s, &p))
        return false;
    put_day(span.low, &p, false);
    put_clock(span.low + DICOM_DATE_CHARS, &p, false);
    put_day(span.high, &p, true);
    put_clock(span.high + DICOM_DATE_CHARS, &p, true);
    if (zone_min != DICOM_ZONE_UNKNOWN && zone_min != 0)
        if (!dicom_datetime_shift(span.low, -zone_min) || !dicom_datetime_shift(span.high, -zone_min))
            return false;
    *ret_span = span;
    return true;
}

typedef bool parse_fn(struct slice s, int zone_min, struct dicom_span *ret_span);

static bool date_any(struct slice s, int zone_min, struct dicom_span *ret_span) {
    (void)zone_min;
    return dicom_date_parse(s, ret_span);
}

static bool time_any(struct slice s, int zone_min, struct dicom_span *ret_span) {
    (void)zone_min;
    return dicom_time_parse(s, ret_span);
}

// One end of a range; the empty one is open.
static bool parse_end(parse_fn *parse, struct slice s, int zone_min, struct dicom_span *ret_span) {
    *ret_span = (struct dicom_span){{0}, {0}};
    return trim(s).n == 0 || parse(s, zone_min, ret_span);
}

// With offsets, a '-' may be a sign or the separator: the first place that leaves two valid ends in
// their order is taken, else the first that leaves two valid ends.
static bool parse_range(parse_fn *parse, struct slice s, int zone_min, struct dicom_span *ret_span) {
    s = trim_padding(s);
    if (parse(s, zone_min, ret_span))
        return true;
    bool found = false;
    for (size_t i = 0; i < s.n; i++) {
        struct dicom_span a, b;
        if (s.p[i] != '-' || s.n == 1 || !parse_end(parse, slice_sub(s, 0, i), zone_min, &a) ||
            !parse_end(parse, slice_sub(s, i + 1, s.n), zone_min, &b))
            continue;
        bool ordered = !a.low[0] || !b.high[0] || strcmp(a.low, b.high) <= 0;
        if (found && !ordered)
            continue;
        memcpy(ret_span->low, a.low, sizeof a.low);
        memcpy(ret_span->high, b.high, sizeof b.high);
        found = true;
        if (ordered)
            break;
    }
    return found;
}

// Longer than any range can be written: not worth looking at each '-'.
enum { RANGE_MAX_CHARS = 64 };

bool dicom_date_range(struct slice s, struct dicom_span *ret_span) {
    return s.n <= RANGE_MAX_CHARS && parse_range(date_any, s, 0, ret_span);
}

bool dicom_time_range(struct slice s, struct dicom_span *ret_span) {
    return s.n <= RANGE_MAX_CHARS && parse_range(time_any, s, 0, ret_span);
}

bool dicom_datetime_range(struct slice s, int zone_min, struct dicom_span *ret_span) {
    return s.n <= RANGE_MAX_CHARS && parse_range(dicom_datetime_parse, s, zone_min, ret_span);
}

int dicom_time_shift(char time[DICOM_TIME_CHARS + 1], int minutes) {
    int t = two(time) * 60 + two(time + 2) + minutes, days = 0;
    for (; t < 0; t += MINUTES_PER_DAY)
        days--;
    for (; t >= MINUTES_PER_DAY; t -= MINUTES_PER_DAY)
        days++;
    put_two(time, t / 60);
    put_two(time + 2, t % 60);
    return days;
}

bool dicom_datetime_shift(char datetime[DICOM_DATETIME_CHARS + 1], int minutes) {
    int year = two(datetime) * 100 + two(datetime + 2), month = two(datetime + 4), day = two(datetime + 6);
    char clock[DICOM_TIME_CHARS + 1];
    memcpy(clock, datetime + DICOM_DATE_CHARS, sizeof clock);
    bug_unless(month >= 1 && month <= 12);
    int days = dicom_time_shift(clock, minutes);
    for (; days < 0; days++) {
        if (--day < 1) {
            if (--month < 1) {
                month = 12;
                year--;
            }
            day = month_days(year, month);
        }
    }
    for (; days > 0; days--) {
        if (++day > month_days(year, month)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    if (year < 0 || year > 9999)
        return false;
    put_two(datetime, year / 100);
    put_two(datetime + 2, year % 100);
    put_two(datetime + 4, month);
    put_two(datetime + 6, day);
    memcpy(datetime + DICOM_DATE_CHARS, clock, sizeof clock);
    return true;
}
