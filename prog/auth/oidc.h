// Sign-in with a provider: authorization code flow with PKCE (OpenID Connect Core 3.1, RFC 7636), discovery
// (OpenID Connect Discovery 1.0), and the provider's bearer tokens for programs.
//
// The state that travels through the browser proves itself: it is random, has the time, and a MAC by a key
// that dies with this process. The PKCE verifier and the nonce are MACs of it. So no table of sign-ins
// under way can be flooded; only where one wanted to go is remembered, and may be forgotten.
//
// What is fetched comes from prog/fetch: the provider's settings and keys, an hour long, and what it says
// to a code.
#ifndef AUTH_OIDC_H
#define AUTH_OIDC_H

#include "auth.h"

bool oidc_init(struct auth *a);
void oidc_settings_changed(struct auth *a); // another provider, perhaps
void oidc_use_channel(struct auth *a, int take_fd);
int oidc_channel(const struct auth *a); // to poll; -1: none
void oidc_on_fetched(struct auth *a);
int64_t oidc_tick(struct auth *a,
                  int64_t now_ms); // ends what took too long; when to call again, INT64_MAX: never

void oidc_on_bearer(struct auth *a, uint64_t request, struct slice jwt);
void oidc_on_start(struct auth *a, const struct ipc_auth_oidc_start *m);
void oidc_on_finish(struct auth *a, const struct ipc_auth_oidc_finish *m);

#endif
