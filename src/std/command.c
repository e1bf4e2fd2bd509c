#include "std/command.h"

struct command_row {
    struct std_command_info info;
    const uint32_t *must, *may;
    uint8_t must_count, may_count;
};

#include "std/command.inc"

static const struct command_row *find_row(uint16_t field) {
    for (size_t i = 0; i < sizeof(command_rows) / sizeof(command_rows[0]); i++) {
        if (command_rows[i].info.field == field)
            return &command_rows[i];
    }
    return NULL;
}

static bool has(const uint32_t *tags, size_t count, uint32_t tag) {
    for (size_t i = 0; i < count; i++) {
        if (tags[i] == tag)
            return true;
    }
    return false;
}

const struct std_command_info *std_command_find(uint16_t field) {
    const struct command_row *row = find_row(field);
    return row != NULL ? &row->info : NULL;
}

enum cmd_use std_command_use(uint16_t field, uint32_t tag) {
    const struct command_row *row = find_row(field);
    if (row == NULL)
        return CMD_USE_NONE;
    if (has(row->must, row->must_count, tag))
        return CMD_USE_MANDATORY;
    return has(row->may, row->may_count, tag) ? CMD_USE_CONDITIONAL : CMD_USE_NONE;
}

size_t std_command_mandatory(uint16_t field, const uint32_t **ret_tags) {
    const struct command_row *row = find_row(field);
    if (row == NULL)
        return 0;
    *ret_tags = row->must;
    return row->must_count;
}
