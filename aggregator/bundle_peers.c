/* One fetch for each of them. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "aggregator/bundle_peers.h"
#include "base/mono.h"
#include "net/url.h"

#define PORT         1050u
#define PATH         "/system/health/v2/bundles"
#define CONNECT_USEC (2 * USEC_PER_SEC)

struct bundle_peers {
        struct bundle_peers_options options;
        char *addresses[DIAG_MASTERS_MAX];
        size_t n;
};

struct asked {
        struct bundle_question *question;
        struct fetch *fetch;
        char *address;
};

struct bundle_question {
        enum bundle_question_kind kind;
        char id[BUNDLE_ID_MAX];
        struct asked asked[DIAG_MASTERS_MAX];
        struct bundle_answer answers[DIAG_MASTERS_MAX];
        size_t n, n_out;
        void (*done)(struct bundle_answer *answers, size_t n, void *userdata);
        void *userdata;
};

/* --- who they are -------------------------------------------------------------------------------------- */

int bundle_peers_new(struct bundle_peers **ret, const struct bundle_peers_options *options)
{
        struct bundle_peers *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->options = *options;
        *ret = p;
        return 0;
}

static void forget_all(struct bundle_peers *p)
{
        while (p->n)
                free(p->addresses[--p->n]);
}

static bool is_the_same(const struct bundle_peers *p, const char *const *addresses, size_t n)
{
        if (p->n != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(p->addresses[i], addresses[i]))
                        return false;
        return true;
}

/* Out of memory: those that are missing come with the next list, in a second. */
void bundle_peers_set(struct bundle_peers *p, const char *const *addresses, size_t n)
{
        if (is_the_same(p, addresses, n))
                return;
        forget_all(p);
        for (size_t i = 0; i < n && p->n < DIAG_MASTERS_MAX; i++) {
                p->addresses[p->n] = strdup(addresses[i]);
                if (p->addresses[p->n])
                        p->n++;
        }
}

size_t bundle_peers_n(const struct bundle_peers *p)
{
        return p->n;
}

struct bundle_peers *bundle_peers_free(struct bundle_peers *p)
{
        if (!p)
                return NULL;
        forget_all(p);
        free(p);
        return NULL;
}

static int url_of(const struct bundle_peers *p, const char *address, const char *path, char *ret,
                  size_t n)
{
        char url[NODE_URL_MAX];
        uint16_t port = p->options.port ? p->options.port : PORT;
        int k = snprintf(ret, n, "%s", node_url(url, address, port, p->options.tls, path));

        return k < 0 || (size_t)k >= n ? -ENAMETOOLONG : 0;
}

int bundle_peers_file_url(const struct bundle_peers *p, const char *address, const char *id,
                          char *ret, size_t n)
{
        char path[sizeof(PATH) + BUNDLE_ID_MAX + 16];

        (void)snprintf(path, sizeof(path), PATH "/%s/file?own=1", id);
        return url_of(p, address, path, ret, n);
}

/* --- what they say --------------------------------------------------------------------------------------- */

static _printf_(2, 3) void note(struct bundle_answer *a, const char *fmt, ...)
{
        struct err words;
        va_list ap;
        char text[sizeof(words.text)];

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void)err_set(&words, -EREMOTEIO, "%s", text);
        (void)snprintf(a->refusal.text, sizeof(a->refusal.text), "%.*s",
                       (int)sizeof(a->refusal.text) - 1, words.text);
}

static int read_one(struct bundle_answer *a, const char *id, const char *body, size_t n,
                    struct err *e)
{
        struct bundle *b = NULL;
        int k = bundle_read(&b, body, n, e);

        if (k < 0)
                return k;
        if (!streq(b->id, id)) {
                bundle_free(b);
                return err_set(e, -EINVAL, "it is of another bundle");
        }
        a->bundles = malloc(sizeof(struct bundle *));
        if (!a->bundles) {
                bundle_free(b);
                return err_set(e, -ENOMEM, "out of memory");
        }
        a->bundles[0] = b;
        a->n_bundles = 1;
        return 0;
}

