/*
 * A blocking question: libcurl's easy interface with everything switched off that would make it ask
 * somebody else (proxies, redirects, protocols), and a handle per question, so that nothing of one
 * answer can leak into the next.
 */

#include <errno.h>
#include <stdio.h>

#include <curl/curl.h>

#include "base/mono.h"
#include "base/parse.h"
#include "net/get.h"

#define CONNECT_TIMEOUT_MSEC 5000L    /* a machine that is there accepts in milliseconds */
#define HEADER_MAX           256u     /* of what we send */
#define ALERT                "alert " /* what OpenSSL calls the last word of the other side */

struct get {
        CURL *easy;
        struct curl_slist *headers;
        struct get_answer answer;
        const struct get_request *q;
        bool has_head;                /* answer's is read */
        int refused;                  /* -errno: on_body wants no more */
        char detail[CURL_ERROR_SIZE]; /* libcurl's own words */
};

static void get_done(struct get *g)
{
        curl_easy_cleanup(g->easy);
        curl_slist_free_all(g->headers);
        get_answer_done(&g->answer);
}

void get_answer_done(struct get_answer *a)
{
        buf_done(&a->body);
}

static const char *get_who(const struct get *g)
{
        return g->q->who ? g->q->who : g->q->url;
}

/* --- what goes wrong ------------------------------------------------------------------------------ */

static const struct {
        CURLcode code;
        int error;
        const char *text; /* after whom we asked */
} faults[] = {
        {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, "names no host that can be found"},
        {CURLE_URL_MALFORMAT,        -EINVAL,       "is not a URL"                   },
        {CURLE_OPERATION_TIMEDOUT,   -ETIMEDOUT,    "did not answer in time"         },
        {CURLE_FILESIZE_EXCEEDED,    -E2BIG,        "says more than we take"         },
        {CURLE_GOT_NOTHING,          -EBADMSG,      "hung up without an answer"      },
        {CURLE_RECV_ERROR,           -EBADMSG,      "hung up in the middle"          },
        {CURLE_SEND_ERROR,           -EBADMSG,      "hung up in the middle"          },
        {CURLE_PARTIAL_FILE,         -EBADMSG,      "hung up in the middle"          },
        {CURLE_WEIRD_SERVER_REPLY,   -EBADMSG,      "does not speak HTTP"            },
        {CURLE_UNSUPPORTED_PROTOCOL, -EBADMSG,      "does not speak HTTP"            },
        {CURLE_HTTP2,                -EBADMSG,      "does not speak HTTP"            },
        {CURLE_OUT_OF_MEMORY,        -ENOMEM,       "out of memory"                  },
        {CURLE_TOO_MANY_REDIRECTS,   -ELOOP,        "sends us round and round"       },
        {CURLE_ABORTED_BY_CALLBACK,  -EACCES,       "sends us where we do not ask"   },
};

/* Of these libcurl's words say more than the code. */
static const struct {
        CURLcode code;
        int error;
        const char *text;
} tls_faults[] = {
        {CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED, "cannot be trusted"         },
        {CURLE_SSL_CACERT_BADFILE,       -ENOKEY,       "cannot be asked"           },
        {CURLE_SSL_CERTPROBLEM,          -ENOKEY,       "cannot be asked"           },
        {CURLE_SSL_CONNECT_ERROR,        -EPROTO,       "does not speak TLS with us"},
};

/* libcurl keeps the errno of connect(2); without one it could not even try. */
static int fail_to_connect(struct get *g, struct err *e)
{
        long os_errno = 0;
        int error;

        curl_easy_getinfo(g->easy, CURLINFO_OS_ERRNO, &os_errno);
        error = os_errno ? (int)os_errno : EHOSTUNREACH;
        err_set(e, -error, "nobody answers at %s: %s", get_who(g), strerror(error));
        return error == ENOENT || error == ECONNREFUSED ? GET_NOBODY : -error;
}

static const char *shown(const struct get *g)
{
        return str_or(g->q->tls->cert_file, "no certificate");
}

/* 0: not about TLS. */
static int fail_by_tls(struct get *g, CURLcode code, struct err *e)
{
        const char *alert = strstr(g->detail, ALERT);

        if (alert)
                return err_set(e, -EKEYREJECTED, "%s refuses us: %.*s; we showed %s", get_who(g),
                               (int)strcspn(alert + strlen(ALERT), ","), alert + strlen(ALERT),
                               shown(g));
        for (size_t i = 0; i < ELEMENTSOF(tls_faults); i++)
                if (tls_faults[i].code == code)
                        return err_set(e, tls_faults[i].error, "%s %s: %s", get_who(g),
                                       tls_faults[i].text,
                                       *g->detail ? g->detail : curl_easy_strerror(code));
        return 0;
}

