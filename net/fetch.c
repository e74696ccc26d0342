/*
 * Fetches. Two rules make re-entrance simple: done functions are called from the loop only, never
 * from within fetch_start() or fetch_free(), and never from within libcurl; and nothing here holds a
 * pointer to another fetch across such a call.
 *
 * Those that wait for a place stand in a queue, and in a heap by deadline: however many they are, the
 * next and the overdue are found at once.
 */

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/mono.h"
#include "net/credentials.h"
#include "net/deadlines.h"
#include "net/fetch.h"
#include "net/fetch_fault.h"
#include "net/fetch_question.h"
#include "net/shards.h"

#define BUFFER_BYTES     4096u
#define AT_ONCE          256u /* that are started, or given up, before the loop has its turn */
#define TIMEOUT_MAX_MSEC UINT64_C(0x7fffffff) /* of libcurl */

/* A machine that has vanished is noticed after 5 + 3 * 3 = 14 s: at the first probe after 12 s of silence. */
#define WATCH_IDLE_SEC     5
#define WATCH_INTERVAL_SEC 3
#define WATCH_SILENT_MSEC  12000

static_assert(FETCH_SHARDS_MAX == SHARDS_MAX, "told to callers, kept by shards");

TAILQ_HEAD(fetch_queue, fetch);

struct fetcher {
        struct shards *shards;
        struct fetcher_options options;
        struct credentials *credentials; /* NULL: libcurl's defaults */
        struct fetch_queue waiting;
        struct deadlines deadlines; /* of those that wait */
        struct loop_timer *timer;   /* when to look at those that wait */
        unsigned n_running;
        bool in_libcurl;
};

enum fetch_state {
        FETCH_ENDED = 0,
        FETCH_WAITING,
        FETCH_RUNNING,
};

/* With room for what its pointers point to. */
struct head {
        struct fetch_head head;
        char values[FETCH_WANTED_MAX][FETCH_WANTED_BYTES_MAX];
};

struct fetch {
        TAILQ_ENTRY(fetch) link;  /* while it waits */
        struct deadline deadline; /* while it waits */
        struct fetcher *fetcher;
        enum fetch_state state;
        CURL *easy;
        uint32_t hash; /* of whom it asks */
        struct fetch_question question;
        struct credentials *credentials;
        struct fetch_course course;
        const char *const *wanted_headers;
        size_t max_bytes, n_body_bytes;
        bool cut, truncated, watched;
        struct buf body;
        struct head *head; /* while on_body takes it; NULL: nothing came yet */
        fetch_body_fn on_body;
        fetch_done_fn done;
        void *userdata;
};

/* --- the end of a fetch --------------------------------------------------------------------------- */

/* Look at those that wait soon, but from the loop. */
static void look_soon(struct fetcher *f)
{
        if (TAILQ_EMPTY(&f->waiting))
                loop_timer_stop(f->timer);
        else
                loop_timer_set(f->timer, now_mono_usec(), 0);
}

static void release(struct fetch *t)
{
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
        fetch_question_done(&t->question);
        t->credentials = credentials_unref(t->credentials);
        free(t->head);
        t->head = NULL;
        free(t->course.tls_error);
        t->course.tls_error = NULL;
}

static void leave(struct fetch *t)
{
        struct fetcher *f = t->fetcher;

        if (t->state == FETCH_WAITING) {
                TAILQ_REMOVE(&f->waiting, t, link);
                deadlines_remove(&f->deadlines, &t->deadline);
        }
        if (t->state == FETCH_RUNNING) {
                shards_remove(f->shards, t->hash, t->easy);
                f->n_running--;
        }
        t->state = FETCH_ENDED;
        release(t);
}

static void tell_times(const struct fetch_course *c, struct fetch_result *r)
{
        if (c->started_usec)
                r->took_usec = usec_since(now_mono_usec(), c->started_usec);
        if (c->sent_usec && c->opened_usec)
                r->connected_usec = usec_since(c->sent_usec, c->opened_usec);
        if (c->answered_usec)
                r->answered_usec = usec_since(c->answered_usec, c->sent_usec);
        r->reused = c->sent_usec && !c->opened_usec;
}

/* The body outlives the fetch by this call, should the fetch be freed in it. */
static void end(struct fetch *t, struct fetch_result *r)
{
        _cleanup_(buf_done) struct buf body = t->body;

        t->body = (struct buf){0};
        r->body = r->error ? "" : buf_cstr(&body);
        r->n_body = r->error ? 0 : body.n;
        tell_times(&t->course, r);
        leave(t);
        t->done(r, t->userdata); /* may free t */
}

static void end_with_fault(struct fetch *t, struct fault fault)
{
        struct fetch_result r = {.error = fault.error, .text = fault.text};

        end(t, &r);
}

