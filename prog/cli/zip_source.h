// The members of a ZIP, one after the other, unpacked as they are read. Their names are only ever shown.
//
// Limits: members, bytes of one and of all, and how many times longer than the file all may be: forged
// sizes and overlapping members end there. A ZIP within a ZIP is not opened.
#ifndef CLI_ZIP_SOURCE_H
#define CLI_ZIP_SOURCE_H

#include "file_source.h"

enum { ZIP_MEMBERS_MAX = 1000000, ZIP_RATIO_MAX = 200 };
#define ZIP_MEMBER_MAX_BYTES (64ull << 30)
#define ZIP_FREE_BYTES (256ull << 20) // up to here any ratio is taken

struct zip;

enum err zip_open(int fd, struct zip **ret_zip,
                  struct fault *f); // from its beginning; fd stays the caller's
void zip_close(struct zip *z);

// The next member that is a file; ERR_NO_SUCH_OBJECT after the last. The name is NUL-terminated, until
// the next.
enum err zip_next(struct zip *z, struct source *ret_source, const char **ret_name, struct fault *f);

#endif
