/*
 * Steps, each of them one request; the table says what comes after its answer. All of them end in finish(), once.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/mono.h"
#include "bundles/gather_answers.h"
#include "bundles/gather_ask.h"
#include "net/url.h"

#define V2_PATH "/system/health/v2/node/collect"
#define V1_PATH "/system/health/v1/node/diagnostics/"
#define V1_BODY "{\"type\":\"Local\"}"

#define CONNECT_USEC             (10 * USEC_PER_SEC)
#define CONNECT_UNREACHABLE_USEC (3 * USEC_PER_SEC)
#define STEP_USEC                (10 * USEC_PER_SEC) /* of those that bring no data */
#define POLL_USEC                USEC_PER_SEC
#define POLL_FAILURES_MAX        5u
#define BUSY_USEC                (2 * USEC_PER_SEC)
#define REFUSAL_BYTES            4096u
#define V1_ID_MAX                96 /* of a bundle's id, in what it is called there */

struct ask {
        struct ask_terms terms;
        const struct step *step;
        struct fetch *fetch;
        struct spool spool;
        struct buf refusal; /* the beginning of a body that is no data */
        struct ask_outcome outcome;
        char v1_id[BUNDLE_ID_MAX + 16];
        uint64_t started_mono_usec, heard_mono_usec, poll_mono_usec; /* poll: 0: not waiting */
        unsigned n_poll_failures;
        int spool_error;
        bool is_data; /* this answer's body is what we came for */
};

struct step {
        const char *method, *path; /* path: of v1, after the bundle's id there */
        bool data, v1;
        uint64_t timeout_usec; /* 0: up to the deadline */
        void (*answered)(struct ask *a, const struct fetch_result *r);
};

static const struct step collect, v1_put, v1_poll, v1_file, v1_delete;

/* --- the end --------------------------------------------------------------------------------------------- */

static void finish(struct ask *a)
{
        a->outcome.took_usec = usec_since(now_mono_usec(), a->started_mono_usec);
        if (a->outcome.end == ASK_GOT) {
                a->outcome.spool = a->spool;
                a->spool.fd = -1;
        } else {
                spool_done(&a->spool);
        }
        a->terms.done(&a->outcome, a->terms.userdata);
}

static int begin(struct ask *a, const struct step *step);

/* Where we had something made, we take it away again; that may fail, and matters to nobody but the node. */
static _printf_(3, 4) void conclude(struct ask *a, enum ask_end end, const char *fmt, ...)
{
        struct err words;
        va_list ap;
        char text[sizeof(a->outcome.words)];

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void)err_set(&words, -EIO, "%s",
                      text); /* without control characters: some of it came from the node */
        (void)snprintf(a->outcome.words, sizeof(a->outcome.words), "%.*s",
                       (int)sizeof(a->outcome.words) - 1, words.text);
        a->outcome.end = end;
        if (!a->step->v1 || a->step == &v1_put || begin(a, &v1_delete) < 0)
                finish(a);
}

static void fail_with(struct ask *a, const struct fetch_result *r)
{
        conclude(a, ASK_NOTHING, "%s", r->text);
}

/* What went wrong on its way. What came of a fragment before is good, entry by entry; half a zip is nothing. */
static void cut(struct ask *a, const char *why)
{
        if (a->spool_error == -ENOSPC)
                conclude(a, ASK_NO_SPACE, "there is no room for it on this master's disk");
        else if (a->spool_error == -EFBIG)
                conclude(a, a->step->v1 ? ASK_NOTHING : ASK_GOT,
                         "it sent more than the limit of %" PRIu64 " bytes", a->spool.max);
        else if (a->spool_error)
                conclude(a, ASK_NOTHING, "cannot be spooled: %s", strerror(-a->spool_error));
        else if (a->spool.n && !a->step->v1)
                conclude(a, ASK_GOT, "cut after %" PRIu64 " bytes: %s", a->spool.n, why);
        else
                conclude(a, ASK_NOTHING, "%s", why);
}

static const char *words_of(unsigned status)
{
        return status == 401 || status == 403
                       ? "it refuses: bundles over the network need TLS, and a master's certificate"
               : status == 404 || status == 405
                       ? "it has no collector: its diag is too old, or another service answers"
               : status == 429 ? "it collects for somebody else"
               : status == 503 ? "it cannot collect now"
                               : "it failed";
}

static void refuse(struct ask *a, const struct fetch_result *r)
{
        const bool forbids = r->status == 401 || r->status == 403;
        char said[GATHER_WORDS_MAX];

        gather_read_error(said, buf_cstr(&a->refusal), a->refusal.n);
        /* What it says itself may be of something else, such as bundles with their secrets. */
        conclude(a, ASK_NOTHING, "%s (%u%s%s)",
                 forbids && *said ? "it refuses" : words_of(r->status), r->status,
                 *said ? ": " : "", said);
}

