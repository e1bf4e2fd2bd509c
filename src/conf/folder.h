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

// Appends one line to a list of problems; forgets it when memory is short.
void conf_problem_add(char (**problems)[256], size_t *count, const char *text);

#endif
