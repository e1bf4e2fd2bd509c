// What a study consists of, by C-FIND (Study Root, hierarchical): its series and their objects.
#ifndef CLI_EXPORT_LIST_H
#define CLI_EXPORT_LIST_H

#include "scu.h"

#include "base/uid.h"

enum { EXPORT_OBJECTS_MAX = 1000000 };

struct export_object {
    unsigned series; // index into series
    char sop_class[UID_MAX + 1], sop_instance[UID_MAX + 1];
    char transfer[UID_MAX + 1]; // "" when the archive does not say
    bool got;
};

struct export_list {
    char (*series)[UID_MAX + 1];
    size_t series_count;
    struct export_object *objects; // series by series
    size_t object_count;
};

// Asks over an association that has a context for Study Root FIND.
enum err export_list_find(struct scu *s, const char *study, struct export_list *ret_list,
                          struct fault *f);
void export_list_fini(struct export_list *l);

#endif
