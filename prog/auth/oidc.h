// Sign-in with a provider (OpenID Connect Core 1.0), and its bearer tokens.
#ifndef AUTH_OIDC_H
#define AUTH_OIDC_H

#include "auth.h"

void oidc_on_bearer(struct auth *a, uint64_t request, struct slice jwt);
void oidc_on_start(struct auth *a, const struct ipc_auth_oidc_start *m);
void oidc_on_finish(struct auth *a, const struct ipc_auth_oidc_finish *m);

#endif
