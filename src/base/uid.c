#include "base/uid.h"

static bool uid_check(struct slice s, bool allow_leading_zero) {
    if (s.n == 0 || s.n > UID_MAX)
        return false;
    while (s.p) {
        struct slice part = slice_split(s, '.', &s);
        if (part.n == 0)
            return false;
        if (part.n > 1 && part.p[0] == '0' && !allow_leading_zero)
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (part.p[i] < '0' || part.p[i] > '9')
                return false;
    }
    return true;
}

bool uid_valid(struct slice s) {
    return uid_check(s, false);
}

bool uid_tolerable(struct slice s) {
    return uid_check(s, true);
}

struct slice uid_trim(struct slice s) {
    while (s.n > 0 && (s.p[s.n - 1] == 0 || s.p[s.n - 1] == ' '))
        s.n--;
    return s;
}
