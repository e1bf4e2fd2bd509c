// Listing DIR/peers and DIR/users. Internal to src/conf.
#ifndef CONF_FOLDER_H
#define CONF_FOLDER_H

#include "conf/conf.h"

struct conf_names {
    char (*v)[CONF_NAME_MAX + 1]; // sorted; free() it
    size_t n;
};

// The entries that are valid names, without `suffix`; entries without that suffix and those that begin
// with '.' are passed over. A folder that is not there is empty.
enum err conf_folder_list(const char *path, const char *suffix, size_t max, struct conf_names *ret_names,
                          struct fault *f);

// Appends one line to a list of problems.
bool conf_problem_add(char (**problems)[256], size_t *count, const char *text); // false: no memory

// A file was not read. If that is its own fault it is left out, and a problem; OK. If it is the machine's
// (memory, descriptors, the disk) nobody knows what stands in it: that error, and the list is not one.
enum err conf_leave_out(const struct fault *why, char (**problems)[256], size_t *count, struct fault *f);

#endif