/*
 * With TLS 1.3 the other side judges us when we believe to be connected already, and its alert is lost when
 * it hangs up on a question that it has not read.
 */
static int fail_by_table(struct get *g, size_t i, struct err *e)
{
        bool hung_up = faults[i].code == CURLE_RECV_ERROR || faults[i].code == CURLE_SEND_ERROR ||
                       faults[i].code == CURLE_GOT_NOTHING;

        if (hung_up && g->q->tls)
                return err_set(e, faults[i].error, "%s %s; we showed %s", get_who(g),
                               faults[i].text, shown(g));
        return err_set(e, faults[i].error, "%s %s", get_who(g), faults[i].text);
}

static int fail(struct get *g, CURLcode code, struct err *e)
{
        int r = g->q->tls ? fail_by_tls(g, code, e) : 0;

        if (r < 0)
                return r;
        if (g->refused)
                return g->refused;
        if (code == CURLE_COULDNT_CONNECT)
                return fail_to_connect(g, e);
        if (code == CURLE_WRITE_ERROR) /* our own door, closed by the buffer */
                code = g->answer.body.error == -ENOMEM ? CURLE_OUT_OF_MEMORY
                                                       : CURLE_FILESIZE_EXCEEDED;
        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (faults[i].code == code)
                        return fail_by_table(g, i, e);
        return err_set(e, -EIO, "cannot ask %s: %s", get_who(g), curl_easy_strerror(code));
}

/* --- the answer ----------------------------------------------------------------------------------- */

/* Digits up to @end, which must be there. Returns what follows it; NULL: there is no such thing. */
static const char *read_number(const char *s, char end, uint64_t *ret)
{
        char digits[24];
        const char *stop = strchr(s, end);

        if (!stop || (size_t)(stop - s) >= sizeof(digits))
                return NULL;
        memcpy(digits, s, (size_t)(stop - s));
        digits[stop - s] = '\0';
        return parse_u64(digits, 0, GET_NOT_SAID - 1, ret) < 0 ? NULL : end ? stop + 1 : stop;
}

/* "bytes 5-9/10"; of a 416 a star stands for the numbers of the range. What is anything else says nothing. */
static void read_range(struct get_answer *a, const char *value)
{
        static const char unit[] = "bytes ";
        uint64_t from = GET_NOT_SAID, to = 0, total;
        const char *s = value + strlen(unit);

        if (strncasecmp(value, unit, strlen(unit)) != 0)
                return;
        if (s[0] == '*' && s[1] == '/') {
                s += 2;
        } else {
                s = read_number(s, '-', &from);
                s = s ? read_number(s, '/', &to) : NULL;
        }
        if (!s || !read_number(s, '\0', &total))
                return;
        if (from != GET_NOT_SAID && (from > to || to >= total))
                return;
        a->from_byte = from;
        a->total_bytes = total;
}

static void read_length(struct get *g)
{
        curl_off_t n = -1;

        curl_easy_getinfo(g->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n);
        if (n >= 0 && g->answer.status != 206 && g->answer.status != 416)
                g->answer.total_bytes = (uint64_t)n;
}

static void read_head(struct get *g)
{
        struct get_answer *a = &g->answer;
        struct curl_header *h;
        long status = 0;

        if (g->has_head)
                return;
        g->has_head = true;
        a->from_byte = a->total_bytes = GET_NOT_SAID;
        curl_easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, &status);
        a->status = (unsigned)status;
        if (curl_easy_header(g->easy, "ETag", 0, CURLH_HEADER, -1, &h) == CURLHE_OK &&
            strlen(h->value) < sizeof(a->etag))
                memcpy(a->etag, h->value, strlen(h->value) + 1);
        a->preference_applied = curl_easy_header(g->easy, "Preference-Applied", 0, CURLH_HEADER, -1,
                                                 &h) == CURLHE_OK;
        read_length(g);
        if (curl_easy_header(g->easy, "Content-Range", 0, CURLH_HEADER, -1, &h) == CURLHE_OK)
                read_range(a, h->value);
}

