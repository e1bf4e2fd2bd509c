// DA, TM, DT of PS3.5 6.2, ranges of PS3.4 C.2.2.2.5, Timezone Offset From UTC of PS3.3 C.12.1.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dicom/datetime.h"
#include "dicom/number.h"

struct row {
    const char *text, *low, *high; // low NULL: not valid
};

static const struct row dates[] = {
    {"20240131", "20240131", "20240131"},
    {"20240131 ", "20240131", "20240131"},
    {"2024.01.31", "20240131", "20240131"},
    {"20240229", "20240229", "20240229"},
    {"20000229", "20000229", "20000229"},
    {"00010101", "00010101", "00010101"},
    {"99991231", "99991231", "99991231"},
    {"", NULL, NULL},
    {"00000000", NULL, NULL},
    {"20230229", NULL, NULL},
    {"19000229", NULL, NULL},
    {"20240230", NULL, NULL},
    {"20240431", NULL, NULL},
    {"20240100", NULL, NULL},
    {"20240001", NULL, NULL},
    {"20241301", NULL, NULL},
    {"2024013", NULL, NULL},
    {"202401311", NULL, NULL},
    {"2024-01-31", NULL, NULL},
    {"2024.0131", NULL, NULL},
    {"2024.01.31.", NULL, NULL},
    {"2024013a", NULL, NULL},
    {"+2024013", NULL, NULL},
    {"20240131\xFF", NULL, NULL},
};

static const struct row times[] = {
    {"10", "100000.000000", "105959.999999"},
    {"1030", "103000.000000", "103059.999999"},
    {"103015", "103015.000000", "103015.999999"},
    {"103015.5", "103015.500000", "103015.599999"},
    {"103015.123456", "103015.123456", "103015.123456"},
    {"10:30:15", "103015.000000", "103015.999999"},
    {"10:30:15.25", "103015.250000", "103015.259999"},
    {"10:30", "103000.000000", "103059.999999"},
    {"235960", "235960.000000", "235960.999999"},
    {"000000 ", "000000.000000", "000000.999999"},
    {"", NULL, NULL},
    {"1", NULL, NULL},
    {"24", NULL, NULL},
    {"240000", NULL, NULL},
    {"1060", NULL, NULL},
    {"103061", NULL, NULL},
    {"10301", NULL, NULL},
    {"103015.", NULL, NULL},
    {"103015.1234567", NULL, NULL},
    {"10.5", NULL, NULL},
    {"10:3015", NULL, NULL},
    {"1030:15", NULL, NULL},
    {"10:", NULL, NULL},
    {"noon", NULL, NULL},
    {"-1030", NULL, NULL},
};

static const struct row datetimes[] = {
    {"2024", "20240101000000.000000", "20241231235959.999999"},
    {"202402", "20240201000000.000000", "20240229235959.999999"},
    {"20240229", "20240229000000.000000", "20240229235959.999999"},
    {"2024022912", "20240229120000.000000", "20240229125959.999999"},
    {"202402291230", "20240229123000.000000", "20240229123059.999999"},
    {"20240229123015.5", "20240229123015.500000", "20240229123015.599999"},
    {"20240229123015+0100", "20240229113015.000000", "20240229113015.999999"},
    {"20240101003000+0100", "20231231233000.000000", "20231231233000.999999"},
    {"20231231233000-0100", "20240101003000.000000", "20240101003000.999999"},
    {"20240228233000-0100", "20240229003000.000000", "20240229003000.999999"},
    {"2024-0000", "20240101000000.000000", "20241231235959.999999"},
    {"2024+1400", "20231231100000.000000", "20241231095959.999999"},
    {"", NULL, NULL},
    {"202", NULL, NULL},
    {"202413", NULL, NULL},
    {"20240230", NULL, NULL},
    {"2024022924", NULL, NULL},
    {"202402291260", NULL, NULL},
    {"20240229123015.", NULL, NULL},
    {"20240229123015+01", NULL, NULL},
    {"20240229123015+0160", NULL, NULL},
    {"20240229123015+1401", NULL, NULL},
    {"20240229123015-1201", NULL, NULL},
    {"20240229123015Z", NULL, NULL},
    {"2024-02-29", NULL, NULL},
    {"2024.02.29", NULL, NULL},
    {"+0100", NULL, NULL},
    {"99991231235959-0100", NULL, NULL}, // the year 10000
};

static void check(const char *table, const struct row *rows, size_t count,
                  bool parse(struct slice s, struct dicom_span *ret_span)) {
    for (size_t i = 0; i < count; i++) {
        struct dicom_span span = {"untouched", "untouched"};
        bool ok = parse(slice_str(rows[i].text), &span);
        if (ok != (rows[i].low != NULL))
            fail_msg("%s '%s': %d", table, rows[i].text, ok);
        if (ok && (strcmp(span.low, rows[i].low) != 0 || strcmp(span.high, rows[i].high) != 0))
            fail_msg("%s '%s': %s to %s", table, rows[i].text, span.low, span.high);
    }
}

static bool datetime(struct slice s, struct dicom_span *ret_span) {
    return dicom_datetime_parse(s, DICOM_ZONE_UNKNOWN, ret_span);
}

static bool datetime_range(struct slice s, struct dicom_span *ret_span) {
    return dicom_datetime_range(s, DICOM_ZONE_UNKNOWN, ret_span);
}

static void test_values(void **state) {
    (void)state;
    check("date", dates, sizeof dates / sizeof *dates, dicom_date_parse);
    check("time", times, sizeof times / sizeof *times, dicom_time_parse);
    check("datetime", datetimes, sizeof datetimes / sizeof *datetimes, datetime);
}

