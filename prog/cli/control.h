// Talking to a running server through DIR/run/supervisor.sock. The working folder is DIR.
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

enum control_result { CONTROL_OK, CONTROL_NOT_RUNNING, CONTROL_FAILED };

// Sends one word ("status", "reload", "stop") and takes the answer's text.
enum control_result control_ask(const char *word, char *ret_answer, size_t cap);

bool control_was_refused(const char *answer); // to "reload": it goes on with what it knew before

// Makes a running server read its peers and users again, and prints in one line whether it did. The verb's
// exit status: what was taken from somebody must not seem to be gone while the server does not know.
int control_reload_and_say(const char *what);

#endif
