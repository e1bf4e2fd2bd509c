#include "stow.h"
#include "route.h"
#include "stow_parts.h"
void stow(struct request *rq) {
    answer_error(rq, 501, "x", "not yet");
}
