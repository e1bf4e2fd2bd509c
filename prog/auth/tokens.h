// The programs' tokens, by the SHA-256 of each. When one was last used is known since this process began.
#ifndef AUTH_TOKENS_H
#define AUTH_TOKENS_H

#include "base/err.h"
#include "conf/token.h"

struct token {
    struct conf_token c;
    int64_t used_s; // 0: not yet
};

struct tokens {
    struct token *v; // sorted by digest
    size_t n;
};

enum { TOKENS_MAX_BYTES = 64 * 1024 * 1024 };

// Replaces *tokens when all of the text is good; else leaves it as it is. Consumes take_fd.
enum err tokens_load(struct tokens *tokens, int take_fd, struct fault *f);
void tokens_fini(struct tokens *tokens);
struct token *tokens_find(const struct tokens *tokens, struct slice digest); // also when it has expired
struct token *tokens_by_id(const struct tokens *tokens, struct slice user, struct slice id);
size_t tokens_of_user(const struct tokens *tokens, struct slice user);
bool tokens_add(struct tokens *tokens, const struct conf_token *t);
void tokens_remove(struct tokens *tokens, struct token *t);

uint32_t tokens_rights(unsigned can); // of conf/token.h to enum ipc_right
unsigned tokens_can(uint32_t rights); // and back; what no token can have is left out

#endif
