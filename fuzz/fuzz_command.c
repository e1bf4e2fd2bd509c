// DIMSE command sets: what decodes encodes to something that decodes to the same.
#include "fuzz.h"

#include "ul/command.h"

// An instance that was no UID is there, but cannot be written.
static bool can_be_written(const struct dimse_command *c) {
    return !((c->has & DIMSE_HAS_AFFECTED_INSTANCE && !c->affected_instance[0]) ||
             (c->has & DIMSE_HAS_REQUESTED_INSTANCE && !c->requested_instance[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct dimse_command first, second;
    struct fault f = {OK, ""};
    enum err e = dimse_command_decode(slice_of(data, n), &first, &f);
    FUZZ_CHECK((e == OK) == (f.code == OK));
    if (e != OK || !can_be_written(&first))
        return 0;
    struct buf b = BUF_INIT(DIMSE_COMMAND_BYTES_MAX);
    dimse_command_encode(&first, &b);
    FUZZ_CHECK(buf_ok(&b));
    FUZZ_CHECK(dimse_command_decode(buf_slice(&b), &second, &f) == OK);
    FUZZ_CHECK(first.has == second.has && first.field == second.field);
    FUZZ_CHECK(dimse_field_name(first.field) != NULL);
    buf_fini(&b);
    return 0;
}
