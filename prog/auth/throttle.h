// After wrong passwords the next check comes later. Nobody is ever locked out, and nobody can make somebody
// else wait: what counts is who asks, not whom they ask about.
//
// Wrong passwords are counted for each pair of user and source (the address; of IPv6 its /64), and, more
// patiently, for each source, against trying one password with many users. A browser that has signed this
// user in before shows a proof of it (device.h) and is a source of its own: neither somebody else behind
// the same address nor any flood on the user's name delays it. Counting by user alone would let anyone who
// knows a name shut its bearer out; a guess costs Argon2 whatever it is, and passwords have 12 characters
// at least.
//
// A slot belongs to one who is counted, or to nobody: whoever floods the table pushes counts out, not
// others in.
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include "base/slice.h"

enum {
    THROTTLE_SETS = 2048,
    THROTTLE_WAYS = 4,
    THROTTLE_FIRST_MS = 500,        // after the first failure; doubles with each …
    THROTTLE_MOST_MS = 15000,       // … up to this
    THROTTLE_FORGET_MS = 900000,    // since the last failure
    THROTTLE_FREE = 20,             // failures of a source, whoever is meant, that cost nothing …
    THROTTLE_LEAK_MS = 60000,       // … and one is forgotten in this time
    THROTTLE_CODE_MOST_MS = 900000, // for codes of the second factor, which are short; …
    THROTTLE_CODE_FORGET_MS = 86400000, // … so that there are a hundred guesses a day
};

struct throttle_slot {
    uint64_t tag; // 0: free
    int64_t last_ms, next_ms;
    unsigned failures;
};

struct throttle {
    uint8_t key[32]; // random, so that nobody can choose a name that shares another's tag
    struct throttle_slot slot[THROTTLE_SETS][THROTTLE_WAYS];
};

struct throttle_who {
    uint64_t pair;   // user and source, or user and device
    uint64_t source; // 0: not counted
    bool patient;    // up to THROTTLE_CODE_MOST_MS, and for longer
};

// The part of an address that one customer has: an IPv4 address, the first 64 bits of an IPv6 one; else the
// text.
uint64_t throttle_source(const struct throttle *t, struct slice source);
// device: what tells a device with a valid proof, or empty.
struct throttle_who throttle_who(const struct throttle *t, struct slice user, struct slice source,
                                 struct slice device);
// For wrong codes after a right password. Of a device with a proof, or a session, by it (device: its pair).
// Else (0) by user alone: only somebody who knows the password can make its bearer wait here, and only on a
// browser that has never signed in before.
struct throttle_who throttle_who_code(const struct throttle *t, struct slice user, uint64_t device);

int64_t throttle_due_ms(const struct throttle *t, struct throttle_who who, int64_t now_ms); // >= now_ms
// A check is under way that is worked out at due_ms: checks that come at once queue up behind each other.
void throttle_book(struct throttle *t, struct throttle_who who, int64_t due_ms);
void throttle_note(struct throttle *t, struct throttle_who who, bool valid, int64_t now_ms);

#endif
