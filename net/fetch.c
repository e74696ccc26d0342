/*
 * Fetches. Two rules make re-entrance simple: done functions are called from the loop only, never
 * from within fetch_start() or fetch_free(), and never from within libcurl; and nothing here holds a
 * pointer to another fetch across such a call.
 *
 * A shard is one multi handle with its epoll descriptor and its timer. One is enough for one machine:
 * libcurl slows down with the connections that a handle keeps, and ours keeps none.
 */

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/un.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/mono.h"
#include "net/fetch.h"

#define EVENTS_AT_ONCE   64
#define RECEIVE_BYTES    4096L /* a buffer of each running fetch */
#define HEADERS_SENT_MAX 32u
#define TIMEOUT_MAX_MSEC UINT64_C(0x7fffffff) /* of libcurl */
#define TIMER_SLACK_PART 16u /* of libcurl's timers, so that wake-ups can be shared */

struct shard {
        struct fetcher *fetcher;
        CURLM *multi;
        int epoll_fd;
        sd_event_source *source;
        struct loop_timer *timer; /* libcurl's */
};

TAILQ_HEAD(fetch_queue, fetch);

struct fetcher {
        struct loop *loop;
        struct shard shard;
        struct fetch_queue waiting;
        struct loop_timer *timer; /* when to look at those that wait */
        unsigned n_running;
};

enum fetch_state {
        FETCH_ENDED = 0,
        FETCH_WAITING,
        FETCH_RUNNING,
};

struct fetch {
        TAILQ_ENTRY(fetch) link; /* while it waits */
        struct fetcher *fetcher;
        enum fetch_state state;
        CURL *easy;
        struct curl_slist *headers;
        uint64_t asked_mono_usec, started_mono_usec, deadline_mono_usec;
        size_t max_bytes;
        bool cut;
        size_t n_head_bytes; /* of the answer, so far */
        bool truncated;
        int refused; /* why one of our callbacks stopped it: -EFBIG or -ENOMEM */
        struct buf body;
        fetch_done_fn done;
        void *userdata;
};

/* --- what goes wrong ------------------------------------------------------------------------------ */

struct fault {
        int error;
        const char *text;
};