/* Of the last answer, neither of interim ones nor of trailers. */
static void read_head(const struct fetch *t, struct head *h)
{
        struct curl_header *found;
        long status = 0;

        *h = (struct head){0};
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        h->head.status = (unsigned)status;
        for (size_t i = 0; t->wanted_headers && t->wanted_headers[i]; i++) {
                const char *name = t->wanted_headers[i];

                if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &found) ||
                    curl_easy_header(t->easy, name, found->amount - 1, CURLH_HEADER, -1, &found))
                        continue;
                /* libcurl leaves the end of the line of an empty one. */
                (void)snprintf(h->values[i], sizeof(h->values[i]), "%.*s",
                               (int)strcspn(found->value, "\r\n"), found->value);
                h->head.headers[i] = h->values[i];
        }
}

static void end_with_answer(struct fetch *t)
{
        struct fetch_result r = {.text = "", .truncated = t->truncated};
        struct head h;

        read_head(t, &h);
        r.status = h.head.status;
        memcpy(r.headers, h.head.headers, sizeof(r.headers));
        end(t, &r);
}

static void on_ended(CURL *easy, CURLcode code, _unused_ void *userdata)
{
        struct fetch *t = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
        /* To libcurl the end of a connection is the end of a header, too. */
        if (code == CURLE_OK && !t->course.head_is_whole)
                code = CURLE_PARTIAL_FILE;
        if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && t->truncated))
                end_with_answer(t);
        else
                end_with_fault(t, fault_of(easy, code, &t->course));
}

struct fetch *fetch_free(struct fetch *t)
{
        if (!t)
                return NULL;
        if (t->state != FETCH_ENDED) {
                assert(!t->fetcher->in_libcurl);
                leave(t);
                look_soon(t->fetcher);
        }
        release(t);
        buf_done(&t->body);
        free(t);
        return NULL;
}

/* --- waiting and running -------------------------------------------------------------------------- */

static int run(struct fetch *t)
{
        struct fetcher *f = t->fetcher;
        uint64_t now = now_mono_usec();
        uint64_t left_msec =
                usec_since(t->course.deadline_usec, now) / USEC_PER_MSEC + 1; /* 0: none */

        if (curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
                             (long)(left_msec < TIMEOUT_MAX_MSEC ? left_msec : TIMEOUT_MAX_MSEC)) ||
            shards_add(f->shards, t->hash, t->easy) < 0)
                return -ENOMEM;
        TAILQ_REMOVE(&f->waiting, t, link);
        deadlines_remove(&f->deadlines, &t->deadline);
        t->state = FETCH_RUNNING;
        t->course.started_usec = now;
        f->n_running++;
        return 0;
}

static struct fetch *find_overdue(const struct fetcher *f, uint64_t now)
{
        struct deadline *d = deadlines_first(&f->deadlines);

        return d && d->mono_usec <= now ? CONTAINER_OF(d, struct fetch, deadline) : NULL;
}

static void plan_next_look(struct fetcher *f)
{
        struct deadline *d = deadlines_first(&f->deadlines);

        if (!d)
                loop_timer_stop(f->timer);
        else
                loop_timer_set(f->timer, d->mono_usec, USEC_PER_MSEC);
}

static struct fetch *find_next(const struct fetcher *f)
{
        return f->n_running < f->options.n_running_max ? TAILQ_FIRST(&f->waiting) : NULL;
}

/* Whoever is told of a failure may ask again at once: after so many the loop has its turn first. */
static void look_at_waiting(struct fetcher *f)
{
        uint64_t now = now_mono_usec();
        unsigned n_left = AT_ONCE;
        struct fetch *t;

        for (; n_left && (t = find_overdue(f, now)); n_left--)
                end_with_fault(t, FAULT_NO_PLACE);
        for (; n_left && (t = find_next(f)); n_left--)
                if (run(t) < 0) {
                        end_with_fault(t, FAULT_NO_MEMORY);
                        look_soon(f);
                        return;
                }
        if (n_left)
                plan_next_look(f);
        else
                look_soon(f);
}

static void on_look(void *userdata)
{
        look_at_waiting(userdata);
}

/* --- the fetcher ---------------------------------------------------------------------------------- */

static int check_options(struct fetcher_options *o)
{
        o->n_shards = o->n_shards ? o->n_shards : 1;
        o->n_running_max = o->n_running_max ? o->n_running_max : FETCH_RUNNING_MAX;
        o->buffer_bytes = o->buffer_bytes ? o->buffer_bytes : BUFFER_BYTES;
        return o->n_shards <= FETCH_SHARDS_MAX && o->n_kept_max <= INT32_MAX / 2 &&
                               o->buffer_bytes >= FETCH_BUFFER_MIN &&
                               o->buffer_bytes <= FETCH_BUFFER_MAX
                       ? 0
                       : -EINVAL;
}

