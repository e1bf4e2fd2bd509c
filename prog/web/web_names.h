// Names that several files share.
#ifndef WEB_WEB_NAMES_H
#define WEB_WEB_NAMES_H

// __Host-: only over TLS, for the whole of this host, set by nobody else (RFC 6265bis 4.1.3.2).
#define WEB_COOKIE_SESSION "__Host-galena"
#define WEB_COOKIE_DEVICE "__Host-galena-device"
#define WEB_COOKIE_OIDC "__Host-galena-oidc"

#endif