static const struct {
        CURLcode code;
        struct fault fault;
} faults[] = {
        {CURLE_COULDNT_RESOLVE_HOST,     {-EHOSTUNREACH, "its name cannot be resolved"}      },
        {CURLE_FILESIZE_EXCEEDED,        {-EFBIG, "its answer is too long"}                  },
        {CURLE_UNSUPPORTED_PROTOCOL,     {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_WEIRD_SERVER_REPLY,       {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_HTTP2,                    {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_BAD_CONTENT_ENCODING,     {-EPROTO, "its answer is not HTTP"}                 },
        {CURLE_SSL_CONNECT_ERROR,        {-EPROTO, "it does not speak TLS as we do"}         },
        {CURLE_PEER_FAILED_VERIFICATION, {-EPROTO, "its certificate cannot be trusted"}      },
        {CURLE_SSL_CACERT_BADFILE,       {-EIO, "our certificate authorities cannot be read"}},
        {CURLE_OUT_OF_MEMORY,            {-ENOMEM, "out of memory"}                          },
};

static const struct fault connect_faults[] = {
        {-ECONNREFUSED, "connection refused"                  },
        {-ENOENT,       "there is no such socket"             },
        {-EACCES,       "we may not connect to it"            },
        {-EHOSTUNREACH, "there is no route to it"             },
        {-ENETUNREACH,  "there is no route to it"             },
        {-ETIMEDOUT,    "it could not be connected to in time"},
};

/* libcurl does not tell the errno of socket(2), its own or the resolver's: see what it would be. */
static int own_shortage(void)
{
        _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        return fd < 0 ? -errno : 0;
}

/* libcurl keeps the errno of connect(2); without one it could not even try. */
static struct fault fault_of_connect(const struct fetch *t)
{
        long os_errno = 0;
        int error;

        curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
        error = os_errno ? (int)-os_errno : -EIO;
        for (size_t i = 0; i < ELEMENTSOF(connect_faults); i++)
                if (connect_faults[i].error == error)
                        return connect_faults[i];
        return (struct fault){error, "it cannot be connected to"};
}

static struct fault fault_of_time(const struct fetch *t)
{
        uint64_t all = t->deadline_mono_usec - t->asked_mono_usec;
        curl_off_t connected = 0;

        if (usec_since(t->started_mono_usec, t->asked_mono_usec) > all / 2)
                return (struct fault){-EBUSY, "too many others were being asked"};
        if (t->n_head_bytes)
                return (struct fault){-ETIMEDOUT, "its answer did not end in time"};
        curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connected);
        return (struct fault){-ETIMEDOUT, connected ? "it did not answer in time"
                                                    : "it could not be connected to in time"};
}

/*
 * One text for all the ways to hang up: which of them libcurl sees depends on what the kernel knew
 * first, the end or the reset. A chunk that is none looks the same to it.
 */
static struct fault fault_of_end(const struct fetch *t)
{
        return (struct fault){-ECONNRESET, t->n_head_bytes ? "its answer broke off"
                                                           : "it hung up without an answer"};
}

/* One line of a header that is longer than libcurl takes is reported by it as lack of memory. */
static bool head_began(const struct fetch *t)
{
        curl_off_t first_byte = 0;

        curl_easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
        return first_byte > 0;
}

static struct fault fault_of(const struct fetch *t, CURLcode code)
{
        int shortage = 0;

        if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
                shortage = own_shortage();
        if (shortage < 0)
                return (struct fault){shortage, strerror(-shortage)};
        if (code == CURLE_COULDNT_CONNECT)
                return fault_of_connect(t);
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fault_of_time(t);
        if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
            code == CURLE_PARTIAL_FILE)
                return fault_of_end(t);
        if (code == CURLE_WRITE_ERROR) /* our own doing */
                code = t->refused == -ENOMEM ? CURLE_OUT_OF_MEMORY : CURLE_FILESIZE_EXCEEDED;
        else if (code == CURLE_OUT_OF_MEMORY && head_began(t))
                code = CURLE_FILESIZE_EXCEEDED;
        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (faults[i].code == code)
                        return faults[i].fault;
        return (struct fault){-EIO, curl_easy_strerror(code)};
}

/* --- the end of a fetch --------------------------------------------------------------------------- */

/* Look at those that wait soon, but from the loop. */
static void look_soon(struct fetcher *f)
{
        if (TAILQ_EMPTY(&f->waiting))
                loop_timer_stop(f->timer);
        else
                loop_timer_set(f->timer, now_mono_usec(), 0);
}

static void leave(struct fetch *t)
{
        struct fetcher *f = t->fetcher;

        if (t->state == FETCH_WAITING)
                TAILQ_REMOVE(&f->waiting, t, link);
        if (t->state == FETCH_RUNNING) {
                (void)curl_multi_remove_handle(f->shard.multi, t->easy);
                f->n_running--;
        }
        t->state = FETCH_ENDED;
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
        curl_slist_free_all(t->headers);
        t->headers = NULL;
}

/* The body outlives the fetch by this call, should the fetch be freed in it. */
static void end(struct fetch *t, struct fetch_result *r)
{
        _cleanup_(buf_done) struct buf body = t->body;

        t->body = (struct buf){0};
        r->body = r->error ? "" : buf_cstr(&body);
        r->n_body = r->error ? 0 : body.n;
        if (t->started_mono_usec)
                r->took_usec = usec_since(now_mono_usec(), t->started_mono_usec);
        leave(t);
        t->done(r, t->userdata); /* may free t */
}

static void end_with_fault(struct fetch *t, struct fault fault)
{
        struct fetch_result r = {.error = fault.error, .text = fault.text};

        end(t, &r);
}

static void end_with_answer(struct fetch *t)
{
        struct fetch_result r = {.text = "", .truncated = t->truncated};
        long status = 0;

        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        r.status = (unsigned)status;
        end(t, &r);
}

struct fetch *fetch_free(struct fetch *t)
{
        if (!t)
                return NULL;
        if (t->state != FETCH_ENDED) {
                leave(t);
                look_soon(t->fetcher);
        }
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
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
                usec_since(t->deadline_mono_usec, now) / USEC_PER_MSEC + 1; /* 0: none */

        if (curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
                             (long)(left_msec < TIMEOUT_MAX_MSEC ? left_msec : TIMEOUT_MAX_MSEC)) ||
            curl_multi_add_handle(f->shard.multi, t->easy))
                return -ENOMEM;
        TAILQ_REMOVE(&f->waiting, t, link);
        t->state = FETCH_RUNNING;
        t->started_mono_usec = now;
        f->n_running++;
        return 0;
}

static struct fetch *find_overdue(const struct fetcher *f, uint64_t now)
{
        struct fetch *t;

        TAILQ_FOREACH (t, &f->waiting, link)
                if (t->deadline_mono_usec <= now)
                        return t;
        return NULL;
}

