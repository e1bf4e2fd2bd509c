#include "conf/collection.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "conf/file.h"
#include "conf/folder.h"

#include <stdio.h>

const char *const conf_collection_field_names[CONF_COLLECTION_FIELDS] = {
    [CONF_BY_INSTITUTION] = "institution",
    [CONF_BY_STATION] = "station",
    [CONF_BY_MODALITY] = "modality",
    [CONF_BY_REFERRING_PHYSICIAN] = "referring_physician",
    [CONF_BY_PATIENT_ID] = "patient_id",
    [CONF_BY_ISSUER] = "issuer",
    [CONF_BY_PATIENT_NAME] = "patient_name",
    [CONF_BY_ACCESSION] = "accession",
    [CONF_BY_STUDY_DESCRIPTION] = "study_description",
};

// --- Values -------------------------------------------------------------------------------------

static bool is_text(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '\\')
            return false;
    return utf8_valid(s);
}

enum err conf_collection_add_value(struct conf_collection *c, enum conf_collection_field field,
                                   struct slice value, struct fault *f) {
    struct conf_collection_values *values = &c->by[field];
    if (slice_trim(value, "* ").n == 0)
        return fault_set(f, ERR_CONFIG,
                         "a value must say something; without the condition everything is meant");
    if (value.n > CONF_COLLECTION_VALUE_MAX || !is_text(value))
        return fault_set(f, ERR_CONFIG,
                         "must be text of at most %d bytes without backslash or control characters",
                         CONF_COLLECTION_VALUE_MAX);
    if (values->n >= CONF_COLLECTION_VALUES_MAX)
        return fault_set(f, ERR_LIMIT, "at most %d values", CONF_COLLECTION_VALUES_MAX);
    char **grown = realloc(values->v, (values->n + 1) * sizeof *grown);
    if (!grown)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    values->v = grown;
    struct slice tidy = slice_trim(value, " ");
    char *copy = strndup((const char *)tidy.p, tidy.n);
    if (!copy)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    values->v[values->n++] = copy;
    return OK;
}

bool conf_collection_is_empty(const struct conf_collection *c) {
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++)
        if (c->by[i].n)
            return false;
    return true;
}

void conf_collection_fini(struct conf_collection *c) {
    for (int i = 0; i < CONF_COLLECTION_FIELDS; i++) {
        for (size_t k = 0; k < c->by[i].n; k++)
            free(c->by[i].v[k]);
        free(c->by[i].v);
    }
    *c = (struct conf_collection){0};
}

bool conf_collection_names_parse(struct slice text, char ret_names[CONF_COLLECTION_NAMES_MAX + 1]) {
    char names[CONF_COLLECTION_NAMES_MAX + 1] = "";
    size_t n = 0;
    struct slice rest = slice_trim(text, " ");
    if (rest.n == 0)
        rest.p = NULL;
    while (rest.p) {
        struct slice name = slice_trim(slice_split(rest, ',', &rest), " ");
        if (!conf_name_valid(name) || n + name.n + 2 > sizeof names)
            return false;
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", n ? "," : "", SLICE_FMT(name));
    }
    memcpy(ret_names, names, sizeof names);
    return true;
}

// --- The file -----------------------------------------------------------------------------------

static bool take_value(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    return conf_collection_add_value(dst, (enum conf_collection_field)o->offset, value, f) == OK;
}

static bool take_description(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_collection *c = dst;
    (void)o;
    if (is_text(value) && slice_to_cstr(value, c->description, sizeof c->description))
        return true;
    fault_set(f, ERR_CONFIG, "must be text of at most %d bytes", CONF_COLLECTION_DESCRIPTION_MAX);
    return false;
}

