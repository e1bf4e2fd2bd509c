// The confined half of export: asks the archive what a study has, gets it, and writes files and DICOMDIR
// into the descriptors it is handed.
#ifndef CLI_EXPORT_INNER_H
#define CLI_EXPORT_INNER_H

struct export_inner {
    const char *called; // AE title of the archive
    const char *study;  // Study Instance UID
};

int export_inner_run(int channel, void *export_inner);

#endif