static void plan_next_look(struct fetcher *f)
{
        uint64_t next = USEC_INFINITY;
        struct fetch *t;

        TAILQ_FOREACH (t, &f->waiting, link)
                next = t->deadline_mono_usec < next ? t->deadline_mono_usec : next;
        if (next == USEC_INFINITY)
                loop_timer_stop(f->timer);
        else
                loop_timer_set(f->timer, next, USEC_PER_MSEC);
}

/* Whoever is told of a failure may ask again at once: after one the loop has its turn first. */
static void look_at_waiting(struct fetcher *f)
{
        uint64_t now = now_mono_usec();
        struct fetch *t;

        while ((t = find_overdue(f, now)))
                end_with_fault(t, (struct fault){-EBUSY, "too many others were being asked"});
        while (f->n_running < FETCH_RUNNING_MAX && (t = TAILQ_FIRST(&f->waiting)))
                if (run(t) < 0) {
                        end_with_fault(t, (struct fault){-ENOMEM, "out of memory"});
                        look_soon(f);
                        return;
                }
        plan_next_look(f);
}

static void on_look(void *userdata)
{
        look_at_waiting(userdata);
}

/* --- libcurl's sockets and timer ------------------------------------------------------------------ */

/* Everything that has ended; whoever is told may free others that have ended, too. */
static void drain(struct shard *s)
{
        CURLMsg *m;
        int n_left;

        while ((m = curl_multi_info_read(s->multi, &n_left))) {
                CURLcode code = m->data.result; /* *m dies with the handle's removal */
                struct fetch *t = NULL;

                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
                if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && t->truncated))
                        end_with_answer(t);
                else
                        end_with_fault(t, fault_of(t, code));
        }
        look_at_waiting(s->fetcher);
}

