// galena init: a new archive, closed to everyone.
#include "archive_dir.h"
#include "ca.h"
#include "certificate.h"
#include "blob/keyring.h"
#include "cli.h"
#include "password.h"

#include "conf/conf.h"
#include "conf/user.h"
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// The settings that the command line gives, checked as the file would be.
static bool settings(const struct cli_args *args, struct conf *ret_conf) {
    static const struct {
        const char *option;
        size_t offset;
    } addresses[] = {
        {"dicom", offsetof(struct conf, dicom)},
        {"plain", offsetof(struct conf, plain)},
        {"https", offsetof(struct conf, https)},
    };
    conf_init(ret_conf);
    const char *name = cli_option(args, "name"), *ae = cli_option(args, "ae");
    if (name && !conf_title_valid(slice_str(name)))
        return cli_fail("--name: 1 to %d bytes of text, in one line", CONF_NAME_MAX), false;
    if (name)
        strcpy(ret_conf->name, name);
    if (ae && !conf_ae_parse(slice_str(ae), ret_conf->ae_title))
        return cli_fail(
                   "--ae %s: an AE title has 1 to 16 characters, no backslash and no control characters",
                   ae),
               false;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const char *text = cli_option(args, addresses[i].option);
        struct conf_addr *a = (struct conf_addr *)(void *)((uint8_t *)ret_conf + addresses[i].offset);
        struct fault f = {0};
        if (text && conf_listen_parse(slice_str(text),
                                      addresses[i].offset == offsetof(struct conf, plain), a, &f) != OK)
            return cli_fail("--%s %s: %s", addresses[i].option, text, f.detail), false;
    }
    return true;
}

// Makes DIR, gives it to the archive's user when we are root, and goes there as that user.
static bool make_home(const char *dir, struct cli_dir *d) {
    umask(077);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return cli_fail("%s: %s", dir, strerror(errno)), false;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !realpath(dir, d->shown))
        return cli_fail("%s: %s", dir, strerror(errno)), false;
    bool there = faccessat(fd, "galena.conf", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    bool good = !there && cli_dir_is_empty(fd) && fchdir(fd) == 0;
    if (!good) {
        close(fd);
        if (there)
            return cli_fail("%s is an archive already; start it with galena serve", d->shown), false;
        return cli_fail("%s is not empty; name a new folder", d->shown), false;
    }
    good = fchmod(fd, 0700) == 0;
    if (good && geteuid() == 0)
        good = fchown(fd, OS_UID_ARCHIVE, OS_UID_ARCHIVE) == 0 &&
               cli_become(OS_UID_ARCHIVE, OS_UID_ARCHIVE);
    close(fd);
    return good || (cli_fail("%s: %s", d->shown, strerror(errno)), false);
}

static enum err make_folders(struct fault *f) {
    static const char *const folders[] = {"tls", "keys",  "store", "index",
                                          "run", "peers", "users", "collections",
                                          "tokens"};
    enum err e = OK;
    for (size_t i = 0; e == OK && i < sizeof folders / sizeof *folders; i++)
        e = cli_make_dir(folders[i], 0700, f);
    return e;
}

static enum err make_administrator(char ret_password[32], struct fault *f) {
    struct conf_user u = {.name = "administrator", .roles = CONF_ROLE_ADMINISTRATOR};
    enum err e = password_random(ret_password, f);
    if (e == OK)
        e = password_hash(ret_password, u.password, f);
    return e != OK ? e : conf_user_save(".", &u, f);
}

// A hundredth of the file system stays free, but not more than anyone would want to.
static void choose_reserve(struct conf *c) {
    enum { LEAST = 4 << 20, MOST = 1 << 30 };
    struct statvfs v;
    if (statvfs(".", &v) != 0)
        return;
    uint64_t part = (uint64_t)v.f_blocks * v.f_frsize / 100;
    c->reserve_bytes = part < LEAST ? LEAST : part > MOST ? MOST : part >> 20 << 20;
}

// galena.conf comes last: without it, the folder is no archive.
static enum err fill(const struct conf *c, char ret_password[32], struct fault *f) {
    enum err e = make_folders(f);
    if (e == OK)
        e = keyring_create("keys", f);
    if (e == OK)
        e = ca_create("tls", c->name, f);
    if (e == OK)
        e = certificates_make(c, f);
    if (e == OK)
        e = make_administrator(ret_password, f);
    return e != OK ? e : conf_save(".", c, f);
}

static void say_where(const char *dir, const struct conf *c) {
    char dicom[CONF_ADDR_TEXT_MAX], https[CONF_ADDR_TEXT_MAX];
    bool has_dicom = conf_addr_is_set(&c->dicom), has_web = conf_addr_is_set(&c->https);
    conf_addr_format(&c->dicom, dicom);
    conf_addr_format(&c->https, https);
    printf("\nAE title %s", c->ae_title);
    if (has_dicom)
        printf(", DICOM over TLS at %s", dicom);
    if (has_web)
        printf(", web pages over HTTPS at %s", https);
    printf(".\n");
    bool reached = (has_dicom && !conf_addr_is_loopback(&c->dicom)) ||
                   (has_web && !conf_addr_is_loopback(&c->https));
    if (!reached)
        printf("It listens on this machine only. To be reached by others, set dicom and https in "
               "%s/galena.conf.\n",
               dir);
}

static void say_what_next(const char *dir, const struct conf *c, const char *password) {
    printf("Made the archive \"%s\" in %s.\n\n", c->name, dir);
    printf("  user      administrator\n  password  %s\n\n", password);
    printf("This password is shown once. galena user password makes a new one.\n"
           "Copy %s/keys/root.key to a safe place: without it, nobody can read the images, you "
           "included.\n\n",
           dir);
    printf("Next:\n"
           "  galena peer add %s NAME --ae AE_TITLE --can store    for each device that may send images\n"
           "  galena user add %s NAME --role radiographer          for each person who may see them\n"
           "  galena serve %s\n",
           dir, dir, dir);
    say_where(dir, c);
}

static int run_init(const struct cli_args *args) {
    struct conf c;
    struct cli_dir d;
    struct fault f = {0};
    char password[32];
    if (!settings(args, &c))
        return CLI_USAGE;
    if (!make_home(args->positional[0], &d))
        return CLI_FAILED;
    choose_reserve(&c);
    if (fill(&c, password, &f) != OK)
        return cli_fail("%s: %s; remove the folder and try again", d.shown, f.detail);
    say_what_next(d.shown, &c, password);
    explicit_bzero(password, sizeof password);
    return CLI_OK;
}

const struct cli_verb verb_init = {
    "init",
    "DIR",
    "make a new archive",
    "Makes DIR, readable by its owner alone, with a certification authority of its own, the server's "
    "certificates, the "
    "root key that\nseals the images, and one user, administrator, whose random password is printed "
    "once.\n\n"
    "Nobody has access until galena peer add says so, and it listens on this machine only until told "
    "otherwise.\n\n"
    "Run as root, the folder is given to the user number the archive process runs as (61100).",
    {{"name", "NAME", "what the archive is called (Galena)"},
     {"ae", "AE_TITLE", "its AE title (GALENA)"},
     {"dicom", "ADDR:PORT", "where DICOM over TLS listens (127.0.0.1:2762)"},
     {"plain", "ADDR:PORT",
      "where DICOM without TLS listens, for named peers that cannot do better (off)"},
     {"https", "ADDR:PORT", "where web pages and DICOMweb listen, over TLS (127.0.0.1:8443)"}},
    run_init,
};