static bool is_wanted(const struct get *g)
{
        return g->q->on_body && (g->answer.status == 200 || g->answer.status == 206);
}

/* MAXFILESIZE believes what the other side announces; this counts what it sends. */
static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
        struct get *g = userdata;

        read_head(g);
        if (is_wanted(g)) {
                g->refused = g->q->on_body(g->q->userdata, &g->answer, data, size * n);
                return g->refused < 0 ? CURL_WRITEFUNC_ERROR : size * n;
        }
        buf_append(&g->answer.body, data, size * n);
        return g->answer.body.error ? CURL_WRITEFUNC_ERROR : size * n;
}

/* --- the question --------------------------------------------------------------------------------- */

static int add_line(struct get *g, const char *line)
{
        struct curl_slist *longer;

        if (strlen(line) >= HEADER_MAX)
                return -E2BIG;
        if (strpbrk(line, "\r\n"))
                return -EINVAL;
        longer = curl_slist_append(g->headers, line);
        if (!longer)
                return -ENOMEM;
        g->headers = longer;
        return 0;
}

static int add_header(struct get *g, const char *name, const char *value)
{
        char line[HEADER_MAX + 1];

        if (!value)
                return 0;
        (void)snprintf(line, sizeof(line), "%s: %s", name, value);
        return add_line(g, line);
}

/* libcurl would send two lines with one name both. */
static bool is_given(const struct get *g, const char *name_and_colon)
{
        for (const struct curl_slist *h = g->headers; h; h = h->next)
                if (strncasecmp(h->data, name_and_colon, strlen(name_and_colon)) == 0)
                        return true;
        return false;
}

static int add_headers(struct get *g)
{
        int r = 0;

        for (const char *const *h = g->q->headers; h && *h && r >= 0; h++)
                r = add_line(g, *h);
        if (r >= 0 && !is_given(g, "Accept:"))
                r = add_header(g, "Accept", "application/json");
        if (r >= 0 && !is_given(g, "Content-Type:"))
                r = add_line(g, "Content-Type:"); /* or libcurl would call the body a form */
        if (r >= 0)
                r = add_header(g, "If-None-Match", g->q->if_none_match);
        if (r >= 0)
                r = add_header(g, "Prefer", g->q->prefer);
        return r;
}

/* Borrowed by libcurl. To some servers a PUT or POST without a length is none. */
static CURLcode set_method(struct get *g)
{
        const char *method = str_or(g->q->method, "GET");
        bool sends = g->q->body || streq(method, "PUT") || streq(method, "POST");
        CURLcode k = CURLE_OK;

        if (sends)
                k = curl_easy_setopt(g->easy, CURLOPT_POSTFIELDS, g->q->body ? g->q->body : "");
        if (sends && !k)
                k = curl_easy_setopt(g->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)(g->q->body ? g->q->n_body : 0));
        return k ? k : curl_easy_setopt(g->easy, CURLOPT_CUSTOMREQUEST, method);
}

struct word {
        CURLoption option;
        const char *value;
};

struct number {
        CURLoption option;
        long value;
};

static CURLcode set_all(struct get *g, const struct word *words, size_t n_words,
                        const struct number *numbers, size_t n_numbers)
{
        CURLcode k = CURLE_OK;

        for (size_t i = 0; i < n_words && !k; i++)
                k = curl_easy_setopt(g->easy, words[i].option, words[i].value);
        for (size_t i = 0; i < n_numbers && !k; i++)
                k = curl_easy_setopt(g->easy, numbers[i].option, numbers[i].value);
        return k;
}

/*
 * Without CAPATH the system's authorities would count, too; without KEYPASSWD OpenSSL would ask the
 * terminal.
 */
static CURLcode set_tls(struct get *g)
{
        const struct get_tls *tls = g->q->tls;
        const struct word words[] = {
                {CURLOPT_CAINFO,    tls->ca_file  },
                {CURLOPT_CAPATH,    NULL          },
                {CURLOPT_SSLCERT,   tls->cert_file},
                {CURLOPT_SSLKEY,    tls->key_file },
                {CURLOPT_KEYPASSWD, ""            },
        };
        const struct number numbers[] = {
                {CURLOPT_SSL_VERIFYPEER, 1                      },
                {CURLOPT_SSL_VERIFYHOST, 2                      },
                {CURLOPT_SSLVERSION,     CURL_SSLVERSION_TLSv1_2},
        };

        return set_all(g, words, ELEMENTSOF(words), numbers, ELEMENTSOF(numbers));
}

