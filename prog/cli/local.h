// Connections to the archive over DIR/run/dicom.sock. The working folder is DIR.
#ifndef CLI_LOCAL_H
#define CLI_LOCAL_H

#include <stdbool.h>

// -1 when nobody serves.
int local_connect(void);
// Is the archive being served? Else says how to start it.
bool local_is_served(const char *shown_dir);

#endif
