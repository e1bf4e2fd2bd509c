#include "quote.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool harmless(const char *word) {
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
    return word[0] && word[strspn(word, safe)] == '\0';
}

void cli_quote(const char *word, char *ret_quoted, size_t cap) {
    if (harmless(word)) {
        snprintf(ret_quoted, cap, "%s", word);
        return;
    }
    size_t n = 0;
    ret_quoted[n++] = '\'';
    for (; *word && n + 6 < cap; word++) {
        if (*word == '\'') {
            memcpy(ret_quoted + n, "'\\''", 4);
            n += 4;
        } else {
            ret_quoted[n++] = *word;
        }
    }
    ret_quoted[n++] = '\'';
    ret_quoted[n] = '\0';
}
