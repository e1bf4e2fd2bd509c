#include "conf/folder.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

static void close_dir(DIR **d) {
    if (*d)
        closedir(*d);
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

static bool take_entry(const char *entry, const char *suffix, struct conf_names *names) {
    struct slice name = slice_str(entry);
    size_t tail = strlen(suffix);
    if (name.n <= tail || strcmp(entry + name.n - tail, suffix) != 0)
        return true;
    name.n -= tail;
    if (!conf_name_valid(name))
        return true;
    void *grown = realloc(names->v, (names->n + 1) * sizeof *names->v);
    if (!grown)
        return false;
    names->v = grown;
    return slice_to_cstr(name, names->v[names->n++], CONF_NAME_MAX + 1);
}

enum err conf_folder_list(const char *path, const char *suffix, size_t max, struct conf_names *ret_names,
                          struct fault *f) {
    struct conf_names names = {0};
    CLEANUP(close_dir) DIR *d = opendir(path);
    if (!d && errno != ENOENT)
        return fault_errno(f, path);
    const struct dirent *entry;
    while (d && (errno = 0, entry = readdir(d))) {
        if (names.n >= max || !take_entry(entry->d_name, suffix, &names)) {
            free(names.v);
            return fault_set(f, ERR_LIMIT, "%.64s: more than %zu entries, or not enough memory", path,
                             max);
        }
    }
    if (d && errno != 0) {
        free(names.v);
        return fault_errno(f, path);
    }
    if (names.n > 1)
        qsort(names.v, names.n, sizeof *names.v, by_name);
    *ret_names = names;
    return OK;
}

bool conf_problem_add(char (**problems)[256], size_t *count, const char *text) {
    void *grown = realloc(*problems, (*count + 1) * sizeof **problems);
    if (!grown)
        return false;
    *problems = grown;
    snprintf((*problems)[(*count)++], sizeof **problems, "%s", text);
    return true;
}

enum err conf_leave_out(const struct fault *why, char (**problems)[256], size_t *count, struct fault *f) {
    if (err_of_machine(why->code))
        return fault_set(f, why->code, "%s", why->detail);
    if (!conf_problem_add(problems, count, why->detail))
        return fault_set(f, ERR_NO_MEMORY, "not enough memory to say: %s", why->detail);
    return OK;
}