/* libcurl does not say why a file cannot be read. */
static int check_tls_files(const struct get_tls *tls, struct err *e)
{
        const char *const files[] = {tls->ca_file, tls->cert_file, tls->key_file};

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                if (files[i] && access(files[i], R_OK) < 0)
                        return err_set(e, -errno, "cannot read %s: %s", files[i], strerror(errno));
        return 0;
}

/* Called when it is known whom we are about to ask; by whichever name. */
static int on_connected(_unused_ void *userdata, char *ip, _unused_ char *local_ip,
                        _unused_ int port, _unused_ int local_port)
{
        bool is_link_local = strncmp(ip, "169.254.", 8) == 0 || strncasecmp(ip, "fe80:", 5) == 0 ||
                             strncasecmp(ip, "::ffff:169.254.", 15) == 0;

        return is_link_local ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static CURLcode set_redirects(struct get *g)
{
        CURLcode k = curl_easy_setopt(g->easy, CURLOPT_FOLLOWLOCATION, 1L);

        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_MAXREDIRS, (long)g->q->redirects_max);
        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http");
        return k ? k : curl_easy_setopt(g->easy, CURLOPT_PREREQFUNCTION, on_connected);
}

static long stall_seconds(const struct get *g)
{
        return (long)((g->q->stall_usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/*
 * Each of these bounds whom we ask or how much we take, so none may fail unnoticed. No proxy:
 * $http_proxy is about the web, not about our own machines.
 */
static CURLcode set_options(struct get *g)
{
        const struct word words[] = {
                {CURLOPT_URL,              g->q->url                   },
                {CURLOPT_UNIX_SOCKET_PATH, g->q->socket_path           },
                {CURLOPT_NOPROXY,          "*"                         },
                {CURLOPT_PROTOCOLS_STR,    g->q->tls ? "https" : "http"},
        };
        const struct number numbers[] = {
                {CURLOPT_FOLLOWLOCATION,    0                                         },
                {CURLOPT_NOSIGNAL,          1                                         },
                {CURLOPT_HTTP_VERSION,      CURL_HTTP_VERSION_1_1                     },
                {CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MSEC                      },
                {CURLOPT_TIMEOUT_MS,        (long)(g->q->timeout_usec / USEC_PER_MSEC)},
                {CURLOPT_LOW_SPEED_LIMIT,   g->q->stall_usec > 0                      },
                {CURLOPT_LOW_SPEED_TIME,    stall_seconds(g)                          },
        };
        CURLcode k = set_all(g, words, ELEMENTSOF(words), numbers, ELEMENTSOF(numbers));

        /* What is announced counts before the status is known to us: of a body without a limit not. */
        if (!k && !g->q->on_body)
                k = curl_easy_setopt(g->easy, CURLOPT_MAXFILESIZE_LARGE,
                                     (curl_off_t)g->q->max_bytes);
        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_ERRORBUFFER, g->detail);
        if (!k && g->q->tls)
                k = set_tls(g);
        if (!k && g->q->redirects_max)
                k = set_redirects(g);
        if (!k)
                k = set_method(g);
        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_HTTPHEADER, g->headers);
        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_WRITEFUNCTION, on_body);
        if (!k)
                k = curl_easy_setopt(g->easy, CURLOPT_WRITEDATA, g);
        return k;
}

/* --- all of it ------------------------------------------------------------------------------------ */

int get_perform(struct get_answer *ret, const struct get_request *q, struct err *e)
{
        _cleanup_(get_done) struct get g = {.q = q, .answer.body.max = q->max_bytes};
        CURLcode k;
        int r;

        g.easy = curl_easy_init();
        if (!g.easy)
                return err_set(e, -ENOMEM, "cannot ask %s: out of memory", get_who(&g));
        r = q->tls ? check_tls_files(q->tls, e) : 0;
        if (r < 0)
                return r;
        r = add_headers(&g);
        if (r < 0)
                return err_set(e, r, "cannot ask %s: %s", get_who(&g), strerror(-r));
        k = set_options(&g);
        if (!k)
                k = curl_easy_perform(g.easy);
        if (k)
                return fail(&g, k, e);
        read_head(&g);
        *ret = g.answer;
        g.answer = (struct get_answer){0};
        return 0;
}
