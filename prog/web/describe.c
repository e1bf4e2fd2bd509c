// What this server can do, for programs: the capabilities description of PS3.18 8.9 (WADL) and an OpenAPI 3.1
// document. Both are made from the table of routes, so that they cannot say anything else than is served.
#include "route.h"

#include "dicom/json.h"

enum { DESCRIPTION_MAX = 1024 * 1024 };

static const char *const part_names[] = {"study", "series", "instance", "frames"};

// "/dicomweb/studies/{}/series" with names for what stands at {}. Elsewhere there is one variable: id.
static void put_path(struct buf *b, const struct route *r) {
    bool own = strncmp(r->path, "/dicomweb/", 10) != 0;
    size_t n = 0;
    for (const char *c = r->path; *c; c++) {
        if (c[0] == '{' && c[1] == '}') {
            buf_printf(b, "{%s}", own ? "id" : part_names[n < 3 ? n : 3]);
            n++;
            c++;
        } else if (*c == '*') {
            buf_append_str(b, "{path}");
        } else {
            buf_u8(b, (uint8_t)*c);
        }
    }
}

static bool is_described(const struct route *r) {
    return strcmp(r->path, "/*") != 0 && strncmp(r->path, "/viewer/", 8) != 0;
}

static bool is_dicomweb(const struct route *r) {
    return r->section[0] != '\0';
}

// --- OpenAPI

static void put_parameters(struct buf *b, const struct route *r) {
    struct buf path = BUF_INIT(512);
    put_path(&path, r);
    const char *comma = "";
    struct slice rest = buf_slice(&path);
    buf_append_str(b, "\"parameters\":[");
    while (rest.p) {
        (void)slice_split(rest, '{', &rest);
        struct slice name = rest.p ? slice_split(rest, '}', &rest) : rest;
        if (name.n == 0)
            continue;
        buf_printf(b,
                   "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}",
                   comma, SLICE_FMT(name));
        comma = ",";
    }
    buf_append_str(b, "]");
    buf_fini(&path);
}

static void put_operation(struct buf *b, const struct route *r) {
    static const char *const access[] = {
        [ROUTE_PUBLIC] = "\"security\":[],", [ROUTE_SIGNED_IN] = "", [ROUTE_RIGHTS] = ""};
    char method[12] = "";
    for (size_t i = 0; r->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(r->method[i] | 0x20);
    buf_printf(b, "\"%s\":{\"summary\":", method);
    dicom_json_string(b, slice_str(r->summary));
    if (is_dicomweb(r)) {
        buf_append_str(b, ",\"description\":");
        dicom_json_string(b, slice_str(r->section));
    }
    buf_printf(b, ",%s", access[r->access]);
    put_parameters(b, r);
    buf_append_str(b, ",\"responses\":{\"default\":{\"description\":\"See the web interface's manual\"}}}");
}

// Rows of one path stand together in the document, wherever they stand in the table.
static bool path_was_seen(size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(route_table[k].path, route_table[i].path) == 0)
            return true;
    return false;
}

void describe_openapi(struct request *rq) {
    struct buf b = BUF_INIT(DESCRIPTION_MAX);
    const char *comma = "";
    buf_append_str(
        &b, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Galena\",\"version\":\"" GALENA_VERSION "\"},"
            "\"security\":[{\"token\":[]},{\"session\":[]}],"
            "\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
            "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"__Host-galena\"}}},\"paths\":{");
    for (size_t i = 0; i < route_count; i++) {
        if (!is_described(&route_table[i]) || path_was_seen(i))
            continue;
        buf_printf(&b, "%s\"", comma);
        put_path(&b, &route_table[i]);
        buf_append_str(&b, "\":{");
        comma = "";
        for (size_t k = i; k < route_count; k++)
            if (strcmp(route_table[k].path, route_table[i].path) == 0) {
                buf_append_str(&b, comma);
                put_operation(&b, &route_table[k]);
                comma = ",";
            }
        buf_append_str(&b, "}");
        comma = ",";
    }
    buf_append_str(&b, "}}\n");
    answer_json(rq, 200, &b);
    buf_fini(&b);
}

// --- WADL, as PS3.18 8.9 asks for it

// The only character of a host that is markup.
static void put_origin(struct buf *b, struct slice origin) {
    for (size_t i = 0; i < origin.n; i++)
        if (origin.p[i] == '&')
            buf_append_str(b, "&amp;");
        else
            buf_u8(b, origin.p[i]);
}

void describe_capabilities(struct request *rq) {
    struct buf b = BUF_INIT(DESCRIPTION_MAX);
    buf_append_str(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n<resources base=\"");
    put_origin(&b, request_origin(rq));
    buf_append_str(&b, "/dicomweb\">\n");
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &route_table[i];
        if (!is_dicomweb(r) || strncmp(r->path, "/dicomweb/", 10) != 0)
            continue;
        struct buf path = BUF_INIT(512);
        put_path(&path, r);
        buf_printf(&b,
                   "<resource path=\"%.*s\"><method name=\"%s\"><doc title=\"%s\"/></method></resource>\n",
                   SLICE_FMT(slice_sub(buf_slice(&path), 10, path.n)), r->method, r->section);
        buf_fini(&path);
    }
    buf_append_str(&b, "</resources>\n</application>\n");
    struct answer a = {.status = 200, .type = "application/vnd.sun.wadl+xml"};
    answer_text(rq, &a, &b);
    buf_fini(&b);
}
