// Drives a fuzz target without a fuzzing engine: every file of a folder, and of each file up to two
// thousand mutants made from a fixed seed, so that a run is repeatable. Linked with clang's libFuzzer
// instead, the same targets search on their own (fuzz/run).
//
//   fuzz_pdu corpus/pdu [mutants of each file]
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 1 << 20, GROWTH_MAX = 64, MUTANTS_MAX = 2000, MUTANTS_ALL_MAX = 20000 };

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return limit ? (uint32_t)((random_state >> 32) % limit) : 0;
}

// In a block of exactly its size, so that the sanitizers see a read past the end.
static void run_exact(const uint8_t *data, size_t n) {
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        abort();
    if (n)
        memcpy(exact, data, n);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static size_t mutate_once(uint8_t *p, size_t n, size_t cap) {
    static const uint8_t interesting[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF};
    uint32_t at = random_below((uint32_t)n);
    switch (random_below(6)) {
    case 0: // one bit
        if (n)
            p[at] = (uint8_t)(p[at] ^ 1u << random_below(8));
        return n;
    case 1: // a telling value
        if (n)
            p[at] = interesting[random_below(sizeof interesting)];
        return n;
    case 2: // a run of it, as in lengths
        for (size_t i = at; i < n && i < at + 4u; i++)
            p[i] = interesting[random_below(sizeof interesting)];
        return n;
    case 3: // cut off
        return at;
    case 4: { // take out
        size_t gone = n - at < 8 ? n - at : 1 + random_below(8);
        memmove(p + at, p + at + gone, n - at - gone);
        return n - gone;
    }
    default: { // a piece twice
        size_t more = 1 + random_below(GROWTH_MAX - 1);
        if (n - at < more || n + more > cap)
            return n;
        memmove(p + at + more, p + at, n - at);
        return n + more;
    }
    }
}

static void run_mutants(const uint8_t *data, size_t n, unsigned long count) {
    uint8_t *copy = malloc(n + GROWTH_MAX);
    if (!copy)
        abort();
    for (unsigned long i = 0; i < count; i++) {
        size_t length = n;
        memcpy(copy, data, n);
        for (uint32_t k = 1 + random_below(6); k; k--)
            length = mutate_once(copy, length, n + GROWTH_MAX);
        run_exact(copy, length);
    }
    free(copy);
}

static int run_file(const char *folder, const char *name, unsigned long mutants) {
    static uint8_t data[INPUT_MAX];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t n = fread(data, 1, sizeof data, file);
    fclose(file);
    run_exact(data, n);
    run_mutants(data, n, mutants);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, NULL, alphasort), files = 0, status = 0;
    unsigned long mutants = MUTANTS_ALL_MAX / (count > 0 ? (unsigned long)count : 1);
    if (argc > 2)
        mutants = strtoul(argv[2], NULL, 10);
    else if (mutants > MUTANTS_MAX)
        mutants = MUTANTS_MAX;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            status |= run_file(argv[1], entries[i]->d_name, mutants);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d files, %lu mutants each\n", argv[1], files, mutants);
    return files ? status : 1; // an empty corpus tests nothing
}
