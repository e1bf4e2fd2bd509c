#include "conf/conf.h"

#include "base/cleanup.h"
#include "base/uid.h"
#include "base/utf8.h"
#include "conf/file.h"

#include <stdio.h>

bool conf_title_valid(struct slice text) {
    if (text.n == 0 || text.n > CONF_NAME_MAX || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] == 0x7F)
            return false;
    return true;
}

static bool take_name(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    if (conf_title_valid(value))
        return slice_to_cstr(value, (char *)dst + o->offset, CONF_NAME_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be 1 to %d bytes of UTF-8 text", CONF_NAME_MAX);
    return false;
}

// A literal address, so that nobody else's name server decides where we listen.
enum err conf_listen_parse(struct slice text, bool plain, struct conf_addr *ret_addr, struct fault *f) {
    struct conf_addr a = {0};
    struct sockaddr_storage sa;
    socklen_t n;
    if (text.n == 0) {
        *ret_addr = a;
        return OK;
    }
    char all[32];
    if (text.p[0] == '*' && text.n < 16) {
        snprintf(all, sizeof all, "0.0.0.0%.*s", SLICE_FMT(slice_sub(text, 1, text.n)));
        text = slice_str(all);
    }
    enum err e = conf_addr_parse(text, &a, f);
    if (e != OK)
        return e;
    if (strcmp(a.host, "localhost") == 0)
        strcpy(a.host, "127.0.0.1");
    if (!conf_addr_to_sockaddr(&a, &sa, &n))
        return fault_set(f, ERR_CONFIG,
                         "listening needs a literal address such as 127.0.0.1:2762, not a name");
    if (plain && !conf_addr_is_private(&a))
        return fault_set(f, ERR_CONFIG,
                         "without TLS Galena listens on loopback or a private address only; "
                         "name this machine's own, such as 192.168.1.5:11112");
    *ret_addr = a;
    return OK;
}

static bool take_listen(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_addr a = {0};
    if (conf_listen_parse(value, false, &a, f) != OK)
        return false;
    memcpy((uint8_t *)dst + o->offset, &a, sizeof a);
    return true;
}

static bool take_plain(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_addr a = {0};
    if (conf_listen_parse(value, true, &a, f) != OK)
        return false;
    memcpy((uint8_t *)dst + o->offset, &a, sizeof a);
    return true;
}

// Scheme, host and perhaps a port: other sites' pages are told apart from ours by this.
static bool url_valid(struct slice url) {
    struct conf_addr a;
    char text[CONF_URL_MAX + 8];
    if (url.n > CONF_URL_MAX || !slice_eq_str(slice_sub(url, 0, 8), "https://"))
        return false;
    struct slice place = slice_sub(url, 8, url.n);
    bool has_port = place.n > 0 && memchr(place.p, ':', place.n) && place.p[place.n - 1] != ']';
    snprintf(text, sizeof text, "%.*s%s", SLICE_FMT(place), has_port ? "" : ":443");
    return conf_addr_parse(slice_str(text), &a, NULL) == OK;
}

static bool take_url(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct slice url = value;
    if (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    if (url.n == 0 || url_valid(url))
        return slice_to_cstr(url, (char *)dst + o->offset, CONF_URL_MAX + 1);
    fault_set(f, ERR_CONFIG, "must be https://, a host and perhaps a port, such as https://pacs.example.org");
    return false;
}

static bool take_proxy(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    struct conf_web *w = &((struct conf *)dst)->web;
    struct conf_cidr c;
    (void)o;
    if (w->proxy_count >= CONF_PROXIES_MAX) {
        fault_set(f, ERR_CONFIG, "at most %d networks", CONF_PROXIES_MAX);
        return false;
    }
    if (conf_cidr_parse(value, &c, f) != OK)
        return false;
    if (conf_cidr_is_too_wide(&c)) {
        fault_set(f, ERR_CONFIG, "names a large part of the internet; name the proxies alone");
        return false;
    }
    w->proxies[w->proxy_count++] = c;
    return true;
}

static bool take_order(void *dst, const struct conf_option *o, struct slice value, struct fault *f) {
    bool archive = slice_eq_str(value, "archive");
    if (!archive && !slice_eq_str(value, "proposer")) {
        fault_set(f, ERR_CONFIG, "must be proposer or archive");
        return false;
    }
    memcpy((uint8_t *)dst + o->offset, &archive, sizeof archive);
    return true;
}

static bool take_private_class(void *dst, const struct conf_option *o, struct slice value,
                               struct fault *f) {
    struct conf *c = dst;
    (void)o;
    if (!uid_valid(value)) {
        fault_set(f, ERR_CONFIG, "must be a list of UIDs: {\"1.2.3\", \"1.2.4\"}");
        return false;
    }
    if (c->private_sop_class_count >= CONF_PRIVATE_CLASSES_MAX) {
        fault_set(f, ERR_CONFIG, "at most %d UIDs", CONF_PRIVATE_CLASSES_MAX);
        return false;
    }
    void *grown = realloc(c->private_sop_classes,
                          (c->private_sop_class_count + 1) * sizeof *c->private_sop_classes);
    if (!grown) {
        fault_set(f, ERR_NO_MEMORY, "not enough memory");
        return false;
    }
    c->private_sop_classes = grown;
    return slice_to_cstr(value, c->private_sop_classes[c->private_sop_class_count++], UID_MAX + 1);
}

#define AT(member) offsetof(struct conf, member)
#define COUNT(member, from, to, says)                                                                   \
    { #member, conf_take_u32, AT(limits.member), (from), (to), (says), false, false }

#define WEB(member, from, to, says)                                                                     \
    { #member, conf_take_u32, AT(web.member), (from), (to), (says), false, false }

static const struct conf_option options[] = {
    {"name", take_name, AT(name), 0, 0, "What this archive is called.", false, false},
    {"ae_title", conf_take_ae, AT(ae_title), 0, 0, "The AE title peers call it by.", false, false},
    {"dicom", take_listen, AT(dicom), 0, 0,
     "DICOM over TLS. 127.0.0.1 is this machine alone; 0.0.0.0:2762 is every network it is in.", false,
     false},
    {"plain", take_plain, AT(plain), 0, 0,
     "DICOM without TLS, for equipment that cannot do better. Off while empty. Only named peers at\n"
     "named addresses are heard (galena peer add … --plain), and they may store, nothing else.",
     false, false},
    {"https", take_listen, AT(https), 0, 0,
     "Web pages, viewer and DICOMweb, over TLS. Off while empty. With a certificate of your own for\n"
     "browsers: tls/https.cert.pem and tls/https.key.pem.",
     false, false},
    {"https_url", take_url, AT(web.url), 0, 0,
     "What browsers reach it by, such as https://pacs.example.org; empty: whatever they asked for.", false,
     false},
    {"https_proxies", take_proxy, 0, 0, 0,
     "Reverse proxies before it, whose word about the client's address is believed: {\"10.0.0.5\"}", true,
     false},
    {"https_http2", conf_take_bool, AT(web.https_http2), 0, 0, "Whether HTTP/2 is offered besides HTTP/1.1.",
     false, false},
    {"reserve", conf_take_bytes, AT(reserve_bytes), 0, 0,
     "Free space that stays free: below it, objects are refused as out of resources.", false, false},
    {"index_cache_mib", conf_take_u32, AT(index_cache_mib), 8, 2048,
     "Memory for the index's pages. More than the default helps above a million studies.", false, false},
    {"accept_retired_sop_classes", conf_take_bool, AT(accept_retired_sop_classes), 0, 0,
     "Storage SOP classes that the standard has retired.", false, false},
    {"private_sop_classes", take_private_class, 0, 0, 0,
     "Storage SOP classes of manufacturers' own, besides those that are known: {\"1.2.3.4.5\"}", true, false},
    {"transfer_syntax_order", take_order, AT(prefer_archive_order), 0, 0,
     "Whose order decides among transfer syntaxes: proposer keeps the sender's own encoding.", false,
     false},
    COUNT(max_connections, 1, 65536, "Connections at once, altogether."),
    COUNT(per_source, 1, 65536, "Connections at once from one address."),
    COUNT(spare_workers, 0, 256, "Processes kept ready for the next connections."),
    COUNT(penalty_s, 0, 3600,
          "Seconds an address waits at most when its connections crash workers: one second after the\n"
          "first crash, twice as long after each further one; 0 is never."),
    COUNT(artim_s, 1, 3600,
          "Seconds from connecting to a complete association request (ARTIM, PS3.8 9.1.5)."),
    COUNT(idle_s, 1, 86400, "Seconds after which a silent association is aborted."),
    COUNT(total_s, 0, 2592000, "Seconds an association may last altogether; 0 is no limit."),
    COUNT(drain_s, 0, 3600, "Seconds that running associations get to finish when the server stops."),
    WEB(http_header_s, 1, 300, "Seconds for a TLS handshake, and for a request's header."),
    WEB(http_idle_s, 1, 3600, "Seconds after which a web connection without a request ends."),
    WEB(http_body_idle_s, 1, 3600,
        "Seconds in which something of a request must come, and something of an answer be taken."),
    {"upload_max", conf_take_bytes, AT(web.upload_max_bytes), 0, 0,
     "The longest body of one web request, such as an upload.", false, false},
    WEB(session_idle_s, 60, 604800,
        "Seconds after which a signed-in browser that does nothing is signed out."),
    WEB(session_max_s, 60, 2592000, "Seconds after which a browser must sign in again."),
    {"max_pdu", conf_take_u32, AT(limits.max_pdu_bytes), 4096, 131072,
     "Longest PDU we receive, in bytes.", false, false},
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

void conf_init(struct conf *c) {
    *c = (struct conf){
        .name = "Galena",
        .ae_title = "GALENA",
        .dicom = {"127.0.0.1", 2762},
        .https = {"127.0.0.1", 8443},
        .index_cache_mib = 48,
        .reserve_bytes = 64 << 20,
        .accept_retired_sop_classes = true,
        .limits =
            {
                .max_connections = 2048,
                .per_source = 1200,
                .spare_workers = 4,
                .penalty_s = 300,
                .artim_s = 30,
                .idle_s = 600,
                .total_s = 0,
                .drain_s = 30,
                .max_pdu_bytes = 131072,
            },
        .web =
            {
                .https_http2 = true,
                .http_header_s = 30,
                .http_idle_s = 120,
                .http_body_idle_s = 60,
                .upload_max_bytes = 64ULL << 30,
                .session_idle_s = 1800,
                .session_max_s = 43200,
            },
    };
}

void conf_fini(struct conf *c) {
    free(c->private_sop_classes);
    c->private_sop_classes = NULL;
    c->private_sop_class_count = 0;
}

enum err conf_load(const char *dir, struct conf *ret_conf, struct fault *f) {
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/galena.conf", dir) >= sizeof path)
        return fault_set(f, ERR_CONFIG, "the archive's path is too long");
    struct conf c;
    conf_init(&c);
    enum err e = conf_file_parse(path, "galena.conf", options, OPTION_COUNT, &c, f);
    if (e == OK && !conf_addr_is_set(&c.dicom) && !conf_addr_is_set(&c.plain) && !conf_addr_is_set(&c.https))
        e = fault_set(f, ERR_CONFIG, "galena.conf: none of dicom, plain and https has an address; set dicom");
    if (e != OK) {
        conf_fini(&c);
        return e;
    }
    *ret_conf = c;
    return OK;
}

static void put_classes(struct buf *b, const struct conf *c) {
    buf_append_str(b, "private_sop_classes = {");
    for (size_t i = 0; i < c->private_sop_class_count; i++)
        buf_printf(b, "%s\"%s\"", i ? ", " : "", c->private_sop_classes[i]);
    buf_append_str(b, "}\n");
}

static void put_proxies(struct buf *b, const struct conf *c) {
    char text[64];
    buf_append_str(b, "https_proxies = {");
    for (size_t i = 0; i < c->web.proxy_count; i++) {
        conf_cidr_format(&c->web.proxies[i], text);
        buf_printf(b, "%s\"%s\"", i ? ", " : "", text);
    }
    buf_append_str(b, "}\n");
}

// The value of one row as it stands in the file.
static void put_option(struct buf *b, const struct conf *c, const struct conf_option *o) {
    const uint8_t *at = (const uint8_t *)c + o->offset;
    char text[CONF_ADDR_TEXT_MAX] = "";
    if (o->take == take_listen || o->take == take_plain) {
        const struct conf_addr *a = (const struct conf_addr *)(const void *)at;
        if (conf_addr_is_set(a))
            conf_addr_format(a, text);
        conf_put_text(b, o->name, text);
    } else if (o->take == conf_take_u32) {
        uint32_t number;
        memcpy(&number, at, sizeof number);
        buf_printf(b, "%s = %u\n", o->name, number);
    } else if (o->take == conf_take_bytes) {
        uint64_t bytes;
        memcpy(&bytes, at, sizeof bytes);
        conf_bytes_format(bytes, text);
        conf_put_text(b, o->name, text);
    } else if (o->take == conf_take_bool) {
        buf_printf(b, "%s = %s\n", o->name, *(const bool *)at ? "yes" : "no");
    } else if (o->take == take_order) {
        buf_printf(b, "%s = %s\n", o->name, c->prefer_archive_order ? "archive" : "proposer");
    } else if (o->take == take_proxy) {
        put_proxies(b, c);
    } else if (o->list) {
        put_classes(b, c);
    } else {
        conf_put_text(b, o->name, (const char *)at);
    }
}

enum err conf_save(const char *dir, const struct conf *c, struct fault *f) {
    CLEANUP(buf_fini) struct buf b = BUF_INIT(CONF_FILE_MAX_BYTES);
    buf_append_str(&b, "# Settings of a Galena archive. After a change: galena reload DIR.\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        buf_append_str(&b, "\n");
        conf_put_comment(&b, options[i].comment);
        put_option(&b, c, &options[i]);
    }
    if (!buf_ok(&b))
        return fault_set(f, ERR_NO_MEMORY, "galena.conf: not enough memory");
    return conf_write_file(dir, "galena.conf", 0600, buf_slice(&b), f);
}

bool conf_ae_parse(struct slice text, char ret_ae[CONF_AE_MAX + 1]) {
    struct slice ae = slice_trim(text, " ");
    if (ae.n == 0 || ae.n > CONF_AE_MAX)
        return false;
    for (size_t i = 0; i < ae.n; i++)
        if (ae.p[i] < 0x20 || ae.p[i] > 0x7E || ae.p[i] == '\\')
            return false;
    return slice_to_cstr(ae, ret_ae, CONF_AE_MAX + 1);
}

bool conf_name_valid(struct slice text) {
    if (text.n == 0 || text.n > CONF_NAME_MAX || text.p[0] == '.' || text.p[0] == '-')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}
