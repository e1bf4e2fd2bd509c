#include "std/status.h"

#include "std/status.inc"

static const struct std_status *find_row(uint8_t service, uint16_t code) {
    for (size_t i = 0; i < std_status_count(); i++) {
        if (status_rows[i].service == service && (code & status_rows[i].mask) == status_rows[i].code)
            return &status_rows[i];
    }
    return NULL;
}

const struct std_status *std_status_find(enum status_service service, uint16_t code) {
    const struct std_status *s = find_row((uint8_t)service, code);
    return s != NULL ? s : find_row(STATUS_ANY, code);
}

enum status_class std_status_class(uint16_t code) {
    switch (code) {
    case 0x0000:
        return STATUS_SUCCESS;
    case 0x0001:
    case 0x0107:
    case 0x0116:
        return STATUS_WARNING;
    case 0xFE00:
        return STATUS_CANCEL;
    case 0xFF00:
    case 0xFF01:
        return STATUS_PENDING;
    default:
        return code >> 12 == 0xB ? STATUS_WARNING : STATUS_FAILURE;
    }
}

size_t std_status_count(void) {
    return sizeof(status_rows) / sizeof(status_rows[0]);
}

const struct std_status *std_status_at(size_t i) {
    return i < std_status_count() ? &status_rows[i] : NULL;
}
