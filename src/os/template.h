// A template: a process of a role that has loaded all it needs, confined itself, and forks one worker
// a connection when the supervisor asks.
//
//   os_proc_harden → load (certificates, tables) → os_sandbox_enter_template(role)
//   → os_template_serve(3, &ctl)   returns in a worker only, already in its stricter sandbox
//   → receive CONNECT on ctl (src/ipc) → serve one connection → exit
//
// Protocol on the template's socket (SEQPACKET, native structs, same machine and build):
// READY once the self-test passed; then SPAWN with one descriptor, answered by the child's id.
// A worker that waits for its connection blocks in recvmsg on ctl, and ends when ctl is closed.
#ifndef OS_TEMPLATE_H
#define OS_TEMPLATE_H

#include "base/err.h"
#include "os/sandbox.h"

enum { OS_TEMPLATE_CTL = 3 }; // the template's own socket, see os_proc_spec

// The template's side. Runs the self-test, says READY and forks workers until the socket closes (then
// exits 0). In a worker: closes template_ctl, confines, runs the self-test again, returns OK.
enum err os_template_serve(enum os_role role, int template_ctl, int *ret_child_ctl, struct fault *f);

// For auth, which is no template but says in the same way that it is up.
enum err os_template_say_ready(int ctl, struct fault *f);

// The supervisor's side; both may return ERR_PEER_GONE when the template died.
enum err os_template_await_ready(int template_ctl, int timeout_ms, struct fault *f);
// Asks for a worker that gets child_ctl (stays the caller's: close it). Waits for the answer.
enum err os_template_spawn(int template_ctl, int child_ctl, pid_t *ret_pid, struct fault *f);

#endif