static int new_shards(struct fetcher *f, struct loop *l)
{
        const struct shards_options options = {
                .n = f->options.n_shards,
                .n_kept_max = f->options.n_kept_max,
                .ended = on_ended,
                .drained = on_look,
                .userdata = f,
        };

        return shards_new(&f->shards, l, &options);
}

int fetcher_new(struct fetcher **ret, struct loop *l, const struct fetcher_options *options)
{
        _cleanup_(fetcher_freep) struct fetcher *f = calloc(1, sizeof(*f));
        int k;

        if (!f)
                return -ENOMEM;
        TAILQ_INIT(&f->waiting);
        f->options = options ? *options : (struct fetcher_options){0};
        k = check_options(&f->options);
        if (k < 0)
                return k;
        /* Never undone: a thread that still resolves a name would fall over it. */
        if (curl_global_init(CURL_GLOBAL_DEFAULT))
                return -ENOMEM;
        k = loop_timer_new(&f->timer, l, on_look, f);
        if (k >= 0)
                k = new_shards(f, l);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(f);
        return 0;
}

struct fetcher *fetcher_free(struct fetcher *f)
{
        if (!f)
                return NULL;
        assert(f->n_running == 0 && TAILQ_EMPTY(&f->waiting));
        shards_free(f->shards);
        loop_timer_free(f->timer);
        deadlines_done(&f->deadlines);
        credentials_unref(f->credentials);
        free(f);
        return NULL;
}

int fetcher_set_tls(struct fetcher *f, const struct fetch_tls *tls, struct err *e)
{
        struct credentials *c = NULL;
        int k = tls ? credentials_new(&c, tls, e) : 0;

        if (k < 0)
                return k;
        credentials_unref(f->credentials);
        f->credentials = c;
        return 0;
}

/* --- the connection ------------------------------------------------------------------------------- */

static void watch_peer(int fd)
{
        const struct {
                int level, name, value;
        } options[] = {
                {SOL_SOCKET,  SO_KEEPALIVE,     1                 },
                {IPPROTO_TCP, TCP_KEEPIDLE,     WATCH_IDLE_SEC    },
                {IPPROTO_TCP, TCP_KEEPINTVL,    WATCH_INTERVAL_SEC},
                {IPPROTO_TCP, TCP_USER_TIMEOUT, WATCH_SILENT_MSEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                                 sizeof(options[i].value));
}

/*
 * A new connection after the question was sent: the kept one broke, and libcurl tries again. If that was
 * because the machine has vanished, we know enough, and connecting would only take the rest of the time.
 */
static curl_socket_t on_open(void *userdata, _unused_ curlsocktype purpose,
                             struct curl_sockaddr *address)
{
        struct fetch *t = userdata;
        int fd;

        if (t->course.sent_usec && fault_is_lost(t->easy)) {
                t->course.refused = -ETIMEDOUT;
                return CURL_SOCKET_BAD;
        }
        t->course.sent_usec = 0;
        if (!t->course.opened_usec)
                t->course.opened_usec = now_mono_usec();
        fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        if (fd >= 0 && t->watched && address->family != AF_UNIX)
                watch_peer(fd);
        return fd;
}

static int on_sending(void *userdata, _unused_ char *peer, _unused_ char *local,
                      _unused_ int peer_port, _unused_ int local_port)
{
        struct fetch *t = userdata;

        t->course.sent_usec = now_mono_usec();
        return CURL_PREREQFUNC_OK;
}

/* --- what comes back ------------------------------------------------------------------------------ */

/* Not of an interim answer, behind which another is to come. */
static bool head_ends(const struct fetch *t, const char *line, size_t n)
{
        long status = 0;

        if (n > 2 || (*line != '\r' && *line != '\n'))
                return false;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        return status >= 200 || status == 101;
}

static size_t on_head(char *data, size_t size, size_t n, void *userdata)
{
        struct fetch *t = userdata;
        struct fetch_course *c = &t->course;

        if (!c->n_head_bytes)
                c->answered_usec = now_mono_usec();
        c->n_head_bytes += size * n;
        if (head_ends(t, data, size * n))
                c->head_is_whole = true;
        if (c->n_head_bytes <= FETCH_HEAD_MAX)
                return size * n;
        c->refused = -EFBIG;
        return CURL_WRITEFUNC_ERROR;
}

static int pass_on(struct fetch *t, const char *data, size_t n)
{
        if (!t->head) {
                t->head = malloc(sizeof(*t->head));
                if (!t->head)
                        return -ENOMEM;
                read_head(t, t->head);
        }
        t->fetcher->in_libcurl = true;
        t->course.broken_off = n ? t->on_body(&t->head->head, data, n, t->userdata) : 0;
        t->fetcher->in_libcurl = false;
        return 0;
}

static int take(struct fetch *t, const char *data, size_t n)
{
        t->n_body_bytes += n;
        if (t->on_body)
                return pass_on(t, data, n);
        buf_append(&t->body, data, n);
        return t->body.error ? -ENOMEM : 0;
}

/* MAXFILESIZE believes what the other side announces; this counts what it sends. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        struct fetch *t = userdata;
        size_t n_new = size * n, room = t->max_bytes - t->n_body_bytes;

        if (n_new > room && !t->cut) {
                t->course.refused = -EFBIG;
                return CURL_WRITEFUNC_ERROR;
        }
        t->course.refused = take(t, data, n_new > room ? room : n_new);
        if (t->course.refused || t->course.broken_off)
                return CURL_WRITEFUNC_ERROR;
        t->truncated = n_new > room;
        return t->truncated ? CURL_WRITEFUNC_ERROR : n_new;
}

/* --- the question --------------------------------------------------------------------------------- */

static CURLcode set_callbacks(struct fetch *t)
{
        const struct {
                CURLoption option;
                void *value;
        } pointers[] = {
                {CURLOPT_OPENSOCKETDATA, t},
                {CURLOPT_PREREQDATA,     t},
                {CURLOPT_HEADERDATA,     t},
                {CURLOPT_WRITEDATA,      t},
                {CURLOPT_PRIVATE,        t},
        };
        CURLcode k = curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);

        if (!k)
                k = curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_sending);
        if (!k)
                k = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head);
        if (!k)
                k = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
        for (size_t i = 0; i < ELEMENTSOF(pointers) && !k; i++)
                k = curl_easy_setopt(t->easy, pointers[i].option, pointers[i].value);
        return k;
}

