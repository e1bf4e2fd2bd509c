#include "index/words.h"

#include <stdlib.h>

#include "base/fuzzy.h"

static uint32_t hash_of(struct slice s) { // FNV-1a
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * 16777619u;
    return h;
}

// Where the word is, or belongs.
static uint32_t *slot_of(const struct words *w, struct slice text) {
    uint32_t i = hash_of(text) & (w->slot_count - 1);
    while (w->slots[i] && !slice_eq(w->v[w->slots[i] - 1].text, text))
        i = (i + 1) & (w->slot_count - 1);
    return &w->slots[i];
}

static bool grow_slots(struct words *w) { // never more than half of them are taken
    uint32_t more = w->slot_count ? 2 * w->slot_count : 1024;
    uint32_t *slots = calloc(more, sizeof *slots);
    if (!slots)
        return false;
    free(w->slots);
    w->slots = slots;
    w->slot_count = more;
    for (uint32_t i = 0; i < w->count; i++)
        *slot_of(w, w->v[i].text) = i + 1;
    return true;
}

static bool grow(void *array, uint32_t *cap, uint32_t count, size_t each_bytes) {
    void **p = array;
    if (count < *cap)
        return true;
    uint32_t more = *cap ? 2 * *cap : 1024;
    void *grown = reallocarray(*p, more, each_bytes);
    if (!grown)
        return false;
    *p = grown;
    *cap = more;
    return true;
}

static bool number_of(struct words *w, struct slice text, uint32_t *ret_number) {
    if (2 * (w->count + 1) > w->slot_count && !grow_slots(w))
        return false;
    uint32_t *slot = slot_of(w, text);
    if (!*slot) {
        if (!grow(&w->v, &w->cap, w->count, sizeof *w->v))
            return false;
        w->v[w->count++] = (struct word){.text = text};
        *slot = w->count;
    }
    *ret_number = *slot - 1;
    return true;
}

bool words_add_name(struct words *w, struct slice name, uint32_t *ret_at, uint32_t *ret_count) {
    struct slice rest = name, word;
    uint32_t at = w->number_count, number;
    while ((word = fuzzy_next_word(&rest)).n > 0) {
        if (w->number_count == WORDS_MAX || !number_of(w, word, &number) ||
            !grow(&w->numbers, &w->number_cap, w->number_count, sizeof *w->numbers))
            return false;
        w->numbers[w->number_count++] = number;
    }
    *ret_at = at;
    *ret_count = w->number_count - at;
    return true;
}

void words_fini(struct words *w) {
    free(w->v);
    free(w->numbers);
    free(w->slots);
    *w = (struct words){0};
}
