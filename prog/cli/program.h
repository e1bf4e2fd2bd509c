// Galena's other programs: beside this one, or in ../libexec/galena once installed.
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <stddef.h>
#include <stdbool.h>

// Opens the program's file, so that it can be started from anywhere by any user; says what is wrong.
int cli_program_open(const char *name, char *ret_path, size_t cap);
// Replaces this process; returns (with a message) only when that failed.
int cli_program_exec(int fd, const char *path, char *const *argv);

#endif
