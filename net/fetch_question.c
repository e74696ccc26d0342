/*
 * Questions. Nothing of ours may mean more to libcurl, or to a server, than it says: no line that ends
 * early, no proxy, no redirect, no credentials.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/mono.h"
#include "net/fetch_question.h"

#define HEADERS_SENT_MAX 32u
#define CONNECT_TO_MAX   (INET6_ADDRSTRLEN + 8)
#define TIMEOUT_MAX_MSEC UINT64_C(0x7fffffff) /* of libcurl */

#define HASH_BASIS UINT32_C(2166136261) /* FNV-1a */
#define HASH_PRIME UINT32_C(16777619)

/* --- checking ------------------------------------------------------------------------------------- */

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

static uint32_t hash_of(const char *a, const char *b)
{
        uint32_t hash = HASH_BASIS;

        for (; *a; a++)
                hash = (hash ^ (unsigned char)*a) * HASH_PRIME;
        for (; *b; b++)
                hash = (hash ^ (unsigned char)*b) * HASH_PRIME;
        return hash ^ hash >> 16; /* the low bits choose, and the last byte moved them least */
}

struct url_parts {
        char *scheme, *user, *password, *host, *port;
};

static void url_parts_done(struct url_parts *p)
{
        curl_free(p->scheme);
        curl_free(p->user);
        curl_free(p->password);
        curl_free(p->host);
        curl_free(p->port);
}

static bool url_split(struct url_parts *p, CURLU *u, const char *url)
{
        if (curl_url_set(u, CURLUPART_URL, url, 0) ||
            curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) ||
            curl_url_get(u, CURLUPART_HOST, &p->host, 0) ||
            curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT))
                return false;
        (void)curl_url_get(u, CURLUPART_USER, &p->user, 0);
        (void)curl_url_get(u, CURLUPART_PASSWORD, &p->password, 0);
        return streq(p->scheme, "http") || streq(p->scheme, "https");
}

static int check_url(const char *url, uint32_t *ret_hash, bool *ret_tls, struct err *e)
{
        struct url_parts p = {0};
        CURLU *u = curl_url();
        int r = 0;

        if (!u)
                return err_set(e, -ENOMEM, "out of memory");
        if (!url_split(&p, u, url)) {
                r = err_set(e, -EINVAL, "%s is not a URL of the kind http://HOST/PATH", url);
        } else if (p.user || p.password) {
                r = err_set(e, -EINVAL, "a URL with a password in it is not accepted");
        } else {
                *ret_hash = hash_of(p.host, p.port);
                *ret_tls = streq(p.scheme, "https");
        }
        url_parts_done(&p);
        curl_url_cleanup(u);
        return r;
}

static bool is_address(const char *s)
{
        struct in6_addr any;

        return inet_pton(AF_INET, s, &any) == 1 || inet_pton(AF_INET6, s, &any) == 1;
}

static int check_place(const struct fetch_request *q, struct err *e)
{
        struct sockaddr_un sun;

        if (q->unix_path && (*q->unix_path != '/' || strlen(q->unix_path) >= sizeof(sun.sun_path)))
                return err_set(e, -EINVAL, "\"%s\" is no path of a socket", q->unix_path);
        if (q->connect_to && (q->unix_path || !is_address(q->connect_to)))
                return err_set(e, -EINVAL, "\"%s\" is no address to connect to", q->connect_to);
        return 0;
}

static int check_names(const struct fetch_request *q, struct err *e)
{
        size_t n = 0;

        for (const char *const *h = q->headers; h && *h; h++)
                if (++n > HEADERS_SENT_MAX || !header_is_valid(*h))
                        return err_set(e, -EINVAL, "\"%s\" is no header field, or one too many",
                                       *h);
        n = 0;
        for (const char *const *h = q->wanted_headers; h && *h; h++)
                if (++n > FETCH_WANTED_MAX || !is_token(*h, strlen(*h)))
                        return err_set(e, -EINVAL,
                                       "\"%s\" is no name of a header field, or one "
                                       "too many",
                                       *h);
        return 0;
}

int fetch_question_check(const struct fetch_request *q, uint32_t *ret_hash, bool *ret_tls,
                         struct err *e)
{
        int k;

        assert(q->timeout_usec > 0);
        if (!str_empty(q->method) && !is_token(q->method, strlen(q->method)))
                return err_set(e, -EINVAL, "\"%s\" is no HTTP method", q->method);
        k = check_place(q, e);
        if (k >= 0)
                k = check_names(q, e);
        if (k >= 0)
                k = check_url(q->url, ret_hash, ret_tls, e);
        if (k >= 0 && q->unix_path)
                *ret_hash = hash_of(q->unix_path, "");
        return k;
}

