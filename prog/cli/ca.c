#include "ca.h"

#include "base/cleanup.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void free_pkey(EVP_PKEY **k) {
    EVP_PKEY_free(*k);
}
static void free_x509(X509 **x) {
    X509_free(*x);
}
static void free_bio(BIO **b) {
    BIO_free_all(*b);
}
#define CLEANUP_PKEY CLEANUP(free_pkey)
#define CLEANUP_X509 CLEANUP(free_x509)
#define CLEANUP_BIO CLEANUP(free_bio)

static enum err openssl_fault(struct fault *f, const char *what) {
    char text[120] = "unknown reason";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return fault_set(f, ERR_IO, "%s: %s", what, text);
}

static enum err save_bio(BIO *b, const char *dir, const char *name, mode_t mode, struct fault *f) {
    const char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    return conf_write_file(dir, name, mode, slice_of(p, n > 0 ? (size_t)n : 0), f);
}

static enum err save_key(EVP_PKEY *key, const char *dir, const char *name, struct fault *f) {
    CLEANUP_BIO BIO *b = BIO_new(BIO_s_secmem());
    if (!b || !PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL))
        return openssl_fault(f, "writing the key");
    return save_bio(b, dir, name, 0600, f);
}

static enum err save_cert(X509 *x, const char *dir, const char *name, struct fault *f) {
    CLEANUP_BIO BIO *b = BIO_new(BIO_s_mem());
    if (!b || !PEM_write_bio_X509(b, x))
        return openssl_fault(f, "writing the certificate");
    return save_bio(b, dir, name, 0600, f);
}

static bool set_serial(X509 *x) {
    uint8_t random[16];
    if (RAND_bytes(random, sizeof random) != 1)
        return false;
    random[0] = (uint8_t)((random[0] & 0x7F) | 0x40); // positive, and never shorter
    BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return good;
}

static bool set_subject(X509 *x, const char *organisation, const char *common_name) {
    X509_NAME *n = X509_get_subject_name(x);
    return X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8, (const unsigned char *)organisation, -1, -1,
                                      0) == 1 &&
           X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
                                      0) == 1;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

// All but the extensions and the signature. Valid from an hour ago: clocks differ.
static X509 *new_certificate(EVP_PKEY *key, const char *organisation, const char *common_name,
                             int days) {
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
        set_subject(x, organisation, common_name) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
        X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL) && X509_set_pubkey(x, key))
        return x;
    X509_free(x);
    return NULL;
}

enum err ca_create(const char *tls_dir, const char *archive_name, struct fault *f) {
    CLEANUP_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP_X509 X509 *x =
        key ? new_certificate(key, archive_name, "Galena certification authority", CA_YEARS * 365) : NULL;
    if (!x || !X509_set_issuer_name(x, X509_get_subject_name(x)) ||
        !add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(x, x, NID_subject_key_identifier, "hash") || !X509_sign(x, key, EVP_sha256()))
        return openssl_fault(f, "making the certification authority");
    enum err e = save_key(key, tls_dir, "ca.key.pem", f);
    return e != OK ? e : save_cert(x, tls_dir, "ca.pem", f);
}

static BIO *open_file(const char *dir, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return BIO_new_file(path, "r");
}

static EVP_PKEY *load_key(const char *dir, const char *name) {
    CLEANUP_BIO BIO *file = open_file(dir, name);
    return file ? PEM_read_bio_PrivateKey(file, NULL, NULL, NULL) : NULL;
}

static X509 *load_certificate(const char *dir, const char *name) {
    CLEANUP_BIO BIO *file = open_file(dir, name);
    return file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
}

static enum err load_authority(const char *tls_dir, EVP_PKEY **ret_key, X509 **ret_cert,
                               struct fault *f) {
    CLEANUP_PKEY EVP_PKEY *key = load_key(tls_dir, "ca.key.pem");
    CLEANUP_X509 X509 *cert = load_certificate(tls_dir, "ca.pem");
    if (!key || !cert || X509_check_private_key(cert, key) != 1)
        return openssl_fault(
            f, "the certification authority in tls/ca.key.pem and tls/ca.pem cannot be used: take a "
               "certificate of another one");
    *ret_key = TAKE(key);
    *ret_cert = TAKE(cert);
    return OK;
}

static bool fingerprint_of(const X509 *x, uint8_t ret_fingerprint[CONF_FINGERPRINT_BYTES]) {
    unsigned n = 0;
    return X509_digest(x, EVP_sha256(), ret_fingerprint, &n) == 1 && n == CONF_FINGERPRINT_BYTES;
}

static void organisation_of(const X509 *x, char *dst, size_t cap) {
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_organizationName, dst, (int)cap) <= 0)
        snprintf(dst, cap, "Galena");
}

// The one that is there, or a new one, kept.
static enum err key_for(const struct ca_request *r, EVP_PKEY **ret_key, struct fault *f) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", r->out_dir, r->key_name);
    bool there = faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
    CLEANUP_PKEY EVP_PKEY *key = there ? load_key(r->out_dir, r->key_name) : EVP_EC_gen("P-256");
    if (!key)
        return openssl_fault(f, r->key_name);
    enum err e = there ? OK : save_key(key, r->out_dir, r->key_name, f);
    if (e == OK)
        *ret_key = TAKE(key);
    return e;
}

