#include "http/date.h"

#include <stdio.h>

static const char days[] = "ThuFriSatSunMonTueWed"; // 1 January 1970 was a Thursday
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

enum { DAY_S = 86400, DAYS_MAX = 2932896 }; // 31 December 9999

// Days since 1970 of a date in the Gregorian calendar, counted in years that begin in March.
static int64_t days_of(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t day, int *ret_y, int *ret_m, int *ret_d) {
    day += 719468;
    int64_t era = day / 146097, doe = day - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_y = (int)(yoe + era * 400 + (*ret_m <= 2));
}

void http_date_format(int64_t unix_s, char ret_text[HTTP_DATE_BYTES + 1]) {
    if (unix_s < 0)
        unix_s = 0;
    if (unix_s >= (int64_t)(DAYS_MAX + 1) * DAY_S)
        unix_s = (int64_t)(DAYS_MAX + 1) * DAY_S - 1;
    int64_t day = unix_s / DAY_S;
    int s = (int)(unix_s % DAY_S), y, m, d;
    char text[80];
    date_of(day, &y, &m, &d);
    snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + day % 7 * 3, d,
             months + (m - 1) * 3, y, s / 3600, s / 60 % 60, s % 60);
    memcpy(ret_text, text, HTTP_DATE_BYTES);
    ret_text[HTTP_DATE_BYTES] = 0;
}

static int digits(struct slice t, size_t at, size_t n) {
    uint64_t v;
    return slice_to_u64(slice_sub(t, at, n), 9999, &v) ? (int)v : -1;
}

static int month_of(struct slice t) {
    for (int m = 0; m < 12; m++)
        if (memcmp(t.p + 8, months + m * 3, 3) == 0)
            return m + 1;
    return -1;
}

// What it says is what we would write: that checks blanks, commas, the day of the week and of the month.
bool http_date_parse(struct slice text, int64_t *ret_unix_s) {
    if (text.n != HTTP_DATE_BYTES)
        return false;
    int d = digits(text, 5, 2), m = month_of(text), y = digits(text, 12, 4);
    int h = digits(text, 17, 2), min = digits(text, 20, 2), s = digits(text, 23, 2);
    if (d < 1 || m < 1 || y < 1970 || h < 0 || h > 23 || min < 0 || min > 59 || s < 0 || s > 60)
        return false;
    int64_t t = days_of(y, m, d) * DAY_S + h * 3600 + min * 60 + s;
    char again[HTTP_DATE_BYTES + 1];
    http_date_format(s == 60 ? t - 1 : t, again);
    if (s == 60)
        memcpy(again + 23, "60", 2);
    if (!slice_eq_str(text, again))
        return false;
    *ret_unix_s = t;
    return true;
}
