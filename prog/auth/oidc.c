#include "oidc.h"

void oidc_on_bearer(struct auth *a, uint64_t request, struct slice jwt) {
    (void)a, (void)jwt;
    struct ipc_auth_identity m = {.request = request, .error = ERR_DENIED};
    auth_send(IPC_AUTH_IDENTITY, &m);
}

void oidc_on_start(struct auth *a, const struct ipc_auth_oidc_start *m) {
    (void)a;
    struct ipc_auth_oidc_go answer = {.request = m->request, .error = ERR_UNSUPPORTED};
    auth_send(IPC_AUTH_OIDC_GO, &answer);
}

void oidc_on_finish(struct auth *a, const struct ipc_auth_oidc_finish *m) {
    (void)a;
    sign_in_refuse(m->request, ERR_UNSUPPORTED, false, 0);
}