enum err ca_issue(const char *tls_dir, const struct ca_request *r,
                  uint8_t ret_fingerprint[CONF_FINGERPRINT_BYTES], struct fault *f) {
    CLEANUP_PKEY EVP_PKEY *ca_key = NULL;
    CLEANUP_X509 X509 *ca = NULL;
    enum err e = load_authority(tls_dir, &ca_key, &ca, f);
    if (e != OK)
        return e;
    char organisation[CONF_NAME_MAX + 1];
    organisation_of(ca, organisation, sizeof organisation);
    CLEANUP_PKEY EVP_PKEY *key = NULL;
    if ((e = key_for(r, &key, f)) != OK)
        return e;
    CLEANUP_X509 X509 *x =
        new_certificate(key, organisation, r->common_name, r->web ? CA_WEB_DAYS : CA_LEAF_YEARS * 365);
    if (!x || !X509_set_issuer_name(x, X509_get_subject_name(ca)) ||
        !add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, ca, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, ca, NID_ext_key_usage, r->web ? "serverAuth" : "clientAuth,serverAuth") ||
        !add_extension(x, ca, NID_subject_alt_name, r->alt_names) ||
        !add_extension(x, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(x, ca, NID_authority_key_identifier, "keyid") ||
        !X509_sign(x, ca_key, EVP_sha256()))
        return openssl_fault(f, "making the certificate");
    e = save_cert(x, r->out_dir, r->cert_name, f);
    if (e == OK && !fingerprint_of(x, ret_fingerprint))
        e = openssl_fault(f, "hashing the certificate");
    return e;
}

static X509 *parse(struct slice file) {
    CLEANUP_BIO BIO *b = BIO_new_mem_buf(file.p, (int)file.n);
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    const uint8_t *p = file.p;
    if (!x)
        x = d2i_X509(NULL, &p, (long)file.n);
    ERR_clear_error();
    return x;
}

static void time_text(const ASN1_TIME *t, char dst[32]) {
    struct tm tm = {0};
    dst[0] = '\0';
    if (ASN1_TIME_to_tm(t, &tm))
        strftime(dst, 32, "%Y-%m-%d", &tm);
}

static void names_of(const X509 *x, char ret_names[CA_NAMES_MAX]) {
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    ret_names[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        char text[CONF_HOST_MAX + 1] = "";
        struct slice s = {0};
        if (name->type == GEN_DNS || name->type == GEN_IPADD)
            s = slice_of(ASN1_STRING_get0_data(name->d.ip), (size_t)ASN1_STRING_length(name->d.ip));
        if (name->type == GEN_DNS && !slice_to_cstr(s, text, sizeof text))
            text[0] = '\0';
        if (name->type == GEN_IPADD && (s.n == 4 || s.n == 16))
            inet_ntop(s.n == 4 ? AF_INET : AF_INET6, s.p, text, sizeof text);
        if (text[0])
            ca_alt_name_add(ret_names, CA_NAMES_MAX, text);
    }
    GENERAL_NAMES_free(all);
}

static int days_until(const ASN1_TIME *t) {
    int days = 0, seconds = 0;
    if (!ASN1_TIME_diff(&days, &seconds, NULL, t))
        return 0;
    return seconds < 0 ? days - 1 : days;
}

enum err ca_read(struct slice file, struct ca_found *ret_found, struct fault *f) {
    struct ca_found found = {0};
    if (file.n == 0 || file.n > 1 << 20)
        return fault_set(f, ERR_SYNTAX, "is not a certificate");
    CLEANUP_X509 X509 *x = parse(file);
    if (!x)
        return fault_set(f, ERR_SYNTAX, "holds no certificate in PEM or DER form");
    CLEANUP_BIO BIO *b = BIO_new(BIO_s_mem());
    if (!b || !PEM_write_bio_X509(b, x) || !fingerprint_of(x, found.fingerprint))
        return openssl_fault(f, "reading the certificate");
    const char *pem = NULL;
    long n = BIO_get_mem_data(b, &pem);
    found.pem = strndup(pem, n > 0 ? (size_t)n : 0);
    if (!found.pem)
        return fault_set(f, ERR_NO_MEMORY, "not enough memory");
    X509_NAME_oneline(X509_get_subject_name(x), found.subject, sizeof found.subject);
    time_text(X509_get0_notAfter(x), found.not_after);
    names_of(x, found.names);
    found.days_left = days_until(X509_get0_notAfter(x));
    found.valid_now = X509_cmp_current_time(X509_get0_notBefore(x)) < 0 &&
                      X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
    *ret_found = found;
    return OK;
}

void ca_found_fini(struct ca_found *found) {
    free(found->pem);
    found->pem = NULL;
}

bool ca_has_issued(const char *tls_dir, const struct ca_found *found) {
    CLEANUP_X509 X509 *ca = load_certificate(tls_dir, "ca.pem");
    CLEANUP_X509 X509 *x = parse(slice_str(found->pem));
    bool issued = ca && x && X509_check_issued(ca, x) == X509_V_OK &&
                  X509_verify(x, X509_get0_pubkey(ca)) == 1;
    ERR_clear_error();
    return issued;
}

// The same address in one spelling.
static const char *canonical(const char *host, char dst[INET6_ADDRSTRLEN]) {
    uint8_t ip[16];
    for (size_t i = 0; i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        if (inet_pton(family, host, ip) == 1)
            return inet_ntop(family, ip, dst, INET6_ADDRSTRLEN);
    }
    return NULL;
}

void ca_alt_name_add(char *list, size_t cap, const char *host) {
    char entry[CONF_HOST_MAX + 8], address[INET6_ADDRSTRLEN];
    const char *literal = canonical(host, address);
    snprintf(entry, sizeof entry, "%s:%s", literal ? "IP" : "DNS", literal ? literal : host);
    size_t n = strlen(list), m = strlen(entry);
    for (const char *at = list; (at = strstr(at, entry)); at++)
        if ((at == list || at[-1] == ',') && (at[m] == ',' || at[m] == '\0'))
            return;
    if (n + m + 2 <= cap)
        snprintf(list + n, cap - n, "%s%s", n ? "," : "", entry);
}
