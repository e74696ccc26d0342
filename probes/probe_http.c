/*
 * An answer is judged from the outside in: was there one, its status, its body. The text names what was
 * expected, never what came in its place: that may be another each time, and stands in the output.
 */

#include <errno.h>
#include <sys/un.h>

#include "base/parse.h"
#include "probes/http_json.h"
#include "probes/probe_http.h"

#define BLANKS      " \t"
#define URL_MAX     2048u
/* As much as may be shown, and what must be seen to mask it. */
#define SHOWN_BYTES (8u * PROBE_OUTPUT_MAX)
#define SOCKET_MAX  (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct http_cfg {
        char *url, *socket;
        struct http_expect expect;
};

/* --- judging ---------------------------------------------------------------------------------------- */

static bool status_is_expected(const struct http_expect *x, unsigned status)
{
        for (size_t i = 0; i < x->n_ranges; i++)
                if (status >= x->ranges[i].from && status <= x->ranges[i].to)
                        return true;
        return false;
}

static void set_failed(struct probe_verdict *v, const char *what, const char *detail,
                       const char *rest)
{
        probe_verdict_set(v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "%s%s%s", what, detail, rest);
}

static void judge_error(const struct fetch_result *r, uint64_t timeout_usec,
                        struct probe_verdict *v)
{
        char limit[PROBE_SECONDS_MAX];

        if (r->error == -ETIMEDOUT)
                probe_verdict_set(v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "no answer within %s",
                                  probe_seconds(limit, timeout_usec));
        else if (probe_error_is_theirs(-r->error))
                set_failed(v, "no answer: ", str_or(r->text, strerror(-r->error)), "");
        else
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot ask: %s",
                                  str_or(r->text, strerror(-r->error)));
}

/* False when the rest need not be looked at. */
static bool judge_status(const struct http_expect *x, const struct fetch_result *r,
                         struct probe_verdict *v)
{
        if (status_is_expected(x, r->status))
                return true;
        probe_verdict_set(v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "HTTP status %u, not %s",
                          r->status, x->status);
        return false;
}

static bool judge_body(const struct http_expect *x, const struct fetch_result *r,
                       struct probe_verdict *v)
{
        if (!x->body || memmem(r->body, r->n_body, x->body, strlen(x->body)))
                return true;
        if (!r->truncated)
                set_failed(v, "the body does not contain \"", x->body, "\"");
        else
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "\"%s\" is not in the first %u bytes of the body", x->body,
                                  HTTP_BODY_MAX);
        return false;
}

static void set_different(const struct http_expect *x, struct probe_verdict *v)
{
        if (x->json_value)
                probe_verdict_set(v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                                  "JSON field %s is not %s", x->json_field, x->json_value);
        else
                set_failed(v, "JSON field ", x->json_field, " is false or null");
}

static bool judge_json(const struct http_expect *x, const struct fetch_result *r,
                       struct probe_verdict *v)
{
        if (!x->json_field)
                return true;
        if (r->truncated) {
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "the body is longer than %u bytes", HTTP_BODY_MAX);
                return false;
        }
        switch (http_json_ask(r->body, r->n_body, x->json_field, x->json_value)) {
        case HTTP_JSON_AS_EXPECTED:
                return true;
        case HTTP_JSON_BROKEN:
                set_failed(v, "the body is not JSON", "", "");
                break;
        case HTTP_JSON_MISSING:
                set_failed(v, "JSON field ", x->json_field, " is missing");
                break;
        case HTTP_JSON_DIFFERENT:
                set_different(x, v);
                break;
        default:
                probe_verdict_set(v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                                  "cannot read the body: out of memory");
        }
        return false;
}

void http_judge(const struct http_expect *x, const struct fetch_result *r, uint64_t timeout_usec,
                struct probe_verdict *ret)
{
        *ret = (struct probe_verdict){0};
        if (r->error) {
                judge_error(r, timeout_usec, ret);
                return;
        }
        ret->output = r->body;
        ret->n_output = r->n_body < SHOWN_BYTES ? r->n_body : SHOWN_BYTES;
        ret->output_begin = true; /* where an error page says what is wrong */
        if (judge_status(x, r, ret) && judge_body(x, r, ret) && judge_json(x, r, ret))
                probe_verdict_set(ret, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
}

/* --- asking ----------------------------------------------------------------------------------------- */

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct probe_run *run = userdata;
        const struct http_cfg *cfg = run->cfg;
        struct probe_verdict v;

        http_judge(&cfg->expect, r, run->timeout_usec, &v);
        probe_done(run, &v);
}

/* The body that nobody looks at is not read to its end: a page may be large, and a log endless. */
static int http_start(struct probe_run *run, struct err *e)
{
        const struct http_cfg *cfg = run->cfg;
        bool matters = cfg->expect.body || cfg->expect.json_field;
        struct fetch_request request = {
                .url = cfg->url,
                .unix_path = cfg->socket,
                .timeout_usec = run->timeout_usec,
                .max_bytes = matters ? HTTP_BODY_MAX : SHOWN_BYTES,
                .cut = true,
        };

        return fetch_start((struct fetch **)&run->state, run->fetcher, &request, on_answer, run, e);
}

static void http_stop(struct probe_run *run)
{
        run->state = fetch_free(run->state);
}

