#include "http/cookie.h"

bool cookie_get(struct slice header, const char *name, struct slice *ret_value) {
    struct slice rest = header, found = {NULL, 0};
    unsigned count = 0;
    while (rest.p) {
        struct slice pair = slice_trim(slice_split(rest, ';', &rest), " \t"), value;
        struct slice key = slice_split(pair, '=', &value);
        if (!value.p || !slice_eq_str(key, name))
            continue;
        found = value;
        count++;
    }
    if (count != 1)
        return false;
    *ret_value = found;
    return true;
}