/* --- data ------------------------------------------------------------------------------------------------ */

static int on_body(const struct fetch_head *head, const char *data, size_t n, void *userdata)
{
        struct ask *a = userdata;
        size_t room = a->refusal.n < REFUSAL_BYTES ? REFUSAL_BYTES - a->refusal.n : 0;

        a->heard_mono_usec = now_mono_usec();
        if (!a->step->data || head->status != 200) {
                buf_append(&a->refusal, data, n < room ? n : room);
                return 0;
        }
        a->spool_error = spool_write(&a->spool, data, n);
        return a->spool_error;
}

static void on_done(const struct fetch_result *r, void *userdata)
{
        struct ask *a = userdata;

        a->fetch = fetch_free(a->fetch);
        a->heard_mono_usec = now_mono_usec();
        a->step->answered(a, r);
}

/* --- a node with our daemon -------------------------------------------------------------------------------- */

enum { HEAD_TYPE = 0, HEAD_RETRY_AFTER };
static const char *const wanted[] = {"Content-Type", "Retry-After", NULL};

static bool take_format(struct ask *a, const char *type)
{
        static const struct {
                const char *type;
                enum archive_format format;
        } types[] = {
                {"application/vnd.diag.fragment+zstd", ARCHIVE_TAR_ZSTD},
                {"application/vnd.diag.fragment+gzip", ARCHIVE_TAR_GZIP},
        };

        for (size_t i = 0; type && i < ELEMENTSOF(types); i++)
                if (strncmp(type, types[i].type, strlen(types[i].type)) == 0) {
                        a->outcome.format = types[i].format;
                        return true;
                }
        return false;
}

static uint64_t busy_usec(const char *retry_after)
{
        unsigned long seconds = retry_after ? strtoul(retry_after, NULL, 10) : 0;

        if (seconds == 0)
                return BUSY_USEC;
        return seconds < ASK_BUSY_USEC_MAX / USEC_PER_SEC ? seconds * USEC_PER_SEC
                                                          : ASK_BUSY_USEC_MAX;
}

static void on_collected(struct ask *a, const struct fetch_result *r)
{
        if (r->error) {
                cut(a, r->text);
        } else if (r->status == 429) {
                a->outcome.busy_usec = busy_usec(r->headers[HEAD_RETRY_AFTER]);
                conclude(a, ASK_BUSY, "%s", words_of(429));
        } else if (r->status != 200) {
                refuse(a, r);
        } else if (!take_format(a, r->headers[HEAD_TYPE])) {
                conclude(a, ASK_NOTHING, "what it sent is no fragment, but %.64s",
                         r->headers[HEAD_TYPE] ? r->headers[HEAD_TYPE] : "of no type");
        } else {
                conclude(a, ASK_GOT, "%s", "");
        }
}

static const struct step collect = {"POST", V2_PATH, true, false, 0, on_collected};

/* --- a node with the service that we replace ---------------------------------------------------------------- */

static void poll_later(struct ask *a)
{
        a->poll_mono_usec = now_mono_usec() + POLL_USEC;
}

static void on_v1_put(struct ask *a, const struct fetch_result *r)
{
        if (r->error)
                fail_with(a, r);
        else if (r->status != 200)
                refuse(a, r);
        else {
                a->step = &v1_poll;
                poll_later(a);
        }
}

static void on_v1_polled(struct ask *a, const struct fetch_result *r)
{
        enum gather_v1_state state = GATHER_V1_RUNNING;
        char why[GATHER_WORDS_MAX];
        bool good = !r->error && r->status == 200 &&
                    gather_read_v1(&state, why, buf_cstr(&a->refusal), a->refusal.n) >= 0;

        if (!good && ++a->n_poll_failures >= POLL_FAILURES_MAX) {
                if (r->error)
                        fail_with(a, r);
                else
                        refuse(a, r);
                return;
        }
        if (good)
                a->n_poll_failures = 0;
        if (state == GATHER_V1_FAILED)
                conclude(a, ASK_NOTHING, "its own bundle failed: %s", why);
        else if (state == GATHER_V1_RUNNING || begin(a, &v1_file) < 0)
                poll_later(a);
}

static void on_v1_file(struct ask *a, const struct fetch_result *r)
{
        a->outcome.format = ARCHIVE_ZIP;
        if (r->error)
                cut(a, r->text);
        else if (r->status != 200)
                refuse(a, r);
        else
                conclude(a, ASK_GOT, "%s", "");
}

static void on_v1_deleted(struct ask *a, _unused_ const struct fetch_result *r)
{
        finish(a);
}

static const struct step v1_put = {"PUT", "", false, true, STEP_USEC, on_v1_put};
static const struct step v1_poll = {"GET", "", false, true, STEP_USEC, on_v1_polled};
static const struct step v1_file = {"GET", "/file", true, true, 0, on_v1_file};
static const struct step v1_delete = {"DELETE", "", false, true, 3 * USEC_PER_SEC, on_v1_deleted};

