// The files the gate's template reads: opened or collected here, because the gate opens none.
// They are bytes to us; the gate parses them.
#ifndef SUPERVISOR_TRUST_H
#define SUPERVISOR_TRUST_H

#include "base/err.h"

enum err trust_open(const char *path, int *ret_fd, struct fault *f);

// tls/ca.pem and every peers/NAME/cert.pem, joined, as a memory file.
enum err trust_collect(int *ret_fd, struct fault *f);

#endif
