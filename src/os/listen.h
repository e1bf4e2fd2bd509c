// Listening sockets, accepting, dialling, and who is at the other end.
#ifndef OS_LISTEN_H
#define OS_LISTEN_H

#include "base/err.h"
#include "base/slice.h"

#include <sys/socket.h>
#include <sys/types.h>

enum { OS_ADDR_TEXT = 64 }; // "[2001:db8::1]:2762" and a NUL

struct os_addr {
    struct sockaddr_storage sa;
    socklen_t n;
};

// "127.0.0.1:2762", "[::1]:2762", "*:2762" (all addresses), numeric only: no look-up.
enum err os_addr_parse(const char *text, struct os_addr *ret_addr, struct fault *f);
void os_addr_text(const struct os_addr *a, char dst[OS_ADDR_TEXT]);    // with the port
void os_addr_host_text(const struct os_addr *a, char dst[OS_ADDR_TEXT]); // without; IPv4 in IPv6 as IPv4

// What limits count by: the IPv4 address, or the /64 of an IPv6 one, as text; "local" for AF_UNIX.
void os_addr_source(const struct os_addr *a, char dst[OS_ADDR_TEXT]);

// Non-blocking, SO_REUSEADDR, backlog 1024.
enum err os_listen_tcp(const struct os_addr *a, int *ret_fd, struct fault *f);
uint16_t os_listen_port(int fd); // the port bound to, when 0 was asked for

// Replaces a stale socket of that name; mode is set before anyone can connect.
// type: SOCK_STREAM or SOCK_SEQPACKET.
enum err os_listen_unix(const char *path, int type, mode_t mode, int *ret_fd, struct fault *f);
enum err os_connect_unix(const char *path, int type, int *ret_fd, struct fault *f);

// accept4: blocking or not as asked, close-on-exec, TCP_NODELAY and SO_KEEPALIVE on TCP.
// Nothing waiting: ERR_BUSY. Out of descriptors: ERR_NO_MEMORY.
enum err os_accept(int listener, bool nonblock, int *ret_fd, struct os_addr *ret_addr, struct fault *f);

// Acknowledges what has been read at once instead of up to 40 ms later; to be called after reading.
// A sender whose TCP collects small writes (Nagle's algorithm) waits for that between a command and its
// data set. Allowed in the sandbox. Not a TCP socket: nothing happens.
void os_tcp_ack_now(int fd);

struct os_cred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
enum err os_peer_cred(int fd, struct os_cred *ret_cred, struct fault *f); // SO_PEERCRED

// Resolves and connects, trying each address until the time is up; blocks, so for a short-lived child only.
enum err os_dial_tcp(const char *host, const char *port, int timeout_ms, int *ret_fd, struct fault *f);

#endif