static int on_ready(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents,
                    void *userdata)
{
        struct epoll_event events[EVENTS_AT_ONCE];
        struct shard *s = userdata;
        int n_running, n = epoll_wait(fd, events, ELEMENTSOF(events), 0);

        for (int i = 0; i < n; i++) {
                uint32_t seen = events[i].events;
                int what = (seen & EPOLLIN ? CURL_CSELECT_IN : 0) |
                           (seen & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                           (seen & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

                (void)curl_multi_socket_action(s->multi, events[i].data.fd, what, &n_running);
        }
        drain(s);
        return 0;
}

static void on_timeout(void *userdata)
{
        struct shard *s = userdata;
        int n_running;

        (void)curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
        drain(s);
}

/* From within libcurl: a failure here would make it give up all transfers, so this one just times out. */
static int on_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata,
                     _unused_ void *of_socket)
{
        struct shard *s = userdata;
        struct epoll_event event = {
                .events =
                        (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                .data.fd = fd,
        };

        if (what == CURL_POLL_REMOVE)
                (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        else if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0)
                (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        return 0;
}

/* From within libcurl, which must not be called from here. */
static int on_timer(_unused_ CURLM *multi, long timeout_msec, void *userdata)
{
        struct shard *s = userdata;
        uint64_t usec;

        if (timeout_msec < 0) {
                loop_timer_stop(s->timer);
                return 0;
        }
        usec = (uint64_t)timeout_msec * USEC_PER_MSEC;
        loop_timer_set(s->timer, now_mono_usec() + usec, usec / TIMER_SLACK_PART);
        return 0;
}

static void shard_done(struct shard *s)
{
        (void)curl_multi_cleanup(s->multi);
        sd_event_source_disable_unref(s->source);
        loop_timer_free(s->timer);
        closep(&s->epoll_fd);
}

/* What is set up is undone by shard_done(), also after a failure. */
static int shard_init(struct shard *s, struct fetcher *f)
{
        int k;

        *s = (struct shard){.fetcher = f, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
        if (s->epoll_fd < 0)
                return -errno;
        k = loop_timer_new(&s->timer, f->loop, on_timeout, s);
        if (k < 0)
                return k;
        k = sd_event_add_io(loop_event(f->loop), &s->source, s->epoll_fd, EPOLLIN, on_ready, s);
        if (k < 0)
                return k;
        s->multi = curl_multi_init();
        if (!s->multi || curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
            curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s) ||
            curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
            curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s))
                return -ENOMEM;
        return 0;
}

int fetcher_new(struct fetcher **ret, struct loop *l)
{
        _cleanup_(fetcher_freep) struct fetcher *f = calloc(1, sizeof(*f));
        int k;

        if (!f)
                return -ENOMEM;
        f->loop = l;
        f->shard.epoll_fd = -1;
        TAILQ_INIT(&f->waiting);
        /* Never undone: a thread that still resolves a name would fall over it. */
        if (curl_global_init(CURL_GLOBAL_DEFAULT))
                return -ENOMEM;
        k = loop_timer_new(&f->timer, l, on_look, f);
        if (k >= 0)
                k = shard_init(&f->shard, f);
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
        shard_done(&f->shard);
        loop_timer_free(f->timer);
        free(f);
        return NULL;
}

/* --- what comes back ------------------------------------------------------------------------------ */

static size_t on_head(_unused_ char *data, size_t size, size_t n, void *userdata)
{
        struct fetch *t = userdata;

        t->n_head_bytes += size * n;
        if (t->n_head_bytes <= FETCH_HEAD_MAX)
                return size * n;
        t->refused = -EFBIG;
        return CURL_WRITEFUNC_ERROR;
}

/* MAXFILESIZE believes what the other side announces; this counts what it sends. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        struct fetch *t = userdata;
        size_t n_new = size * n, room = t->max_bytes - t->body.n;

        if (n_new > room && !t->cut) {
                t->refused = -EFBIG;
                return CURL_WRITEFUNC_ERROR;
        }
        t->truncated = n_new > room;
        buf_append(&t->body, data, t->truncated ? room : n_new);
        if (t->body.error)
                t->refused = -ENOMEM;
        return t->body.error || t->truncated ? CURL_WRITEFUNC_ERROR : n_new;
}

/* --- the question --------------------------------------------------------------------------------- */

static bool is_token(const char *s, size_t n)
{
        static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~";

        return n > 0 && strspn(s, valid) >= n;
}

/* "Name: value": nothing that would end the line, or the header, or mean something else to libcurl. */
static bool header_is_valid(const char *line)
{
        size_t n = strcspn(line, ":");

        if (!is_token(line, n) || line[n] != ':')
                return false;
        line += n + 1;
        for (const char *s = line; *s; s++)
                if ((unsigned char)*s < ' ' || *s == 0x7f)
                        return false;
        return line[strspn(line, " ")] != '\0';
}

static int check_url(const char *url, struct err *e)
{
        char *scheme = NULL, *user = NULL, *password = NULL;
        CURLU *u = curl_url();
        int r = 0;

        if (!u)
                return err_set(e, -ENOMEM, "out of memory");
        if (curl_url_set(u, CURLUPART_URL, url, 0) ||
            curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
            (!streq(scheme, "http") && !streq(scheme, "https")))
                r = err_set(e, -EINVAL, "%s is not a URL of the kind http://HOST/PATH", url);
        else if (!curl_url_get(u, CURLUPART_USER, &user, 0) ||
                 !curl_url_get(u, CURLUPART_PASSWORD, &password, 0))
                r = err_set(e, -EINVAL, "a URL with a password in it is not accepted");
        curl_free(scheme);
        curl_free(user);
        curl_free(password);
        curl_url_cleanup(u);
        return r;
}

static int check_request(const struct fetch_request *q, struct err *e)
{
        struct sockaddr_un sun;
        size_t n = 0;

        assert(q->timeout_usec > 0);
        if (q->unix_path && (*q->unix_path != '/' || strlen(q->unix_path) >= sizeof(sun.sun_path)))
                return err_set(e, -EINVAL, "\"%s\" is no path of a socket", q->unix_path);
        if (!str_empty(q->method) && !is_token(q->method, strlen(q->method)))
                return err_set(e, -EINVAL, "\"%s\" is no HTTP method", q->method);
        for (const char *const *h = q->headers; h && *h; h++)
                if (++n > HEADERS_SENT_MAX || !header_is_valid(*h))
                        return err_set(e, -EINVAL, "\"%s\" is no header field, or one too many",
                                       *h);
        return check_url(q->url, e);
}

static int add_header(struct fetch *t, const char *line)
{
        struct curl_slist *longer = curl_slist_append(t->headers, line);

        if (!longer)
                return -ENOMEM;
        t->headers = longer;
        return 0;
}

static bool has_header(const struct fetch *t, const char *name_and_colon)
{
        for (const struct curl_slist *h = t->headers; h; h = h->next)
                if (strncasecmp(h->data, name_and_colon, strlen(name_and_colon)) == 0)
                        return true;
        return false;
}

/* Without a value: what libcurl would send of its own accord is not sent. */
static int add_headers(struct fetch *t, const struct fetch_request *q)
{
        static const char *const unasked[] = {"Content-Type:", "Expect:"};
        int k = 0;

        for (const char *const *h = q->headers; h && *h && k >= 0; h++)
                k = add_header(t, *h);
        for (size_t i = 0; i < ELEMENTSOF(unasked) && k >= 0; i++)
                if (!has_header(t, unasked[i]))
                        k = add_header(t, unasked[i]);
        return k;
}

/* To some servers a PUT or POST without a length is none. */
static CURLcode set_method(CURL *easy, const struct fetch_request *q)
{
        const char *method = str_or(q->method, "GET");
        bool sends = q->body || streq(method, "PUT") || streq(method, "POST");
        CURLcode k = CURLE_OK;

        if (sends)
                k = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)(q->body ? q->n_body : 0));
        if (sends && !k)
                k = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, q->body ? q->body : "");
        if (k)
                return k;
        return streq(method, "HEAD") ? curl_easy_setopt(easy, CURLOPT_NOBODY, 1L)
                                     : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

