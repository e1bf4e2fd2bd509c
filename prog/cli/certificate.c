// galena certificate show, renew: what devices and browsers see of this server, and until when.
#include "certificate.h"

#include "archive_dir.h"
#include "ca.h"
#include "cli.h"
#include "control.h"

#include "base/cleanup.h"
#include "os/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20, RENEW_DAYS = CA_WEB_DAYS / 3 };

struct shown_to {
    const char *whom, *status, *cert_name, *key_name;
    bool web;
};
static const struct shown_to devices = {"devices", "dicom_certificate_days", "server.cert.pem",
                                        "server.key.pem", false};
static const struct shown_to browsers = {"browsers", "https_certificate_days", "https.cert.pem",
                                         "https.key.pem", true};

// --- names

// False: that is no name of a host.
static bool add_name(char names[CA_NAMES_MAX], struct slice host) {
    char text[CONF_HOST_MAX + 8];
    struct conf_addr a;
    bool v6 = host.n > 0 && memchr(host.p, ':', host.n);
    snprintf(text, sizeof text, v6 ? "[%.*s]:1" : "%.*s:1", (int)host.n, (const char *)host.p);
    if (host.n == 0 || host.n > CONF_HOST_MAX || conf_addr_parse(slice_str(text), &a, NULL) != OK)
        return false;
    ca_alt_name_add(names, CA_NAMES_MAX, a.host);
    return true;
}

// The host in "https://pacs.example.org:8443" or "https://[::1]".
static struct slice host_of(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : "";
    host += *host == '[';
    return slice_of(host, strcspn(host, host > url && host[-1] == '[' ? "]" : ":/"));
}

// By what names the settings say that this server is called.
static void add_settings(char names[CA_NAMES_MAX], const struct conf *c) {
    const struct conf_addr *const listens[] = {&c->dicom, &c->https};
    for (size_t i = 0; i < sizeof listens / sizeof *listens; i++)
        if (strcmp(listens[i]->host, "0.0.0.0") != 0 && strcmp(listens[i]->host, "::") != 0)
            add_name(names, slice_str(listens[i]->host));
    add_name(names, host_of(c->web.url));
}

static void host_name(char ret_host[CONF_HOST_MAX + 1]) {
    char unused[CA_NAMES_MAX] = "";
    ret_host[CONF_HOST_MAX] = '\0';
    if (gethostname(ret_host, CONF_HOST_MAX) != 0 || !add_name(unused, slice_str(ret_host)))
        strcpy(ret_host, "localhost");
}

static void add_this_machine(char names[CA_NAMES_MAX]) {
    char host[CONF_HOST_MAX + 1];
    host_name(host);
    const char *const local[] = {"localhost", "127.0.0.1", "::1", host};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        add_name(names, slice_str(local[i]));
}

// --- files

static enum err read_certificate(const struct shown_to *s, struct ca_found *ret_found, struct fault *f) {
    char path[64];
    CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX_BYTES);
    snprintf(path, sizeof path, "tls/%s", s->cert_name);
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fault_errno(f, path);
    enum err e = os_fd_read_all(fd, &b, f);
    return e == OK ? ca_read(buf_slice(&b), ret_found, f) : e;
}

static bool exists(const struct shown_to *s) {
    char path[64];
    snprintf(path, sizeof path, "tls/%s", s->cert_name);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum err issue(const struct shown_to *s, const char *names, struct fault *f) {
    uint8_t fingerprint[CONF_FINGERPRINT_BYTES];
    char host[CONF_HOST_MAX + 1];
    host_name(host);
    return ca_issue("tls",
                    &(struct ca_request){.common_name = host,
                                         .alt_names = names,
                                         .out_dir = "tls",
                                         .key_name = s->key_name,
                                         .cert_name = s->cert_name,
                                         .web = s->web},
                    fingerprint, f);
}

enum err certificates_make(const struct conf *c, struct fault *f) {
    char names[CA_NAMES_MAX] = "";
    add_this_machine(names);
    add_settings(names, c);
    enum err e = issue(&devices, names, f);
    return e == OK ? issue(&browsers, names, f) : e;
}

// --- renewing

static int issue_anew(const struct shown_to *s, const char *names) {
    struct fault f = {0};
    CLEANUP(ca_found_fini) struct ca_found fresh = {0};
    if (issue(s, names, &f) != OK || read_certificate(s, &fresh, &f) != OK)
        return cli_fail("the certificate for %s was not issued anew: %s", s->whom, f.detail);
    fprintf(stderr, "Issued the certificate for %s anew: it is good until %s.\n", s->whom, fresh.not_after);
    return CLI_OK;
}

void certificate_keep_fresh(void) {
    CLEANUP(conf_fini) struct conf c = {0};
    CLEANUP(ca_found_fini) struct ca_found found = {0};
    char names[CA_NAMES_MAX];
    if (conf_load(".", &c, NULL) != OK || !conf_addr_is_set(&c.https) || !exists(&browsers) ||
        read_certificate(&browsers, &found, NULL) != OK || !ca_has_issued("tls", &found))
        return;
    strcpy(names, found.names);
    add_settings(names, &c);
    if (found.days_left < RENEW_DAYS || strlen(names) > strlen(found.names))
        issue_anew(&browsers, names);
}

void certificate_say_days(void) {
    const struct shown_to *const all[] = {&devices, &browsers};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CLEANUP(ca_found_fini) struct ca_found found = {0};
        if (read_certificate(all[i], &found, NULL) == OK)
            printf("%s %d\n", all[i]->status, found.days_left);
    }
}

