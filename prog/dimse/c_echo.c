// C-ECHO, PS3.7 9.1.5.
#include "worker.h"

void c_echo(struct worker *w, const struct ul_assoc_event *ev) {
    (void)reply_status(w, ev, DIMSE_SUCCESS, NULL);
}
