// bench-load KIND --host H --port P --called AE [--tls FOLDER] [--pack FILE] [--associations N] …
//
// Kinds: store get move find hold echo ask. The result is one line of JSON on stdout (after what find found).
#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double started_s;

bool time_is_up(const struct options *o) {
    return o->limit_s > 0 && now_s() - started_s > o->limit_s;
}

static const struct option long_options[] = {
    {"host", required_argument, NULL, 'h'},         {"port", required_argument, NULL, 'p'},
    {"calling", required_argument, NULL, 'c'},      {"called", required_argument, NULL, 'd'},
    {"tls", required_argument, NULL, 't'},          {"pack", required_argument, NULL, 'k'},
    {"associations", required_argument, NULL, 'n'}, {"count", required_argument, NULL, 'x'},
    {"destination", required_argument, NULL, 'D'},  {"listen", required_argument, NULL, 'l'},
    {"timeout", required_argument, NULL, 's'},      {"limit", required_argument, NULL, 'L'},
    {0},
};

static bool parse(int argc, char **argv, struct options *o) {
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        switch (c) {
        case 'h': o->host = optarg; break;
        case 'p': o->port = atoi(optarg); break;
        case 'c': o->calling = optarg; break;
        case 'd': o->called = optarg; break;
        case 't': o->tls = optarg; break;
        case 'k': o->pack = optarg; break;
        case 'n': o->associations = atoi(optarg); break;
        case 'x': o->count = atoi(optarg); break;
        case 'D': o->destination = optarg; break;
        case 'l': o->listen_port = atoi(optarg); break;
        case 's': o->timeout_s = atoi(optarg); break;
        case 'L': o->limit_s = atoi(optarg); break;
        default: return false;
        }
    return optind == argc - 1 && o->port > 0 && o->count > 0 && o->associations > 0;
}

// The objects are cut where a study ends, so that no study is sent by two.
static size_t boundary(const struct pack *p, int part, int parts) {
    size_t i = p->n * (size_t)part / (size_t)parts;
    while (i > 0 && i < p->n && strcmp(p->v[i].study, p->v[i - 1].study) == 0)
        i++;
    return i;
}

static int run_parts(const struct options *o, load_part *part) {
    struct tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct pack p;
    pid_t receiver = -1;
    if (t == MAP_FAILED || !o->pack || !pack_open(o->pack, &p))
        return fprintf(stderr, "bench-load: cannot read the objects\n"), 1;
    if (part == move_part) {
        int listener = net_listen(o->listen_port);
        if (listener < 0)
            return perror("bench-load: listen"), 1;
        receiver = fork();
        if (receiver == 0)
            move_listen(listener, t);
        close(listener);
    }
    double began = started_s = now_s();
    bool failed = false;
    for (int i = 0; i < o->associations; i++)
        if (fork() == 0) {
            size_t from = boundary(&p, i, o->associations), to = boundary(&p, i + 1, o->associations);
            _exit(part(o, &p, from, to, t) ? 0 : 1);
        }
    for (int left = o->associations; left > 0;) {
        int status;
        pid_t pid = wait(&status);
        if (pid == receiver)
            receiver = -1;
        else
            left--, failed |= status != 0;
    }
    double seconds = now_s() - began;
    if (receiver > 0)
        kill(receiver, SIGKILL);
    printf("{\"seconds\": %.6f, \"objects\": %lu, \"bytes\": %lu, \"failed\": %lu, \"associations\": %lu, "
           "\"complete\": %s}\n", seconds, t->objects, t->bytes, t->failed, t->associations,
           failed ? "false" : "true");
    return 0;
}

int main(int argc, char **argv) {
    struct options o = {.host = "127.0.0.1", .calling = "BENCH", .called = "ANY", .destination = "BENCH",
                        .associations = 1, .count = 1, .timeout_s = 120};
    struct rlimit files = {.rlim_cur = 8192, .rlim_max = 8192};
    if (!parse(argc, argv, &o))
        return fprintf(stderr, "bench-load: see bench/load/main.c for its use\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &files);
    if (!net_init(o.tls))
        return 1;
    static const struct {
        const char *name;
        load_part *part;
    } kinds[] = {{"store", store_part}, {"get", get_part}, {"move", move_part}, {"find", find_part}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(argv[optind], kinds[i].name) == 0)
            return run_parts(&o, kinds[i].part);
    if (strcmp(argv[optind], "hold") == 0)
        return hold_run(&o);
    if (strcmp(argv[optind], "ask") == 0)
        return ask_run(&o);
    return strcmp(argv[optind], "echo") == 0 ? echo_run(&o) : 2;
}