/* --- asking ------------------------------------------------------------------------------------------------ */

static int begin(struct ask *a, const struct step *step)
{
        const struct gather_node *node = a->terms.node;
        uint64_t now = now_mono_usec();
        uint64_t left = usec_since(a->terms.deadline_mono_usec, now);
        char url[NODE_URL_MAX + 256], caller[256], accept[64];
        const char *headers[5] = {accept};
        size_t n = 1;
        struct fetch_request q = {
                .url = url,
                .unix_path = node->socket,
                .method = step->method,
                .headers = headers,
                .wanted_headers = wanted,
                .timeout_usec = step->timeout_usec ? step->timeout_usec
                                : left             ? left
                                                   : 1,
                .connect_timeout_usec = node->unreachable ? CONNECT_UNREACHABLE_USEC : CONNECT_USEC,
                .max_bytes = step->data ? SIZE_MAX / 4 : GATHER_ANSWER_MAX,
                .watch_peer = true,
                .on_body = on_body,
        };
        int k;

        (void)snprintf(accept, sizeof(accept), "Accept: %s",
                       step != &collect ? "*/*"
                       : a->terms.format == ARCHIVE_TAR_GZIP
                               ? "application/vnd.diag.fragment+gzip"
                               : "application/vnd.diag.fragment+zstd");
        if (step == &collect || step == &v1_put)
                headers[n++] = "Content-Type: application/json";
        if (node->socket) { /* it takes our word for who asks, and only ours */
                (void)snprintf(caller, sizeof(caller), "Diag-Caller: operate 1 %s",
                               str_or(a->terms.by, "bundle"));
                headers[n++] = caller;
        }
        if (step->v1)
                (void)snprintf(url, sizeof(url), "%s" V1_PATH "%s%s", node->url, a->v1_id,
                               step->path);
        else
                (void)snprintf(url, sizeof(url), "%s%s", node->url, step->path);
        if (step == &collect || step == &v1_put) {
                q.body = step->v1 ? V1_BODY : a->terms.body;
                q.n_body = step->v1 ? strlen(V1_BODY) : a->terms.n_body;
        }
        buf_clear(&a->refusal);
        a->heard_mono_usec = now;
        a->poll_mono_usec = 0;
        k = fetch_start(&a->fetch, a->terms.fetcher, &q, on_done, a, NULL);
        if (k >= 0)
                a->step = step;
        return k;
}

void ask_tick(struct ask *a, uint64_t now_mono_usec)
{
        if (a->poll_mono_usec && now_mono_usec >= a->terms.deadline_mono_usec) {
                a->poll_mono_usec = 0;
                conclude(a, ASK_NOTHING, "its bundle was not done in time");
        } else if (a->poll_mono_usec && now_mono_usec >= a->poll_mono_usec) {
                if (begin(a, &v1_poll) < 0)
                        poll_later(a);
        } else if (a->fetch && a->step->data &&
                   usec_since(now_mono_usec, a->heard_mono_usec) > GATHER_STALL_USEC) {
                char why[64];

                a->fetch = fetch_free(a->fetch);
                (void)snprintf(why, sizeof(why), "no byte came for %u s",
                               (unsigned)(GATHER_STALL_USEC / USEC_PER_SEC));
                cut(a, why);
        }
}

uint64_t ask_received(const struct ask *a)
{
        return a->spool.n;
}

/* Its own: a second gatherer must not meet the bundle of a first one that was killed. */
static void name_v1(struct ask *a)
{
        uint32_t random = 0;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                random = (uint32_t)now_wall_usec();
        (void)snprintf(a->v1_id, sizeof(a->v1_id), "%.*s-%08x", V1_ID_MAX, a->terms.bundle, random);
}

int ask_start(struct ask **ret, const struct ask_terms *terms, struct err *e)
{
        _cleanup_(ask_freep) struct ask *a = calloc(1, sizeof(*a));
        int k;

        if (!a)
                return err_set(e, -ENOMEM, "out of memory");
        a->spool.fd = -1;
        a->terms = *terms;
        a->started_mono_usec = now_mono_usec();
        name_v1(a);
        k = spool_open(&a->spool, terms->directory, terms->max_bytes, terms->free_floor);
        if (k < 0)
                return err_set(e, k, "no file for what it sends: %s", strerror(-k));
        k = begin(a, terms->node->v1 ? &v1_put : &collect);
        if (k < 0)
                return err_set(e, k, "it cannot be asked: %s", strerror(-k));
        *ret = TAKE_PTR(a);
        return 0;
}

struct ask *ask_free(struct ask *a)
{
        if (!a)
                return NULL;
        fetch_free(a->fetch);
        spool_done(&a->spool);
        buf_done(&a->refusal);
        free(a);
        return NULL;
}
