// DIMSE status codes (spec/status.tsv): PS3.7 Annex C, and what PS3.4 adds for C-STORE, C-FIND,
// C-MOVE and C-GET.
#ifndef STD_STATUS_H
#define STD_STATUS_H

#include "base/slice.h"

enum status_class {
    STATUS_SUCCESS,
    STATUS_WARNING,
    STATUS_FAILURE,
    STATUS_CANCEL,
    STATUS_PENDING,
};

enum status_service {
    STATUS_ANY, // PS3.7 Annex C: any DIMSE service
    STATUS_ECHO,
    STATUS_STORE,
    STATUS_FIND,
    STATUS_MOVE,
    STATUS_GET,
};

// Generated: #define STATUS_CODE_STORE_OUT_OF_RESOURCES 0xA700u and its like.
#include "std/statuses.h"

struct std_status {
    uint16_t code;       // digits that vary are 0
    uint16_t mask;       // 0xFF00 for "A7xx"
    uint8_t service;     // enum status_service
    uint8_t class_;      // enum status_class
    const char *id;      // STORE_OUT_OF_RESOURCES
    const char *meaning; // "Refused: Out of Resources"
    const char *related; // keywords of the elements that may come along, separated by blanks
};

// The row of the service, else the general one, or NULL; codes like A7xx match by their mask.
const struct std_status *std_status_find(enum status_service service, uint16_t code);
// By the ranges of PS3.7 Annex C, also for codes nobody listed.
enum status_class std_status_class(uint16_t code);
size_t std_status_count(void);
const struct std_status *std_status_at(size_t i);

#endif