static void hear(struct bundle_answer *a, const struct bundle_question *q,
                 const struct fetch_result *r)
{
        struct err e = {0};
        int k;

        if (r->error) {
                note(a, "%s", r->text);
        } else if (r->status == 200 || r->status == 202) {
                k = q->kind == BUNDLE_QUESTION_LIST
                            ? bundle_read_list(&a->bundles, &a->n_bundles, r->body, r->n_body, &e)
                            : read_one(a, q->id, r->body, r->n_body, &e);
                if (k < 0)
                        note(a, "its answer cannot be read: %s", e.text);
                else
                        a->status = 200;
        } else {
                bundle_refusal_read(&a->refusal, r->body, r->n_body);
                if (!*a->refusal.text)
                        note(a, "it answers %u", r->status);
                /* One that has no bundles at all says so in its own way. */
                a->status = r->status >= 400 ? r->status : 0;
        }
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct asked *one = userdata;
        struct bundle_question *q = one->question;

        one->fetch = fetch_free(one->fetch);
        hear(&q->answers[one - q->asked], q, r);
        if (--q->n_out == 0)
                q->done(q->answers, q->n, q->userdata);
}

/* --- asking ---------------------------------------------------------------------------------------------- */

static const struct {
        const char *method, *format; /* of the path: with the id in it */
} kinds[] = {
        [BUNDLE_QUESTION_LIST] = {"GET",    PATH "?own=1"          },
        [BUNDLE_QUESTION_GET] = {"GET",    PATH "/%s?own=1"       },
        [BUNDLE_QUESTION_CANCEL] = {"POST",   PATH "/%s/cancel?own=1"},
        [BUNDLE_QUESTION_DELETE] = {"DELETE", PATH "/%s?own=1"       },
};

static void path_of(char *path, size_t n, enum bundle_question_kind kind, const char *id)
{
        const char *format = kinds[kind].format, *gap = strstr(format, "%s");

        if (gap)
                (void)snprintf(path, n, "%.*s%s%s", (int)(gap - format), format, id, gap + 2);
        else
                (void)snprintf(path, n, "%s", format);
}

static int ask(struct bundle_question *q, struct bundle_peers *p, const char *address,
               const char *path)
{
        struct asked *one = &q->asked[q->n];
        char url[NODE_URL_MAX];
        static const char *const headers[] = {"Accept: application/json", NULL};
        const struct fetch_request request = {
                .url = url,
                .method = kinds[q->kind].method,
                .headers = headers,
                .timeout_usec = BUNDLE_PEERS_USEC,
                .connect_timeout_usec = CONNECT_USEC,
                .max_bytes = BUNDLE_JSON_MAX,
        };
        int k = url_of(p, address, path, url, sizeof(url));

        one->question = q;
        one->address = strdup(address);
        if (!one->address)
                return -ENOMEM;
        q->answers[q->n++].address = one->address;
        if (k >= 0)
                k = fetch_start(&one->fetch, p->options.fetcher, &request, on_answer, one, NULL);
        if (k < 0)
                note(&q->answers[q->n - 1], "it cannot be asked: %s", strerror(-k));
        else
                q->n_out++;
        return 0;
}

int bundle_question_new(struct bundle_question **ret, struct bundle_peers *p,
                        enum bundle_question_kind kind, const char *id,
                        void (*done)(struct bundle_answer *answers, size_t n, void *userdata),
                        void *userdata)
{
        _cleanup_(bundle_question_freep) struct bundle_question *q = calloc(1, sizeof(*q));
        char path[sizeof(PATH) + BUNDLE_ID_MAX + 16];
        int k = 0;

        if (!q)
                return -ENOMEM;
        if (p->n == 0)
                return -ENOENT;
        q->kind = kind;
        (void)snprintf(q->id, sizeof(q->id), "%s", str_or(id, ""));
        q->done = done;
        q->userdata = userdata;
        path_of(path, sizeof(path), kind, id);
        for (size_t i = 0; k >= 0 && i < p->n; i++)
                k = ask(q, p, p->addresses[i], path);
        if (k < 0 || q->n_out == 0)
                return k < 0 ? k : -EHOSTUNREACH;
        *ret = TAKE_PTR(q);
        return 0;
}

struct bundle_question *bundle_question_free(struct bundle_question *q)
{
        if (!q)
                return NULL;
        for (size_t i = 0; i < q->n; i++) {
                fetch_free(q->asked[i].fetch);
                free(q->asked[i].address);
                for (size_t k = 0; k < q->answers[i].n_bundles; k++)
                        if (q->answers[i].bundles[k])
                                bundle_free(q->answers[i].bundles[k]);
                free(q->answers[i].bundles);
        }
        free(q);
        return NULL;
}
