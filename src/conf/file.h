// Reading a settings file of `name = value` lines through libconfuse, driven by a table: one
// row an option. Internal to src/conf.
//
// Each value is handed to the row's take function as it is read, so that an error knows its
// line. An unknown option, an option given twice and a value that take refuses end the reading.
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include "base/buf.h"
#include "conf/conf.h"

struct conf_option {
    const char *name;
    // Stores one value (of a list: each in turn) into dst; false with the reason in f.
    bool (*take)(void *dst, const struct conf_option *o, struct slice value, struct fault *f);
    size_t offset;       // where in dst, for the take functions below
    uint64_t min, max;   // numbers
    const char *comment; // written above it
    bool list, required;
};

enum { CONF_OPTIONS_MAX = 32 };

// path: to open (never a link, at most CONF_FILE_MAX_BYTES); shown: how errors name it.
// A file that is not there: ERR_NO_SUCH_OBJECT.
enum err conf_file_parse(const char *path, const char *shown, const struct conf_option *options,
                         size_t n, void *dst, struct fault *f);

bool conf_take_u32(void *dst, const struct conf_option *o, struct slice value, struct fault *f);
bool conf_take_bool(void *dst, const struct conf_option *o, struct slice value, struct fault *f);
bool conf_take_bytes(void *dst, const struct conf_option *o, struct slice value,
                     struct fault *f); // "5 GB"
bool conf_take_addr(void *dst, const struct conf_option *o, struct slice value, struct fault *f);
bool conf_take_ae(void *dst, const struct conf_option *o, struct slice value, struct fault *f);
bool conf_take_collections(void *dst, const struct conf_option *o, struct slice value,
                           struct fault *f); // conf_collection_names_parse
bool conf_bytes_parse(struct slice text, uint64_t *ret_bytes);
void conf_bytes_format(uint64_t bytes, char ret_text[32]); // exact: "5 GiB", "1000"

void conf_put_comment(struct buf *b, const char *comment);
void conf_put_quoted(struct buf *b, const char *value); // "value", escaped
void conf_put_text(struct buf *b, const char *name, const char *value); // name = "value", escaped

#endif
