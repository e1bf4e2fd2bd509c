// The confined half of import: identifies files, unpacks ZIPs, reads DICOMDIRs, stores objects.
#ifndef CLI_IMPORT_INNER_H
#define CLI_IMPORT_INNER_H

enum { IMPORT_BATCH = 32 };

struct import_inner {
    const char *called; // AE title of the archive
};

int import_inner_run(int channel, void *import_inner);

#endif
