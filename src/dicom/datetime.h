// Dates and times (DA, TM, DT of PS3.5 6.2) as strings that compare bytewise:
//   date      "YYYYMMDD"
//   time      "HHMMSS.FFFFFF"
//   datetime  "YYYYMMDDHHMMSS.FFFFFF"
// A value with less precision stands for a span: [low, high], both inclusive. The forms of
// ACR-NEMA (YYYY.MM.DD, HH:MM:SS) are taken too.
//
// Not a calendar for people: no time zones by name, no daylight saving; an offset from UTC is minutes.
#ifndef DICOM_DATETIME_H
#define DICOM_DATETIME_H

#include "base/slice.h"

enum {
    DICOM_DATE_CHARS = 8,
    DICOM_TIME_CHARS = 13,
    DICOM_DATETIME_CHARS = 21,
    DICOM_ZONE_UNKNOWN = INT16_MIN, // no offset from UTC is known
};

// NUL-terminated; the empty string is an open end.
struct dicom_span {
    char low[DICOM_DATETIME_CHARS + 1], high[DICOM_DATETIME_CHARS + 1];
};

// One value, padding removed or not. False when it is not valid: a date that is in no calendar (30
// February), an hour 24. A second 60 is valid (PS3.5 6.2). The empty value is not valid.
bool dicom_date_parse(struct slice s, struct dicom_span *ret_span);
bool dicom_time_parse(struct slice s, struct dicom_span *ret_span);
// Shifted to UTC by the value's own offset or else zone_min; by nothing when both are unknown.
bool dicom_datetime_parse(struct slice s, int zone_min, struct dicom_span *ret_span);

// A key with a range "a-b", "-b", "a-" or one value (PS3.4 C.2.2.2.5): from a's low to b's high.
bool dicom_date_range(struct slice s, struct dicom_span *ret_span);
bool dicom_time_range(struct slice s, struct dicom_span *ret_span);
bool dicom_datetime_range(struct slice s, int zone_min, struct dicom_span *ret_span);

// Timezone Offset From UTC (0008,0201), "+0130" or "-0500": minutes. False when invalid (PS3.3 C.12.1.1.8:
// -1200 to +1400).
bool dicom_zone_parse(struct slice s, int *ret_zone_min);

// Adds minutes to a datetime as above; false when the year leaves 0000–9999.
bool dicom_datetime_shift(char datetime[DICOM_DATETIME_CHARS + 1], int minutes);
// Adds minutes to a time, round midnight: -1, 0 or 1 says on which day it now is.
int dicom_time_shift(char time[DICOM_TIME_CHARS + 1], int minutes);

#endif
