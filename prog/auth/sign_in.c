// Passwords: who may have one checked now, and what a right or a wrong one leads to.
#include "auth.h"
#include "device.h"
#include "os/clock.h"

enum { WAIT_FULL_MS = 5000, HOLD_MOST_MS = 60000 };
enum { CHECK_NO, CHECK_YES, CHECK_BUSY };

void sign_in_refuse(uint64_t request, enum err error, bool need_code, int64_t wait_ms) {
    struct ipc_auth_signed_in m = {.request = request,
                                   .error = (uint16_t)error,
                                   .need_code = need_code,
                                   .wait_s = (uint32_t)((wait_ms + 999) / 1000)};
    auth_send(IPC_AUTH_SIGNED_IN, &m);
}

static void answer_check(uint64_t request, unsigned valid, const struct user *u) {
    struct ipc_auth_result m = {.request = request, .valid = (uint8_t)valid, .roles = u ? u->roles : 0};
    auth_send(IPC_AUTH_RESULT, &m);
}

static bool copy(struct slice from, uint8_t *to, size_t cap, size_t *ret_n) {
    if (from.n > cap)
        return false;
    if (from.n > 0)
        memcpy(to, from.p, from.n);
    *ret_n = from.n;
    return true;
}

// A DICOM peer can't be told to come back later: its answer is put off.
void sign_in_on_check(struct auth *a, const struct ipc_auth_check *m) {
    static struct job job;
    int64_t now_ms = os_clock_ms();
    job = (struct job){.kind = JOB_CHECK, .request = m->request};
    job.who = throttle_who(&a->throttle, m->user, m->source, slice_of(NULL, 0));
    job.lane = job.who.source;
    job.due_ms = throttle_due_ms(&a->throttle, job.who, now_ms);
    bool fits = copy(m->user, job.user, sizeof job.user, &job.user_n) &&
                copy(m->passcode, job.password, sizeof job.password, &job.password_n) &&
                copy(m->source, job.source, sizeof job.source, &job.source_n);
    if (!fits || job.due_ms - now_ms > HOLD_MOST_MS ||
        !queue_has_room(&a->queue, job.lane, false, QUEUE_OF_PEER)) {
        answer_check(m->request, CHECK_BUSY, NULL);
    } else {
        throttle_book(&a->throttle, job.who, job.due_ms);
        queue_put(&a->queue, &job);
    }
    explicit_bzero(&job, sizeof job);
}

// Puts the job into the queue, or says how long to wait.
static void admit(struct auth *a, struct job *job) {
    int64_t now_ms = os_clock_ms();
    job->due_ms = throttle_due_ms(&a->throttle, job->who, now_ms);
    job->lane = job->device ? job->who.pair : job->who.source;
    if (job->due_ms > now_ms) {
        sign_in_refuse(job->request, ERR_BUSY, false, job->due_ms - now_ms);
    } else if (!queue_has_room(&a->queue, job->lane, job->device, QUEUE_OF_LANE)) {
        sign_in_refuse(job->request, ERR_BUSY, false, WAIT_FULL_MS);
    } else {
        throttle_book(&a->throttle, job->who, now_ms);
        queue_put(&a->queue, job);
    }
}

static void take_and_admit(struct auth *a, struct job *job, struct slice user, struct slice password,
                           struct slice code, struct slice source) {
    bool fits = copy(user, job->user, sizeof job->user, &job->user_n) &&
                copy(password, job->password, sizeof job->password, &job->password_n) &&
                copy(code, job->code, sizeof job->code, &job->code_n) &&
                copy(source, job->source, sizeof job->source, &job->source_n);
    if (fits)
        admit(a, job);
    else
        sign_in_refuse(job->request, ERR_DENIED, false, 0);
}

void sign_in_on_request(struct auth *a, const struct ipc_auth_sign_in *m) {
    static struct job job;
    uint8_t device[DEVICE_ID_BYTES];
    const struct user *u = users_find(&a->users, m->user);
    job = (struct job){.kind = JOB_SIGN_IN, .request = m->request};
    job.device =
        device_check(m->device, m->user, u ? u->hash : verify_nobodys_hash(), os_clock_wall_ms(), device);
    job.who =
        throttle_who(&a->throttle, m->user, m->source, slice_of(device, job.device ? sizeof device : 0));
    (void)copy(m->replaces, job.replaces, sizeof job.replaces, &job.replaces_n);
    take_and_admit(a, &job, m->user, m->password, m->code, m->source);
    explicit_bzero(&job, sizeof job);
}

// A session guesses at its own user's password in a slot of its own, and a patient one: whoever stole it gets
// no further, and its bearer is not kept from signing in.
void sign_in_on_proof(struct auth *a, const struct ipc_auth_prove *m) {
    static struct job job;
    if (!users_find(&a->users, m->user)) {
        struct ipc_auth_signed_in no = {
            .request = m->request, .error = ERR_DENIED, .detail = slice_str(account_not_ours)};
        auth_send(IPC_AUTH_SIGNED_IN, &no);
        return;
    }
    job = (struct job){.kind = JOB_PROVE, .request = m->request, .device = true};
    job.who = throttle_who(&a->throttle, m->user, m->source, m->digest);
    job.who.patient = true;
    take_and_admit(a, &job, m->user, m->password, m->code, m->source);
    explicit_bzero(&job, sizeof job);
}

void sign_in_replace(struct auth *a, struct slice digest) {
    struct session *s = sessions_find_expired(&a->sessions, digest);
    if (!s)
        return;
    auth_forget(s->user);
    sessions_end(&a->sessions, s);
}