// --- the verbs

static void show_names(const char *names) {
    struct slice rest = slice_str(names);
    while (rest.p) {
        struct slice name = slice_split(rest, ',', &rest);
        slice_split(name, ':', &name); // what kind it is
        printf("%.*s%s", (int)name.n, (const char *)name.p, rest.p ? ", " : "");
    }
}

static void show_fingerprint(const uint8_t fingerprint[CONF_FINGERPRINT_BYTES]) {
    for (size_t i = 0; i < CONF_FINGERPRINT_BYTES; i++)
        printf("%s%02X", i ? ":" : "", fingerprint[i]);
}

static int show(const struct shown_to *s) {
    struct fault f = {0};
    CLEANUP(ca_found_fini) struct ca_found found = {0};
    if (s->web && !exists(s)) {
        printf("for          browsers\nfile         none: they see the one for devices\n");
        return CLI_OK;
    }
    if (read_certificate(s, &found, &f) != OK)
        return cli_fail("the certificate for %s: %s", s->whom, f.detail);
    printf("for          %s\nfile         tls/%s\nissued by    %s\nnames        ", s->whom, s->cert_name,
           ca_has_issued("tls", &found) ? "this archive's authority" : "another authority");
    show_names(found.names);
    printf("\ngood until   %s (%d days)\nfingerprint  ", found.not_after, found.days_left);
    show_fingerprint(found.fingerprint);
    printf("\n");
    return CLI_OK;
}

static int run_show(const struct cli_args *args) {
    struct cli_dir d;
    if (!cli_dir_enter(args->positional[0], &d) || show(&devices) != CLI_OK)
        return CLI_FAILED;
    printf("\n");
    return show(&browsers);
}

static bool take_names(const char *text, char names[CA_NAMES_MAX]) {
    struct slice rest = slice_str(text);
    while (rest.p) {
        struct slice name = slice_split(rest, ',', &rest);
        if (!add_name(names, name))
            return cli_fail("--names %s: names and addresses of this server, such as "
                            "pacs.example.org,192.0.2.7",
                            text),
                   false;
    }
    return true;
}

// One that was issued here, or none yet: what another authority has issued is not replaced unasked.
static int renew(const struct shown_to *s, const struct conf *c, const char *more) {
    struct fault f = {0};
    char names[CA_NAMES_MAX] = "";
    CLEANUP(ca_found_fini) struct ca_found found = {0};
    if (exists(s)) {
        if (read_certificate(s, &found, &f) != OK)
            return cli_fail("the certificate for %s: %s", s->whom, f.detail);
        if (!ca_has_issued("tls", &found))
            return cli_fail("tls/%s is from another authority, which renews it; remove it and its key for "
                            "one of this archive's authority",
                            s->cert_name);
        strcpy(names, found.names);
    }
    add_this_machine(names);
    add_settings(names, c);
    if (more && !take_names(more, names))
        return CLI_USAGE;
    return issue_anew(s, names);
}

static int run_renew(const struct cli_args *args) {
    struct cli_dir d;
    struct fault f = {0};
    CLEANUP(conf_fini) struct conf c = {0};
    const char *names = cli_option(args, "names");
    if (!cli_dir_enter(args->positional[0], &d))
        return CLI_FAILED;
    if (conf_load(".", &c, &f) != OK)
        return cli_fail_fault("settings", &f);
    int status = renew(&browsers, &c, names);
    if (status == CLI_OK && cli_option(args, "devices"))
        status = renew(&devices, &c, names);
    return status == CLI_OK ? control_reload_and_say("it") : status;
}

const struct cli_verb verb_certificate_show = {
    "certificate show",
    "DIR",
    "show what devices and browsers see of this server",
    "The names it is called by, until when it is good, and its fingerprint (SHA-256), as browsers show it.",
    {{0}},
    run_show,
};
const struct cli_verb verb_certificate_renew = {
    "certificate renew",
    "DIR",
    "issue the certificate for browsers anew",
    "The archive's own authority signs it, for the key that it has, on the names that it had, the machine's, "
    "and those of\n"
    "dicom, https and https_url in galena.conf. A running server uses it at once.\n\n"
    "This happens by itself when galena serve or galena reload finds that a third of its time is left, or "
    "that a name is\nmissing. Certificates of another authority are never touched.",
    {{"names", "NAMES", "more names and addresses it is called by: pacs.example.org,192.0.2.7"},
     {"devices", NULL, "the certificate for devices too; those that trust tls/ca.pem notice nothing"}},
    run_renew,
};
