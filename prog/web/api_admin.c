// For administrators: how the archive is, its peers and users, what came in today.
#include "api.h"
#include "route.h"

#include "dicom/json.h"

enum { STATUS, PEERS, USERS, TODAY };

#define COLUMNS(c) (c), sizeof(c) / sizeof *(c)

static void from(void *body, uint32_t lines) {
    ((struct ipc_admin *)body)->from = lines;
}

// Lines "name TAB value": one object.
void api_admin_status(struct request *rq) {
    struct ipc_msg m = channel_call(&rq->archive, IPC_ADMIN, &(struct ipc_admin){.what = STATUS}, IPC_LINES);
    if (m.u.lines.error != OK) {
        api_answer_error(rq, (enum err)m.u.lines.error, SLICE_LIT(""));
        return;
    }
    struct buf b = BUF_INIT(256 * 1024);
    struct slice rest = m.u.lines.text;
    const char *comma = "";
    buf_append_str(&b, "{");
    while (rest.p && rest.n > 0) {
        struct slice value, line = slice_split(rest, '\n', &rest), name = slice_split(line, '\t', &value);
        uint64_t number;
        buf_append_str(&b, comma);
        dicom_json_string(&b, name);
        buf_append_str(&b, ":");
        if (slice_to_u64(value, UINT64_MAX, &number))
            buf_append_slice(&b, value);
        else
            dicom_json_string(&b, value);
        comma = ",";
    }
    buf_append_str(&b, "}\n");
    answer_json(rq, 200, &b);
    buf_fini(&b);
}

void api_admin_peers(struct request *rq) {
    static const struct api_column columns[] = {{"name", API_TEXT},       {"ae_title", API_TEXT},
                                                {"can", API_WORDS_COMMA}, {"lane", API_TEXT},
                                                {"address", API_TEXT},    {"collections", API_WORDS_COMMA}};
    struct ipc_admin ask = {.what = PEERS};
    api_answer_lines(rq, IPC_ADMIN, &ask, from, COLUMNS(columns));
}

void api_admin_users(struct request *rq) {
    static const struct api_column columns[] = {{"name", API_TEXT},
                                                {"roles", API_WORDS_COMMA},
                                                {"collections", API_WORDS_COMMA},
                                                {"physician", API_TEXT},
                                                {"second_factor", API_BOOL}};
    struct ipc_admin ask = {.what = USERS};
    api_answer_lines(rq, IPC_ADMIN, &ask, from, COLUMNS(columns));
}

void api_admin_today(struct request *rq) {
    static const struct api_column columns[] = {{"hour", API_NUMBER},
                                                {"peer", API_TEXT},
                                                {"modality", API_TEXT},
                                                {"studies", API_NUMBER},
                                                {"instances", API_NUMBER}};
    struct ipc_admin ask = {.what = TODAY};
    api_answer_lines(rq, IPC_ADMIN, &ask, from, COLUMNS(columns));
}