/* --- settings --------------------------------------------------------------------------------------- */

static bool has_control_or_blank(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s <= ' ' || *s == 0x7f)
                        return true;
        return false;
}

static int check_url(const char *value, struct err *e)
{
        const char *rest = strstr(value, "://");
        size_t n_host;

        if (strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
                return err_set(e, -EINVAL, "must begin with http:// or https://");
        n_host = strcspn(rest + 3, "/?#");
        if (n_host == 0 || has_control_or_blank(value))
                return err_set(e, -EINVAL, "not a URL");
        if (memchr(rest + 3, '@', n_host)) /* configuration can be read by everybody */
                return err_set(e, -EINVAL, "must not hold a user name or password");
        if (strlen(value) > URL_MAX)
                return err_set(e, -EINVAL, "longer than %u bytes", URL_MAX);
        return 0;
}

static int check_socket(const char *value, struct err *e)
{
        if (*value != '/' || strlen(value) > SOCKET_MAX)
                return err_set(e, -EINVAL, "must be an absolute path of at most %zu bytes",
                               SOCKET_MAX);
        return 0;
}

/* "200", or "200-299"; cut in place. */
static int parse_range(char *word, struct http_range *ret)
{
        char *dash = strchr(word, '-');
        uint64_t from, to;

        if (dash)
                *dash = '\0';
        if (parse_u64(word, 100, 599, &from) < 0 ||
            parse_u64(dash ? dash + 1 : word, 100, 599, &to) < 0 || from > to)
                return -EINVAL;
        *ret = (struct http_range){(unsigned)from, (unsigned)to};
        return 0;
}

int http_parse_status(const char *s, struct http_range ret[static HTTP_RANGES_MAX], size_t *ret_n)
{
        _cleanup_(freep) char *copy = strdup(s);
        char *rest = copy, *word;
        size_t n = 0;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, ","))) {
                if (n == HTTP_RANGES_MAX)
                        return -E2BIG;
                if (parse_range(word + strspn(word, BLANKS), &ret[n++]) < 0)
                        return -EINVAL;
        }
        *ret_n = n;
        return 0;
}

static int check_status(const char *value, struct err *e)
{
        struct http_range ranges[HTTP_RANGES_MAX];
        size_t n;
        int r = http_parse_status(value, ranges, &n);

        if (r == -E2BIG)
                return err_set(e, r, "more than %u ranges", HTTP_RANGES_MAX);
        if (r < 0)
                return err_set(e, r, "must be statuses and ranges from 100 to 599: 200-299, 401");
        return 0;
}

static int check_json_field(const char *value, struct err *e)
{
        if (!http_json_pointer_valid(value))
                return err_set(e, -EINVAL, "must be a JSON pointer (RFC 6901): /status/0/name");
        return 0;
}

static void http_free_cfg(void *cfg)
{
        struct http_cfg *c = cfg;

        free(c->url);
        free(c->socket);
        free(c->expect.status);
        free(c->expect.body);
        free(c->expect.json_field);
        free(c->expect.json_value);
        free(c);
}

/* A copy of what was set for @key, or of @otherwise; 0 or -ENOMEM. */
static int copy_setting(const struct probe_settings *s, const char *key, const char *otherwise,
                        char **ret)
{
        const char *value = probe_settings_get(s, key);

        value = value ? value : otherwise;
        *ret = value ? strdup(value) : NULL;
        return value && !*ret ? -ENOMEM : 0;
}

static int copy_settings(const struct probe_settings *s, struct http_cfg *c)
{
        struct http_expect *x = &c->expect;

        if (copy_setting(s, "Url", NULL, &c->url) < 0 ||
            copy_setting(s, "Socket", NULL, &c->socket) < 0 ||
            copy_setting(s, "Status", HTTP_STATUS, &x->status) < 0 ||
            copy_setting(s, "Body", NULL, &x->body) < 0 ||
            copy_setting(s, "JsonField", NULL, &x->json_field) < 0 ||
            copy_setting(s, "JsonValue", NULL, &x->json_value) < 0)
                return -ENOMEM;
        return http_parse_status(x->status, x->ranges, &x->n_ranges);
}

static int http_parse(const struct probe_settings *s, void **ret_cfg, struct err *e)
{
        struct http_cfg *c;
        int r;

        if (!probe_settings_get(s, "Url"))
                return err_set(e, -EINVAL, "Kind=http needs Url=");
        if (probe_settings_get(s, "JsonValue") && !probe_settings_get(s, "JsonField"))
                return err_set(e, -EINVAL, "JsonValue= needs JsonField=");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        r = copy_settings(s, c);
        if (r < 0) {
                http_free_cfg(c);
                return r;
        }
        *ret_cfg = c;
        return 0;
}

static const struct probe_key keys[] = {
        {"Url",       check_url       },
        {"Socket",    check_socket    },
        {"Status",    check_status    },
        {"Body",      NULL            },
        {"JsonField", check_json_field},
        {"JsonValue", NULL            },
        {NULL,        NULL            },
};

const struct probe_ops probe_http = {
        .kind = "http",
        .keys = keys,
        .parse = http_parse,
        .start = http_start,
        .stop = http_stop,
        .free_cfg = http_free_cfg,
};
