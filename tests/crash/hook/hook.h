// A library that stands between the real programs and the C library, for the tests alone: it makes the n-th
// call of a kind fail in one role, or writes down what the archive asks of the disk, or makes that slow. The
// programs that are built beside it are linked with it; those that are installed are not.
//
// It is told what to do through a file beside the programs, hook.ctl, that is mapped before they confine
// themselves; without that file it only passes calls on. hook.log, if there is one, takes the record.
#ifndef TESTS_CRASH_HOOK_H
#define TESTS_CRASH_HOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum hook_role { HOOK_SUPERVISOR, HOOK_ARCHIVE, HOOK_AUTH, HOOK_GATE, HOOK_DIMSE, HOOK_WEB, HOOK_ROLES };
enum hook_kind {
    HOOK_ALLOC,   // malloc and its like
    HOOK_MAP,     // mmap
    HOOK_READ,    // read, pread
    HOOK_WRITE,   // write, pwrite
    HOOK_SYNC,    // fsync, fdatasync
    HOOK_FD,      // what makes a descriptor
    HOOK_SEND,    // send, sendmsg: IPC
    HOOK_RECV,    // recv, recvmsg: IPC
    HOOK_FILE,    // lengths and names: ftruncate, fallocate, rename, unlink, mkdir, fstat, fstatvfs
    HOOK_PROCESS, // fork, clone, threads
    HOOK_WAIT,    // poll, epoll_wait
    HOOK_KINDS
};
enum { HOOK_HALF = -1 }; // instead of an errno: only half is read or written

// tests/crash/lib/hook.py knows this layout.
struct hook_block {
    _Atomic uint32_t counts[HOOK_ROLES][HOOK_KINDS];
    _Atomic uint32_t armed, role, kind, nth;
    _Atomic int32_t error;
    _Atomic uint32_t forever; // not only the n-th, but all after it, too
    _Atomic uint32_t fired, fired_pid;
    _Atomic uint64_t fired_at; // where it was called, from the program's beginning
    _Atomic uint32_t recording;
    _Atomic uint64_t log_end;  // of hook.log
    _Atomic uint32_t sync_us;  // so long each sync of the archive takes at least
};
extern struct hook_block *hook_block;
extern enum hook_role hook_role;

// 0: let it pass; else the errno, or HOOK_HALF.
int hook_due(enum hook_kind kind, const void *from);

// --- record.c: what the archive asks of the disk
enum hook_what { HOOK_CREATE, HOOK_WROTE, HOOK_LENGTH, HOOK_PUNCHED, HOOK_SYNCED, HOOK_RENAMED, HOOK_UNLINKED,
                 HOOK_MADE_DIR };
void hook_record_open(void *log, size_t bytes); // from the constructor
void hook_record_fd(int dir, const char *name, int fd, bool may_create); // fd was opened
void hook_record_dup(int from, int to);
void hook_record_close(int fd);
void hook_record(enum hook_what what, int fd, uint64_t at, uint64_t n, const void *data);
void hook_record_name(enum hook_what what, int dir, const char *name, int to_dir, const char *to);

#endif
