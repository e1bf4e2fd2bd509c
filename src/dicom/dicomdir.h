// The directory of a file-set: PS3.3 Annex F (Basic Directory IOD), PS3.10 8 (DICOMDIR).
//
// Records are added as files are written, each with the object's attributes; then the whole is encoded.
// One study: one PATIENT, one STUDY record, a SERIES record each, and below it a record for each object.
// Attributes that the standard wants and the object does not have are made up the way DCMTK's dcmmkdir
// does.
#ifndef DICOM_DICOMDIR_H
#define DICOM_DICOMDIR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "dicom/dataset.h"

enum { DICOMDIR_ARENA_MAX_BYTES = 512 * 1024 * 1024, DICOMDIR_MAX_BYTES = 1024 * 1024 * 1024 };

struct dicomdir_file {
    const char *file_id; // "DICOM\\S0000001\\I0000001"
    const char *sop_class, *sop_instance, *transfer;
    unsigned series; // from 0, ascending: files of one series follow one another
};

struct dicomdir;

struct dicomdir *dicomdir_new(void); // NULL: no memory
void dicomdir_free(struct dicomdir *d);
enum err dicomdir_add(struct dicomdir *d, const struct dicomdir_file *file,
                      const struct dicom_dataset *object, struct fault *f);
// The file, head and all. instance_uid: of the directory itself.
enum err dicomdir_encode(const struct dicomdir *d, const char *instance_uid, struct buf *out,
                         struct fault *f);

#endif