/* --- handing over --------------------------------------------------------------------------------- */

void fetch_question_done(struct fetch_question *s)
{
        curl_slist_free_all(s->headers);
        curl_slist_free_all(s->connect_to);
        *s = (struct fetch_question){0};
}

static CURLcode add_line(struct curl_slist **list, const char *line)
{
        struct curl_slist *longer = curl_slist_append(*list, line);

        if (!longer)
                return CURLE_OUT_OF_MEMORY;
        *list = longer;
        return CURLE_OK;
}

static bool has_header(const struct curl_slist *headers, const char *name_and_colon)
{
        for (const struct curl_slist *h = headers; h; h = h->next)
                if (strncasecmp(h->data, name_and_colon, strlen(name_and_colon)) == 0)
                        return true;
        return false;
}

/* Without a value: what libcurl would send of its own accord is not sent. */
static CURLcode set_headers(struct fetch_question *s, CURL *easy, const struct fetch_request *q)
{
        static const char *const unasked[] = {"Content-Type:", "Expect:"};
        CURLcode k = CURLE_OK;

        for (const char *const *h = q->headers; h && *h && !k; h++)
                k = add_line(&s->headers, *h);
        for (size_t i = 0; i < ELEMENTSOF(unasked) && !k; i++)
                if (!has_header(s->headers, unasked[i]))
                        k = add_line(&s->headers, unasked[i]);
        return k ? k : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, s->headers);
}

static CURLcode set_connect_to(struct fetch_question *s, CURL *easy, const struct fetch_request *q)
{
        char line[CONNECT_TO_MAX];
        CURLcode k;

        if (!q->connect_to)
                return CURLE_OK;
        (void)snprintf(line, sizeof(line),
                       strchr(q->connect_to, ':') ? "::[%s]:" : "::%s:", q->connect_to);
        k = add_line(&s->connect_to, line);
        return k ? k : curl_easy_setopt(easy, CURLOPT_CONNECT_TO, s->connect_to);
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
 * What was sent over a kept connection that broke may have been obeyed, and libcurl sends it again: what
 * must not be done twice gets a new one.
 */
static bool may_be_repeated(const struct fetch_request *q)
{
        static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (streq(str_or(q->method, "GET"), methods[i]))
                        return true;
        return false;
}

static CURLcode set_limits(CURL *easy, const struct fetch_request *q)
{
        uint64_t msec = q->connect_timeout_usec / USEC_PER_MSEC + 1; /* 0: libcurl's own */
        CURLcode k = CURLE_OK;

        if (!q->cut)
                k = curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)q->max_bytes);
        if (!k && q->connect_timeout_usec)
                k = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                                     (long)(msec < TIMEOUT_MAX_MSEC ? msec : TIMEOUT_MAX_MSEC));
        return k;
}

/*
 * Each of these bounds whom we ask, how long, or how much we take, so none may fail unnoticed.
 * QUICK_EXIT: else the end of a fetch waits for the thread that still resolves its name.
 */
static CURLcode set_options(CURL *easy, const struct fetch_request *q, bool keep,
                            unsigned buffer_bytes)
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
                {CURLOPT_NOSIGNAL,          1                           },
                {CURLOPT_QUICK_EXIT,        1                           },
                {CURLOPT_FOLLOWLOCATION,    0                           },
                {CURLOPT_HTTP_VERSION,      CURL_HTTP_VERSION_1_1       },
                {CURLOPT_DNS_CACHE_TIMEOUT, 0                           },
                {CURLOPT_FRESH_CONNECT,     !keep || !may_be_repeated(q)},
                {CURLOPT_FORBID_REUSE,      !keep                       },
                {CURLOPT_BUFFERSIZE,        (long)buffer_bytes          },
        };
        CURLcode k = CURLE_OK;

        for (size_t i = 0; i < ELEMENTSOF(words) && !k; i++)
                k = curl_easy_setopt(easy, words[i].option, words[i].value);
        for (size_t i = 0; i < ELEMENTSOF(numbers) && !k; i++)
                k = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
        return k ? k : set_limits(easy, q);
}

CURLcode fetch_question_apply(struct fetch_question *s, CURL *easy, const struct fetch_request *q,
                              bool keep, unsigned buffer_bytes)
{
        CURLcode k = set_headers(s, easy, q);

        if (!k)
                k = set_connect_to(s, easy, q);
        if (!k)
                k = set_options(easy, q, keep, buffer_bytes);
        return k ? k : set_method(easy, q);
}
