#include "supervisor.h"

#include "os/clock.h"
#include "os/fd.h"

#include <stdio.h>

static void say(struct supervisor *s, const char *what, const struct fault *f) {
    char text[512];
    os_log_fault(OS_LOG_ERROR, what, f);
    snprintf(text, sizeof text, "%s: %s\n", what, f->detail);
    control_reloaded(s, slice_str(text));
}

// Settings, trust, users, then the archive. What is wrong leaves everything as it was from there on.
void reload(struct supervisor *s) {
    struct fault f = {0};
    struct conf fresh;
    notify("RELOADING=1");
    if (conf_load(".", &fresh, &f) != OK) {
        say(s, "the old settings stay", &f);
    } else {
        conf_fini(&s->conf);
        s->conf = fresh;
        apply_limits(s);
        if (spawn_template(s, OS_ROLE_GATE, &f) != OK)
            say(s, "the old certificates stay", &f);
        else if (accounts_reload(s, &f) != OK)
            say(s, "the old users stay", &f);
        else if (!s->archive_ready
                 || ipc_send(s->archive.fd, IPC_RELOAD, &(struct ipc_reload){0}, NULL, 0) != OK)
            control_reloaded(s, SLICE_LIT("the archive is not ready; it reads its settings when it is\n"));
    }
    notify("READY=1");
}