/*
 * Each of these bounds whom we ask, how long, or how much we take, so none may fail unnoticed.
 * QUICK_EXIT: else the end of a fetch waits for the thread that still resolves its name.
 */
static CURLcode set_options(struct fetch *t, const struct fetch_request *q)
{
        const struct {
                CURLoption option;
                const char *value;
        } words[] = {
                {CURLOPT_URL,              q->url              },
                {CURLOPT_UNIX_SOCKET_PATH, q->unix_path        },
                {CURLOPT_NOPROXY,          "*"                 },
                {CURLOPT_PROTOCOLS_STR,    "http,https"        },
                {CURLOPT_USERAGENT,        "diag/" DIAG_VERSION},
        };
        const struct {
                CURLoption option;
                long value;
        } numbers[] = {
                {CURLOPT_NOSIGNAL,          1                    },
                {CURLOPT_QUICK_EXIT,        1                    },
                {CURLOPT_FOLLOWLOCATION,    0                    },
                {CURLOPT_HTTP_VERSION,      CURL_HTTP_VERSION_1_1},
                {CURLOPT_DNS_CACHE_TIMEOUT, 0                    },
                {CURLOPT_FRESH_CONNECT,     1                    },
                {CURLOPT_FORBID_REUSE,      1                    },
                {CURLOPT_BUFFERSIZE,        RECEIVE_BYTES        },
        };
        CURLcode k = CURLE_OK;

        for (size_t i = 0; i < ELEMENTSOF(words) && !k; i++)
                k = curl_easy_setopt(t->easy, words[i].option, words[i].value);
        for (size_t i = 0; i < ELEMENTSOF(numbers) && !k; i++)
                k = curl_easy_setopt(t->easy, numbers[i].option, numbers[i].value);
        if (!k && !q->cut)
                k = curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)q->max_bytes);
        return k;
}

static CURLcode set_callbacks(struct fetch *t)
{
        const struct {
                CURLoption option;
                void *value;
        } pointers[] = {
                {CURLOPT_HTTPHEADER, t->headers},
                {CURLOPT_HEADERDATA, t         },
                {CURLOPT_WRITEDATA,  t         },
                {CURLOPT_PRIVATE,    t         },
        };
        CURLcode k = curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head);

        if (!k)
                k = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
        for (size_t i = 0; i < ELEMENTSOF(pointers) && !k; i++)
                k = curl_easy_setopt(t->easy, pointers[i].option, pointers[i].value);
        return k;
}

static int prepare(struct fetch *t, const struct fetch_request *q)
{
        CURLcode k;

        t->easy = curl_easy_init();
        if (!t->easy || add_headers(t, q) < 0)
                return -ENOMEM;
        k = set_options(t, q);
        if (!k)
                k = set_method(t->easy, q);
        if (!k)
                k = set_callbacks(t);
        return !k ? 0 : k == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

int fetch_start(struct fetch **ret, struct fetcher *f, const struct fetch_request *request,
                fetch_done_fn done, void *userdata, struct err *e)
{
        _cleanup_(fetch_freep) struct fetch *t = NULL;
        int k = check_request(request, e);

        if (k < 0)
                return k;
        t = calloc(1, sizeof(*t));
        k = t ? prepare(t, request) : -ENOMEM;
        if (k < 0)
                return err_set(e, k, "cannot ask %s: %s", request->url, strerror(-k));
        t->fetcher = f;
        t->max_bytes = request->max_bytes;
        t->cut = request->cut;
        t->done = done;
        t->userdata = userdata;
        t->asked_mono_usec = now_mono_usec();
        t->deadline_mono_usec = usec_add(t->asked_mono_usec, request->timeout_usec);
        t->state = FETCH_WAITING;
        TAILQ_INSERT_TAIL(&f->waiting, t, link);
        look_soon(f);
        *ret = TAKE_PTR(t);
        return 0;
}
