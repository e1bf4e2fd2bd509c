// What an administrator writes: the files of an archive's folder, and addresses. The first byte says which
// file. What loads can be saved, and what was saved loads as the same.
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/oidc.h"
#include "conf/peer.h"
#include "conf/token.h"
#include "conf/user.h"
#include "os/fd.h"

enum { TEXT_MAX = 70000 };

static char folder[64];
static const char *const subfolders[] = {"peers", "peers/x", "users", "collections", "tokens"};
static const char *const files[] = {"galena.conf",        "peers/x/peer.conf", "users/x.conf",
                                    "collections/x.conf", "tokens/x.conf",     "oidc.conf"};
enum { FILES = sizeof files / sizeof *files, SUBFOLDERS = sizeof subfolders / sizeof *subfolders };

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void clean_up(void) {
    for (int i = 0; i < FILES; i++)
        (void)unlink(path_of(files[i]));
    for (int i = SUBFOLDERS; i-- > 0;)
        FUZZ_CHECK(rmdir(path_of(subfolders[i])) == 0);
    FUZZ_CHECK(rmdir(folder) == 0);
}

static void prepare(void) {
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/galena-fuzz-XXXXXX" : "/tmp/galena-fuzz-XXXXXX");
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    for (int i = 0; i < SUBFOLDERS; i++)
        FUZZ_CHECK(mkdir(path_of(subfolders[i]), 0700) == 0);
    atexit(clean_up);
}

static void put_file(const char *name, struct slice text) {
    CLEANUP_FD int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
}

static size_t get_file(const char *name, char *text) {
    CLEANUP_FD int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX);
    FUZZ_CHECK(n >= 0);
    return (size_t)n;
}

// Loads the file and, if that can be done, writes it again.
static bool load_and_save(unsigned which) {
    struct fault f = {0};
    enum err e = OK;
    if (which == 0) {
        struct conf c;
        if ((e = conf_load(folder, &c, &f)) == OK) {
            FUZZ_CHECK(conf_save(folder, &c, &f) == OK);
            conf_fini(&c);
        }
    } else if (which == 1) {
        struct conf_peer p;
        if ((e = conf_peer_load(folder, "x", &p, &f)) == OK)
            FUZZ_CHECK(conf_peer_save(path_of("peers/x"), &p, &f) == OK);
    } else if (which == 2) {
        struct conf_user u;
        if ((e = conf_user_load(folder, "x", &u, &f)) == OK)
            FUZZ_CHECK(conf_user_save(folder, &u, &f) == OK);
    } else if (which == 3) {
        struct conf_collection c;
        if ((e = conf_collection_load(folder, "x", &c, &f)) == OK) {
            FUZZ_CHECK(conf_collection_save(folder, &c, &f) == OK);
            conf_collection_fini(&c);
        }
    } else {
        struct conf_token t;
        if ((e = conf_token_load(folder, "x", &t, &f)) == OK)
            FUZZ_CHECK(conf_token_save(folder, &t, &f) == OK);
    }
    FUZZ_CHECK((e == OK) == (f.code == OK) && (e == OK) == (f.detail[0] == '\0'));
    return e == OK;
}

static void a_file(unsigned which, struct slice text) {
    static char first[TEXT_MAX], second[TEXT_MAX];
    put_file(files[which], text);
    if (!load_and_save(which))
        return;
    size_t n = get_file(files[which], first);
    FUZZ_CHECK(load_and_save(which));
    FUZZ_CHECK(n == get_file(files[which], second) && memcmp(first, second, n) == 0);
}

static void a_provider(struct slice text) {
    struct conf_oidc o;
    struct fault f = {0};
    put_file("oidc.conf", text);
    if (conf_oidc_load(folder, &o, &f) == OK) {
        struct buf lines = BUF_INIT(1 << 16);
        conf_oidc_lines_put(&lines, &o, SLICE_LIT("secret"));
        FUZZ_CHECK(buf_ok(&lines) && conf_oidc_url_valid(slice_str(o.issuer)));
        buf_fini(&lines);
    }
}

static void an_address(struct slice text) {
    struct conf_addr a, b;
    struct conf_cidr c, d;
    struct fault f = {0};
    char shown[CONF_ADDR_TEXT_MAX], network[64], names[CONF_COLLECTION_NAMES_MAX + 1];
    if (conf_addr_parse(text, &a, &f) == OK) {
        conf_addr_format(&a, shown);
        FUZZ_CHECK(conf_addr_parse(slice_str(shown), &b, &f) == OK);
        FUZZ_CHECK(a.port == b.port && strcmp(a.host, b.host) == 0);
    }
    if (conf_cidr_parse(text, &c, &f) == OK) {
        conf_cidr_format(&c, network);
        FUZZ_CHECK(conf_cidr_parse(slice_str(network), &d, &f) == OK);
        FUZZ_CHECK(c.family == d.family && c.bits == d.bits && memcmp(c.ip, d.ip, sizeof c.ip) == 0);
    }
    // Without TLS nothing may listen where strangers are.
    if (conf_listen_parse(text, true, &a, &f) == OK)
        FUZZ_CHECK(!conf_addr_is_set(&a) || conf_addr_is_private(&a));
    (void)conf_collection_names_parse(text, names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (!folder[0])
        prepare();
    if (n == 0)
        return 0;
    struct slice text = slice_of(data + 1, n - 1);
    unsigned which = data[0] % (FILES + 1u);
    if (which == FILES)
        an_address(text);
    else if (which == FILES - 1)
        a_provider(text);
    else
        a_file(which, text);
    return 0;
}