static void test_ranges(void **state) {
    (void)state;
    static const struct row date_ranges[] = {
        {"20240101", "20240101", "20240101"},
        {"20240101-20240131", "20240101", "20240131"},
        {"2024.01.01-2024.01.31", "20240101", "20240131"},
        {"20240101 - 20240131 ", "20240101", "20240131"},
        {"20240101-", "20240101", ""},
        {"-20240131", "", "20240131"},
        {"20240131-20240101", "20240131", "20240101"},
        {"-", NULL, NULL},
        {"--", NULL, NULL},
        {"", NULL, NULL},
        {"20240101-20240230", NULL, NULL},
        {"20240101-20240102-", NULL, NULL},
        {"20240101--20240102", NULL, NULL},
        {"20240101                                                  -20240102", NULL,
         NULL}, // longer than any
    };
    check("date range", date_ranges, sizeof date_ranges / sizeof *date_ranges, dicom_date_range);
    static const struct row time_ranges[] = {
        {"10-12", "100000.000000", "125959.999999"},
        {"1030-", "103000.000000", ""},
        {"-1030", "", "103059.999999"},
        {"10:30-11:00", "103000.000000", "110059.999999"},
        {"10-25", NULL, NULL},
        {"10-11-12", NULL, NULL},
        {"-", NULL, NULL},
    };
    check("time range", time_ranges, sizeof time_ranges / sizeof *time_ranges, dicom_time_range);
    static const struct row datetime_ranges[] = {
        {"2023-2024", "20230101000000.000000", "20241231235959.999999"},
        {"20240101-0500", "20240101050000.000000", "20240102045959.999999"}, // an offset, no range
        {"20240101-0500-", "20240101050000.000000", ""},
        {"-20240101-0500", "", "20240102045959.999999"},
        {"20240101-0500-20240102-0500", "20240101050000.000000", "20240103045959.999999"},
        {"20240101-20240102-0500", "20240101000000.000000", "20240103045959.999999"},
        {"20240101+0100-20240102+0100", "20231231230000.000000", "20240102225959.999999"},
        {"20240102-20240101", "20240102000000.000000", "20240101235959.999999"},
        {"2010-0500-1100", "20100101000000.000000", "05010101105959.999999"}, // two ways, neither in order
        {"-", NULL, NULL},
        {"2024-x", NULL, NULL},
        {"2024-13-", NULL, NULL},
        {"20240101-0500-20240102-0500-20240103", NULL, NULL},
    };
    check("datetime range", datetime_ranges, sizeof datetime_ranges / sizeof *datetime_ranges,
          datetime_range);
}

static void test_zone(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int minutes; // 9999: not valid
    } rows[] = {
        {"+0000", 0},    {"-0000", 0},     {"+0100", 60},   {"-0500", -300}, {"+0530", 330},  {"+1400", 840},
        {"-1200", -720}, {"+0100 ", 60},   {"+1401", 9999}, {"-1201", 9999}, {"+0160", 9999}, {"0100", 9999},
        {"+100", 9999},  {"+01000", 9999}, {"", 9999},      {"+", 9999},     {"+0a00", 9999}, {"UTC", 9999},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int minutes = 9999;
        if (dicom_zone_parse(slice_str(rows[i].text), &minutes) != (rows[i].minutes != 9999) ||
            minutes != rows[i].minutes)
            fail_msg("'%s': %d", rows[i].text, minutes);
    }
}

static void test_shift(void **state) {
    (void)state;
    char time[] = "233000.500000";
    assert_int_equal(dicom_time_shift(time, 60), 1);
    assert_string_equal(time, "003000.500000");
    assert_int_equal(dicom_time_shift(time, -60), -1);
    assert_string_equal(time, "233000.500000");
    assert_int_equal(dicom_time_shift(time, 0), 0);
    char leap[] = "20240228233000.000000";
    assert_true(dicom_datetime_shift(leap, 60));
    assert_string_equal(leap, "20240229003000.000000");
    char year[] = "20240101000000.000000";
    assert_true(dicom_datetime_shift(year, -1));
    assert_string_equal(year, "20231231235900.000000");
    char last[] = "99991231235959.000000";
    assert_false(dicom_datetime_shift(last, 1));
    char first[] = "00000101000000.000000";
    assert_false(dicom_datetime_shift(first, -1));
}

static void test_numbers(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0"},
        {"-0.00", "0"},
        {"+007", "7"},
        {"512", "512"},
        {" 512 ", "512"},
        {"1.50", "1.5"},
        {"15e-1", "1.5"},
        {".5", "0.5"},
        {"5.", "5"},
        {"0.0001", "0.0001"},
        {"1E3", "1000"},
        {"-1.25e2", "-125"},
        {"1e30", "1e30"},
        {"10e29", "1e30"},
        {"1e-30", "1e-30"},
        {"0.1e-29", "1e-30"},
        {"123456789012345678901234567890", "12345678901234567890123456789e1"},
        {"", NULL},
        {"+", NULL},
        {".", NULL},
        {"e5", NULL},
        {"1e", NULL},
        {"1e+", NULL},
        {"1e10000", NULL},
        {"1.2.3", NULL},
        {"0x10", NULL},
        {"1 2", NULL},
        {"--1", NULL},
        {"nan", NULL},
        {"inf", NULL},
        {"1,5", NULL},
        {"12345678901234567890123456789012345678901234567890123456789012345", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = BUF_INIT(200);
        bool ok = dicom_number_normalise(slice_str(rows[i][0]), &b);
        if (ok != (rows[i][1] != NULL) || !slice_eq_str(buf_slice(&b), ok ? rows[i][1] : ""))
            fail_msg("'%s': '%.*s'", rows[i][0], SLICE_FMT(buf_slice(&b)));
        buf_fini(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_ranges),  cmocka_unit_test(test_zone),
        cmocka_unit_test(test_shift),  cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