// The offset is the condition.
static const struct conf_option options[] = {
    {"description", take_description, 0, 0, 0, "What it is, for people.", false, false},
    {"institution", take_value, CONF_BY_INSTITUTION, 0, 0,
     "Institution Name of the study's first series with one.", true, false},
    {"station", take_value, CONF_BY_STATION, 0, 0, "Station Name, likewise.", true, false},
    {"modality", take_value, CONF_BY_MODALITY, 0, 0, "Modality of any of its series.", true, false},
    {"referring_physician", take_value, CONF_BY_REFERRING_PHYSICIAN, 0, 0, "Referring Physician's Name.",
     true, false},
    {"patient_id", take_value, CONF_BY_PATIENT_ID, 0, 0, "Patient ID.", true, false},
    {"issuer", take_value, CONF_BY_ISSUER, 0, 0, "Issuer of Patient ID.", true, false},
    {"patient_name", take_value, CONF_BY_PATIENT_NAME, 0, 0, "Patient's Name.", true, false},
    {"accession", take_value, CONF_BY_ACCESSION, 0, 0, "Accession Number.", true, false},
    {"study_description", take_value, CONF_BY_STUDY_DESCRIPTION, 0, 0, "Study Description.", true, false},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

static enum err parse(const char *dir, struct conf_collection *c, struct fault *f) {
    char path[4096], shown[CONF_NAME_MAX + 32];
    snprintf(shown, sizeof shown, "collections/%s.conf", c->name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, shown) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_file_parse(path, shown, options, OPTION_COUNT, c, f);
    if (e == OK && conf_collection_is_empty(c))
        e = fault_set(f, ERR_CONFIG, "%s: has no condition, and would be everything", shown);
    return e;
}

enum err conf_collection_load(const char *dir, const char *name, struct conf_collection *ret_collection,
                              struct fault *f) {
    struct conf_collection c = {0};
    if (!conf_name_valid(slice_str(name)))
        return fault_set(f, ERR_CONFIG,
                         "a collection's name has letters, digits, '-', '_' and '.', at most %d",
                         CONF_NAME_MAX);
    strcpy(c.name, name);
    enum err e = parse(dir, &c, f);
    if (e != OK) {
        conf_collection_fini(&c);
        return e;
    }
    *ret_collection = c;
    return OK;
}

static void put_values(struct buf *b, const char *name, const struct conf_collection_values *values) {
    buf_printf(b, "%s = {", name);
    for (size_t i = 0; i < values->n; i++) {
        buf_append_str(b, i ? ", " : "");
        conf_put_quoted(b, values->v[i]);
    }
    buf_append_str(b, "}\n");
}

enum err conf_collection_save(const char *dir, const struct conf_collection *c, struct fault *f) {
    char path[4096], file[CONF_NAME_MAX + 16];
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CONF_FILE_MAX_BYTES);
    conf_put_comment(&b, options[0].comment);
    conf_put_text(&b, options[0].name, c->description);
    for (size_t i = 1; i < OPTION_COUNT; i++) {
        const struct conf_collection_values *values = &c->by[options[i].offset];
        if (values->n == 0)
            continue;
        conf_put_comment(&b, options[i].comment);
        put_values(&b, options[i].name, values);
    }
    snprintf(file, sizeof file, "%s.conf", c->name);
    if (!buf_ok(&b) || (size_t)snprintf(path, sizeof path, "%s/collections", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "collections/%s: is too long", file);
    return conf_write_file(path, file, 0600, buf_slice(&b), f);
}

// --- All of them --------------------------------------------------------------------------------

enum err conf_collections_load(const char *dir, struct conf_collections *ret_collections, struct fault *f) {
    char path[4096];
    struct conf_names names = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/collections", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    enum err e = conf_folder_list(path, ".conf", CONF_COLLECTIONS_MAX, &names, f);
    if (e != OK)
        return e;
    struct conf_collections all = {.v = calloc(names.n + 1, sizeof *all.v)};
    for (size_t i = 0; e == OK && all.v && i < names.n; i++) {
        struct fault why = {0};
        if (conf_collection_load(dir, names.v[i], &all.v[all.n], &why) == OK)
            all.n++;
        else
            e = conf_leave_out(&why, &all.problems, &all.problem_count, f);
    }
    free(names.v);
    if (!all.v)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory for the collections");
    if (e != OK) {
        conf_collections_fini(&all);
        return e;
    }
    *ret_collections = all;
    return OK;
}

void conf_collections_fini(struct conf_collections *c) {
    for (size_t i = 0; i < c->n; i++)
        conf_collection_fini(&c->v[i]);
    free(c->v);
    free(c->problems);
    *c = (struct conf_collections){0};
}

const struct conf_collection *conf_collections_by_name(const struct conf_collections *c, struct slice name) {
    for (size_t i = 0; i < c->n; i++)
        if (slice_eq_str(name, c->v[i].name))
            return &c->v[i];
    return NULL;
}
