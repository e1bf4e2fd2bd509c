// The record of what the archive asks of the disk, for simulated power losses: one entry after the other, in
// the order in which the calls ended. Files are named by their path from the archive's folder.
#include "hook.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FDS = 16384, PATH_BYTES = 96 };

struct entry {
    uint32_t what, path_bytes;
    uint64_t at, n, data_bytes; // then the path, and the data
};

static uint8_t *log_bytes;
static size_t log_size;
static char paths[FDS][PATH_BYTES]; // of descriptors below the archive's folder; "": none
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool on(void) {
    return log_bytes && hook_block && hook_block->recording && hook_role == HOOK_ARCHIVE;
}

void hook_record_open(void *log, size_t bytes) {
    log_bytes = log;
    log_size = bytes;
}

// Of DIR, which is the working folder.
static bool path_of(int dir, const char *name, char ret[PATH_BYTES]) {
    char cwd[4096];
    if (name[0] == '/') { // SQLite makes names absolute
        size_t n = getcwd(cwd, sizeof cwd) ? strlen(cwd) : 0;
        if (n == 0 || strncmp(name, cwd, n) != 0 || name[n] != '/')
            return false;
        name += n + 1;
    }
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    const char *folder = dir >= 0 && dir < FDS ? paths[dir] : "";
    if (strcmp(name, ".") == 0 && *folder)
        return memcpy(ret, folder, PATH_BYTES);
    int n = snprintf(ret, PATH_BYTES, "%s%s%s", folder, *folder ? "/" : "", name);
    return n > 0 && n < PATH_BYTES;
}

static void append(enum hook_what what, const char *path, uint64_t at, uint64_t n, const void *data,
                   uint64_t data_bytes) {
    struct entry e = {(uint32_t)what, (uint32_t)strlen(path), at, n, data_bytes};
    pthread_mutex_lock(&lock);
    uint64_t end = hook_block->log_end, need = sizeof e + e.path_bytes + data_bytes;
    if (need <= log_size - end) { // else the driver sees that it is full
        memcpy(log_bytes + end, &e, sizeof e);
        memcpy(log_bytes + end + sizeof e, path, e.path_bytes);
        if (data_bytes)
            memcpy(log_bytes + end + sizeof e + e.path_bytes, data, data_bytes);
        hook_block->log_end = end + need;
    } else {
        hook_block->recording = 0;
    }
    pthread_mutex_unlock(&lock);
}

void hook_record_fd(int dir, const char *name, int fd, bool may_create) {
    char path[PATH_BYTES];
    if (!log_bytes || hook_role != HOOK_ARCHIVE || fd < 0 || fd >= FDS)
        return;
    paths[fd][0] = '\0';
    if (!path_of(dir, name, path))
        return;
    memcpy(paths[fd], path, sizeof path);
    if (on() && may_create)
        append(HOOK_CREATE, path, 0, 0, NULL, 0);
}

void hook_record_dup(int from, int to) {
    if (log_bytes && from >= 0 && from < FDS && to >= 0 && to < FDS)
        memcpy(paths[to], paths[from], PATH_BYTES);
}

void hook_record_close(int fd) {
    if (log_bytes && fd >= 0 && fd < FDS)
        paths[fd][0] = '\0';
}

void hook_record(enum hook_what what, int fd, uint64_t at, uint64_t n, const void *data) {
    if (on() && fd >= 0 && fd < FDS && paths[fd][0])
        append(what, paths[fd], at, n, data, data ? n : 0);
}

void hook_record_name(enum hook_what what, int dir, const char *name, int to_dir, const char *to) {
    char path[PATH_BYTES], second[PATH_BYTES] = "";
    if (on() && path_of(dir, name, path) && (!to || path_of(to_dir, to, second)))
        append(what, path, 0, 0, second, strlen(second));
}
