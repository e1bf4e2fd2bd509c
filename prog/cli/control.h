// Talking to a running server through DIR/run/supervisor.sock. The working folder is DIR.
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

enum control_result { CONTROL_OK, CONTROL_NOT_RUNNING, CONTROL_FAILED };

// Sends one word ("status", "reload", "stop") and takes the answer's text.
enum control_result control_ask(const char *word, char *ret_answer, size_t cap);

// Makes a running server read its peers and users again; prints in one line whether it did.
void control_reload_and_say(const char *what);

#endif