/* With TLS 1.3 a refusal comes when the connection is made for us: only its text tells it from a hang-up. */
static CURLcode set_credentials(struct fetch *t)
{
        t->course.tls_error = calloc(1, CURL_ERROR_SIZE);
        if (!t->course.tls_error)
                return CURLE_OUT_OF_MEMORY;
        if (curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->course.tls_error))
                return CURLE_OUT_OF_MEMORY;
        return credentials_apply(t->credentials, t->easy);
}

static int prepare(struct fetch *t, const struct fetch_request *q)
{
        const struct fetcher_options *o = &t->fetcher->options;
        CURLcode k = CURLE_OUT_OF_MEMORY;

        t->easy = curl_easy_init();
        if (t->easy)
                k = fetch_question_apply(&t->question, t->easy, q, o->n_kept_max > 0,
                                         o->buffer_bytes);
        if (!k)
                k = set_callbacks(t);
        if (!k && t->credentials)
                k = set_credentials(t);
        return !k ? 0 : k == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

static void take_over(struct fetch *t, const struct fetch_request *q)
{
        t->watched = q->watch_peer || t->fetcher->options.n_kept_max > 0;
        t->wanted_headers = q->wanted_headers;
        t->max_bytes = q->max_bytes;
        t->cut = q->cut;
        t->on_body = q->on_body;
        t->course.asked_usec = now_mono_usec();
        t->course.deadline_usec = usec_add(t->course.asked_usec, q->timeout_usec);
        t->deadline.mono_usec = t->course.deadline_usec;
}

static int fetch_new(struct fetch **ret, struct fetcher *f, const struct fetch_request *q,
                     struct err *e)
{
        _cleanup_(fetch_freep) struct fetch *t = calloc(1, sizeof(*t));
        bool tls = false;
        int k;

        if (!t)
                return err_set(e, -ENOMEM, "out of memory");
        k = fetch_question_check(q, &t->hash, &tls, e);
        if (k < 0)
                return k;
        t->fetcher = f;
        t->credentials = tls ? credentials_ref(f->credentials) : NULL;
        take_over(t, q);
        k = prepare(t, q);
        if (k < 0)
                return err_set(e, k, "cannot ask %s: %s", q->url, strerror(-k));
        *ret = TAKE_PTR(t);
        return 0;
}

int fetch_start(struct fetch **ret, struct fetcher *f, const struct fetch_request *request,
                fetch_done_fn done, void *userdata, struct err *e)
{
        _cleanup_(fetch_freep) struct fetch *t = NULL;
        int k = fetch_new(&t, f, request, e);

        if (k < 0)
                return k;
        if (deadlines_add(&f->deadlines, &t->deadline) < 0)
                return err_set(e, -ENOMEM, "out of memory");
        t->done = done;
        t->userdata = userdata;
        t->state = FETCH_WAITING;
        TAILQ_INSERT_TAIL(&f->waiting, t, link);
        look_soon(f);
        *ret = TAKE_PTR(t);
        return 0;
}
