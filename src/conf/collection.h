// DIR/collections/NAME.conf: a named part of the archive, by conditions on studies and their patients. Peers,
// users and tokens may be limited to some collections; what none of these holds does not exist for them.
//
// A study is in a collection when each of its conditions holds; a condition, when one of its values does.
// Values may have the wildcards '*' and '?'. Names (patient, referring physician) are compared as in a
// query: neither case nor accents count, and without wildcards the whole name must be it.
//
// Institution and station are those of the study's first series that has any; modality is that of any series.
//
// A collection that is not there, or whose file is broken, holds nothing: `problems` says why, one log line
// each. It is not a right: what somebody may do in it is the peer's, the user's, the token's.
#ifndef CONF_COLLECTION_H
#define CONF_COLLECTION_H

#include "conf/conf.h"

enum conf_collection_field {
    CONF_BY_INSTITUTION,
    CONF_BY_STATION,
    CONF_BY_MODALITY,
    CONF_BY_REFERRING_PHYSICIAN,
    CONF_BY_PATIENT_ID,
    CONF_BY_ISSUER,
    CONF_BY_PATIENT_NAME,
    CONF_BY_ACCESSION,
    CONF_BY_STUDY_DESCRIPTION,
    CONF_COLLECTION_FIELDS
};

enum {
    CONF_COLLECTIONS_MAX = 1024,
    CONF_COLLECTION_VALUES_MAX = 256,      // of one condition
    CONF_COLLECTION_VALUE_MAX = 256,       // bytes of one
    CONF_COLLECTION_NAMES_MAX = 511,       // bytes of a list of collections
    CONF_COLLECTION_DESCRIPTION_MAX = 255,
};

struct conf_collection_values {
    char **v;
    size_t n;
};

struct conf_collection {
    char name[CONF_NAME_MAX + 1];
    char description[CONF_COLLECTION_DESCRIPTION_MAX + 1];
    struct conf_collection_values by[CONF_COLLECTION_FIELDS]; // n 0: no such condition
};

struct conf_collections {
    struct conf_collection *v;
    size_t n;
    char (*problems)[256];
    size_t problem_count;
};

enum err conf_collections_load(const char *dir, struct conf_collections *ret_collections, struct fault *f);
void conf_collections_fini(struct conf_collections *c);
const struct conf_collection *conf_collections_by_name(const struct conf_collections *c, struct slice name);

// ERR_NO_SUCH_OBJECT: there is none. conf_collection_fini() what comes back.
enum err conf_collection_load(const char *dir, const char *name, struct conf_collection *ret_collection,
                              struct fault *f);
enum err conf_collection_save(const char *dir, const struct conf_collection *c, struct fault *f);
void conf_collection_fini(struct conf_collection *c);

// The names of conditions, as in the file and (with '-' for '_') on the command line.
extern const char *const conf_collection_field_names[CONF_COLLECTION_FIELDS];
// ERR_CONFIG with what is wrong with the value, ERR_LIMIT, ERR_NO_MEMORY.
enum err conf_collection_add_value(struct conf_collection *c, enum conf_collection_field field,
                                   struct slice value, struct fault *f);
bool conf_collection_is_empty(const struct conf_collection *c); // no condition at all

// A list of names, "ward3,research", tidied: what peers, users and tokens are limited to; "" is no limit.
bool conf_collection_names_parse(struct slice text, char ret_names[CONF_COLLECTION_NAMES_MAX + 1]);

#endif
