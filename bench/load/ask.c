// bench-ask --host H --port P --called AE [--tls FOLDER] … asks by C-FIND (Study Root) and takes the time.
//
// A question a line on stdin: LIMIT LEVEL TAG=VALUE TAG=VALUE …, tags ascending, eight hexadecimal digits, a
// blank in a value written '_'. With a limit, the time until so many answers have come; the association is
// then given up and the next question begins on a new one, whose making is not counted. Else the time until
// the last. On stdout a line each: milliseconds, answers.
#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char find_class[] = "1.2.840.10008.5.1.4.1.2.2.1", implicit_le[] = "1.2.840.10008.1.2";

double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool time_is_up(const struct options *o) {
    (void)o;
    return false;
}

static size_t put(uint8_t *p, uint32_t tag, const char *value) {
    size_t n = strlen(value), padded = n + n % 2;
    uint8_t head[8] = {(uint8_t)(tag >> 16), (uint8_t)(tag >> 24), (uint8_t)tag, (uint8_t)(tag >> 8),
                       (uint8_t)padded, (uint8_t)(padded >> 8)};
    memcpy(p, head, 8);
    for (size_t i = 0; i < n; i++)
        p[8 + i] = value[i] == '_' ? ' ' : (uint8_t)value[i];
    if (n % 2)
        p[8 + n] = tag >> 16 == 0x0020 ? '\0' : ' ';
    return 8 + padded;
}

static size_t identifier_of(char *keys, const char *level, uint8_t *p) {
    bool has_level = false;
    size_t n = put(p, 0x00080005, "ISO_IR 192");
    for (char *at, *key = strtok_r(keys, " \n", &at); key; key = strtok_r(NULL, " \n", &at)) {
        uint32_t tag = (uint32_t)strtoul(key, NULL, 16);
        char *value = strchr(key, '=');
        if (tag > 0x00080052 && !has_level) {
            n += put(p + n, 0x00080052, level);
            has_level = true;
        }
        n += put(p + n, tag, value ? value + 1 : "");
    }
    return n;
}

static bool reach(struct assoc *a, const struct options *o) {
    struct context ctx = {.abstract = find_class, .transfer = {implicit_le}};
    a->conn = conn_dial(o->host, o->port, o->timeout_s);
    return a->conn && assoc_open(a, o->calling, o->called, &ctx, 1);
}

// Answers until the last one or the limit; -1: it broke.
static long ask(struct assoc *a, const uint8_t *id, size_t n, long limit) {
    struct message m;
    long answers = 0;
    if (!assoc_send(a, 1, C_FIND_RQ, find_class, NULL, NULL, id, n))
        return -1;
    for (;;) {
        if (assoc_receive(a, &m) != RECEIVED_MESSAGE)
            return -1;
        if ((m.status & 0xff00) != 0xff00)
            return m.status == 0 ? answers : -1;
        if (++answers == limit)
            return answers;
    }
}

static bool ask_all(const struct options *o) {
    char line[4096], level[17];
    uint8_t id[8192];
    struct assoc a = {0};
    bool open = false;
    while (fgets(line, sizeof line, stdin)) {
        long limit = 0;
        int at = 0;
        if (sscanf(line, "%ld %16s %n", &limit, level, &at) != 2 || (!open && !reach(&a, o)))
            return false;
        size_t n = identifier_of(line + at, level, id);
        double began = now_s();
        long answers = ask(&a, id, n, limit);
        if (answers < 0)
            return false;
        printf("%.3f %ld\n", (now_s() - began) * 1000, answers);
        open = limit == 0 || answers < limit;
        if (!open)
            conn_close(a.conn);
    }
    if (open) {
        assoc_release(&a);
        conn_close(a.conn);
    }
    return true;
}

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},    {"port", required_argument, NULL, 'p'},
    {"calling", required_argument, NULL, 'c'}, {"called", required_argument, NULL, 'd'},
    {"tls", required_argument, NULL, 't'},     {0},
};

int main(int argc, char **argv) {
    struct options o = {.host = "127.0.0.1", .calling = "BENCH", .called = "ANY", .timeout_s = 120};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        switch (c) {
        case 'h': o.host = optarg; break;
        case 'p': o.port = atoi(optarg); break;
        case 'c': o.calling = optarg; break;
        case 'd': o.called = optarg; break;
        case 't': o.tls = optarg; break;
        default: return 2;
        }
    signal(SIGPIPE, SIG_IGN);
    if (!net_init(o.tls) || !ask_all(&o))
        return fprintf(stderr, "bench-ask: it broke off\n"), 1;
    return 0;
}
