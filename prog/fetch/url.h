// Which addresses are fetched: https, or http on this machine alone (for tests, and for providers behind a
// proxy here).
#ifndef FETCH_URL_H
#define FETCH_URL_H

#include <sys/socket.h>

#include "base/slice.h"

enum url_kind { URL_REFUSED, URL_HTTPS, URL_HTTP };
enum url_kind url_kind(const char *url);
bool url_is_loopback(const struct sockaddr *address); // the address that is really connected to

#endif