void sign_in_welcome(struct auth *a, uint64_t request, const struct user *u, struct slice source) {
    struct session spec = {0};
    char secret[SECRET_CHARS + 1], device[DEVICE_CHARS + 1];
    (void)slice_to_cstr(u->name, spec.user, sizeof spec.user);
    (void)slice_to_cstr(source, spec.source, sizeof spec.source);
    identify_stamp(u, spec.stamp);
    sessions_new(&a->sessions, &spec, os_clock_ms(), os_clock_wall_ms(), secret);
    device_make(u->name, u->hash, os_clock_wall_ms(), device);
    struct ipc_auth_signed_in m = {.request = request,
                                   .expires_s = a->settings.session_max_s,
                                   .session = slice_str(secret),
                                   .device = slice_str(device)};
    auth_send(IPC_AUTH_SIGNED_IN, &m);
    explicit_bzero(secret, sizeof secret);
}

static void welcome(struct auth *a, const struct job *job, const struct user *u) {
    struct slice source = slice_of(job->source, job->source_n);
    struct ipc_auth_signed_in proven = {.request = job->request};
    if (job->kind == JOB_PROVE) {
        auth_send(IPC_AUTH_SIGNED_IN, &proven);
        return;
    }
    sign_in_replace(a, slice_of(job->replaces, job->replaces_n));
    sign_in_welcome(a, job->request, u, source);
    os_log(OS_LOG_INFO, "signed in", OS_LOG_SLICE("user", u->name), OS_LOG_SLICE("from", source));
}

static bool code_is_right(struct auth *a, const struct job *job, const struct user *u) {
    uint8_t secret[64];
    size_t n;
    int64_t step;
    bool right = base32_decode(u->totp, secret, sizeof secret, &n) &&
                 totp_check(slice_of(secret, n), slice_of(job->code, job->code_n), os_clock_wall_ms(),
                            totp_used_last(&a->totp_used, u->name), &step);
    explicit_bzero(secret, sizeof secret);
    if (right)
        totp_used_note(&a->totp_used, u->name, step);
    return right;
}

// The password was right.
static void ask_second_factor(struct auth *a, const struct job *job, const struct user *u) {
    struct throttle_who who =
        throttle_who_code(&a->throttle, u->name, job->device ? job->who.pair : 0);
    int64_t now_ms = os_clock_ms(), due_ms = throttle_due_ms(&a->throttle, who, now_ms);
    if (job->code_n == 0) {
        sign_in_refuse(job->request, ERR_DENIED, true, 0);
    } else if (due_ms > now_ms) {
        sign_in_refuse(job->request, ERR_BUSY, false, due_ms - now_ms);
    } else if (!code_is_right(a, job, u)) {
        os_log(OS_LOG_WARN, "wrong code of the second factor after a right password",
               OS_LOG_SLICE("user", u->name), OS_LOG_SLICE("from", slice_of(job->source, job->source_n)));
        throttle_note(&a->throttle, who, false, now_ms);
        throttle_note(&a->throttle, job->who, false, now_ms);
        sign_in_refuse(job->request, ERR_DENIED, false, 0);
    } else {
        throttle_note(&a->throttle, who, true, now_ms);
        throttle_note(&a->throttle, job->who, true, now_ms);
        welcome(a, job, u);
    }
}

static void on_right(struct auth *a, const struct job *job, const struct user *u) {
    if (job->kind != JOB_CHECK && u->totp.n > 0) {
        ask_second_factor(a, job, u);
        return;
    }
    throttle_note(&a->throttle, job->who, true, os_clock_ms());
    if (job->kind == JOB_CHECK)
        answer_check(job->request, CHECK_YES, u);
    else
        welcome(a, job, u);
}

// A name that is nobody's stays out of the log: people type passwords into the wrong field.
static void log_wrong(const struct job *job, const struct user *u) {
    struct slice from = slice_of(job->source, job->source_n);
    if (u)
        os_log(OS_LOG_WARN, "wrong password", OS_LOG_SLICE("user", u->name), OS_LOG_SLICE("from", from));
    else
        os_log(OS_LOG_WARN, "unknown user", OS_LOG_SLICE("from", from));
}

static void on_wrong(struct auth *a, const struct job *job, const struct user *u) {
    throttle_note(&a->throttle, job->who, false, os_clock_ms());
    log_wrong(job, u);
    if (job->kind == JOB_CHECK)
        answer_check(job->request, CHECK_NO, NULL);
    else
        sign_in_refuse(job->request, ERR_DENIED, false, 0);
}

// It says nothing of the password, and is no attempt.
static void on_no_memory(const struct job *job) {
    os_log(OS_LOG_ERROR, "a password cannot be checked: no memory");
    if (job->kind == JOB_CHECK)
        answer_check(job->request, CHECK_BUSY, NULL);
    else
        sign_in_refuse(job->request, ERR_NO_MEMORY, false, 0);
}

void sign_in_work_out(struct auth *a, struct job *job) {
    const struct user *u = users_find(&a->users, slice_of(job->user, job->user_n));
    switch (verify_passcode(u, slice_of(job->password, job->password_n))) {
    case VERIFY_YES:
        on_right(a, job, u);
        break;
    case VERIFY_NO:
        on_wrong(a, job, u);
        break;
    case VERIFY_NO_MEMORY:
        on_no_memory(job);
        break;
    }
}

void sign_in_on_out(struct auth *a, const struct ipc_auth_sign_out *m) {
    const struct session *s = sessions_find(&a->sessions, m->digest, os_clock_ms());
    if (s)
        os_log(OS_LOG_INFO, "signed out", OS_LOG_TEXT("user", s->user));
    sign_in_replace(a, m->digest);
    auth_done(m->request, OK, "");
}
