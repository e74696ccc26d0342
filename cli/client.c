/*
 * The daemon as a program sees it. A URL is taken apart here only as far as needed to say what is
 * wrong with it in our own words; what is right goes to libcurl as it stands.
 */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/mono.h"
#include "base/parse.h"
#include "cli/client.h"
#include "net/get.h"

#define NODE_PATH      "/system/health/v2/node"
#define PATH_MAX_BYTES 256u
#define SCHEME_HTTP    "http://"
#define SCHEME_UNIX    "unix:"
#define HOST_MAX       256u

static_assert(CLIENT_ETAG_MAX == GET_ETAG_MAX, "an entity tag is kept whole");

/* --- whom to ask ---------------------------------------------------------------------------------- */

static bool has_prefix(const char *s, const char *prefix)
{
        return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static bool host_is_name(const char *host)
{
        static const char valid[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._";

        return *host && !host[strspn(host, valid)];
}

static bool host_is_ipv6(const char *host)
{
        int family;

        return parse_ip(host, &family) == 0 && family == AF_INET6;
}

/* "name:80", "10.0.0.1", "[::1]:80" */
static bool authority_is_valid(const char *authority)
{
        char host[HOST_MAX];
        char *end, *port = NULL;
        uint64_t n;

        (void)snprintf(host, sizeof(host), "%s", authority);
        end = *host == '[' ? strchr(host, ']') : strchrnul(host, ':');
        if (!end)
                return false;
        if (*host == '[') {
                if (end[1] && end[1] != ':')
                        return false;
                port = end[1] ? end + 2 : NULL;
        } else if (*end) {
                port = end + 1;
        }
        *end = '\0';
        if (port && parse_u64(port, 1, UINT16_MAX, &n) < 0)
                return false;
        return *host == '[' ? host_is_ipv6(host + 1) : host_is_name(host);
}

static bool path_is_valid(const char *path)
{
        for (const char *s = path; *s; s++)
                if (!isgraph((unsigned char)*s) || *s == '?' || *s == '#')
                        return false;
        return true;
}

static int init_http(struct client *c, const char *url, struct err *e)
{
        const char *rest = url + strlen(SCHEME_HTTP), *path = strchrnul(rest, '/');
        char authority[HOST_MAX];
        size_t n = strlen(url);

        if ((size_t)(path - rest) >= sizeof(authority) || n >= sizeof(c->base))
                return err_set(e, -EINVAL, "that URL is too long: %s", url);
        (void)snprintf(authority, sizeof(authority), "%.*s", (int)(path - rest), rest);
        if (strchr(authority, '@'))
                return err_set(e, -EINVAL, "a URL with a password in it is not accepted");
        if (!authority_is_valid(authority))
                return err_set(e, -EINVAL, "%s: \"%s\" is not HOST or HOST:PORT", url, authority);
        if (!path_is_valid(path))
                return err_set(e, -EINVAL, "%s: \"%s\" cannot stand in front of a path", url, path);
        while (n > 0 && url[n - 1] == '/')
                n--;
        (void)snprintf(c->base, sizeof(c->base), "%.*s", (int)n, url);
        (void)snprintf(c->who, sizeof(c->who), "%s", c->base);
        return 0;
}

static int init_unix(struct client *c, const char *url, struct err *e)
{
        const char *path = url + strlen(SCHEME_UNIX);

        if (*path != '/')
                return err_set(e, -EINVAL, "%s: the path of a socket begins with '/'", url);
        if (strlen(path) >= sizeof(c->socket_path))
                return err_set(e, -EINVAL, "%s: the path of a socket has at most %zu bytes", url,
                               sizeof(c->socket_path) - 1);
        (void)snprintf(c->socket_path, sizeof(c->socket_path), "%s", path);
        (void)snprintf(c->base, sizeof(c->base), "http://localhost"); /* for the Host header */
        (void)snprintf(c->who, sizeof(c->who), SCHEME_UNIX "%s", path);
        return 0;
}

int client_init(struct client *c, const char *url, struct err *e)
{
        *c = (struct client){0};
        if (!url)
                url = getenv("DIAG_URL");
        c->is_default = str_empty(url);
        if (c->is_default)
                url = CLIENT_DEFAULT;
        if (has_prefix(url, SCHEME_HTTP))
                return init_http(c, url, e);
        if (has_prefix(url, SCHEME_UNIX))
                return init_unix(c, url, e);
        return err_set(e, -EINVAL, "\"%s\" is neither http://HOST:PORT nor unix:/PATH", url);
}

/* --- a node --------------------------------------------------------------------------------------- */

void client_node_done(struct client_node *n)
{
        diag_report_unref(n->report);
        buf_done(&n->json);
        *n = (struct client_node){0};
}

int client_read_node(struct client_node *ret, struct buf *json, struct err *e)
{
        struct diag_report *report;
        struct diag_moment moment;
        int r = diag_report_from_json(&report, &moment, buf_cstr(json), json->n, e);

        if (r < 0)
                return r;
        client_node_done(ret);
        *ret = (struct client_node){
                .report = report,
                .moment = moment,
                .received_mono_usec = now_mono_usec(),
                .json = *json,
        };
        *json = (struct buf){0};
        return 0;
}

const char *client_advice(const struct client *c, int r)
{
        return r == CLIENT_NO_ANSWER && *c->socket_path
                       ? "; see systemctl status diag-agentd.service"
                       : "";
}

const char *client_status_meaning(unsigned status)
{
        static const struct {
                unsigned status;
                const char *meaning;
        } meanings[] = {
                {401, "it wants to know who asks"},
                {403, "it does not let us ask"   },
                {404, "there is no API v2"       },
                {503, "it is too busy"           },
        };

        for (size_t i = 0; i < ELEMENTSOF(meanings); i++)
                if (meanings[i].status == status)
                        return meanings[i].meaning;
        return status >= 300 && status < 400 ? "it sends us elsewhere" : "it cannot say";
}

static int read_answer(const struct client *c, struct get_answer *a, struct client_node *ret,
                       struct err *e)
{
        int r;

        if (a->status == 304)
                return CLIENT_UNCHANGED;
        if (a->status != 200)
                return err_set(e, -EPROTO, "%s answered with status %u: %s", c->who, a->status,
                               client_status_meaning(a->status));
        r = client_read_node(ret, &a->body, e);
        if (r < 0)
                return err_prefix(e, "%s says what we do not understand: ", c->who);
        (void)snprintf(ret->etag, sizeof(ret->etag), "%s", a->etag);
        return 0;
}

/* @r: what get_perform() returned */
static int judge(const struct client *c, const struct get_request *q, int r, struct err *e)
{
        switch (r) {
        case GET_NOBODY:
                return CLIENT_NOBODY;
        case -ETIMEDOUT:
                (void)err_set(e, r, "%s did not answer within %" PRIu64 " s", c->who,
                              q->timeout_usec / USEC_PER_SEC);
                return CLIENT_NO_ANSWER;
        case -EBADMSG:
                return CLIENT_NO_ANSWER;
        case -EHOSTUNREACH:
                /* There is no way to a socket that could be missing: it hung up while we connected. */
                if (!q->socket_path)
                        return r;
                (void)err_set(e, -ECONNRESET, "%s hung up without an answer", c->who);
                return CLIENT_NO_ANSWER;
        default:
                return r;
        }
}

static int perform(const struct client *c, struct get_request q, const char *path,
                   struct get_answer *ret, struct err *e)
{
        char url[CLIENT_URL_MAX + PATH_MAX_BYTES];

        assert(strlen(path) < PATH_MAX_BYTES);
        (void)snprintf(url, sizeof(url), "%s%s", c->base, path);
        q.url = url;
        q.socket_path = *c->socket_path ? c->socket_path : NULL;
        q.who = c->who;
        return judge(c, &q, get_perform(ret, &q, e), e);
}

int client_ask_node(const struct client *c, const struct client_node *known,
                    struct client_node *ret, struct err *e)
{
        _cleanup_(get_answer_done) struct get_answer answer = {0};
        bool waits = known && *known->etag;
        char prefer[sizeof("wait=") + 10];
        struct get_request q = {
                .if_none_match = waits ? known->etag : NULL,
                .prefer = waits ? prefer : NULL,
                .timeout_usec = CLIENT_TIMEOUT_USEC,
                .max_bytes = DIAG_REPORT_JSON_MAX,
        };
        int r;

        if (waits)
                q.timeout_usec += CLIENT_WAIT_SECONDS * USEC_PER_SEC;
        (void)snprintf(prefer, sizeof(prefer), "wait=%u", CLIENT_WAIT_SECONDS);
        r = perform(c, q, NODE_PATH, &answer, e);
        return r == 0 ? read_answer(c, &answer, ret, e) : r;
}

/* --- anything else -------------------------------------------------------------------------------- */

int client_call(const struct client *c, const char *method, const char *path,
                const struct buf *request, unsigned *ret_status, struct buf *body, struct err *e)
{
        static const char *const json[] = {"Content-Type: application/json", NULL};
        _cleanup_(get_answer_done) struct get_answer answer = {0};
        struct get_request q = {
                .method = method,
                .headers = request ? json : NULL,
                .body = request ? request->data : NULL,
                .n_body = request ? request->n : 0,
                .timeout_usec = CLIENT_TIMEOUT_USEC,
                .max_bytes = body->max,
        };
        int r = perform(c, q, path, &answer, e);

        if (r != 0)
                return r;
        buf_append(body, buf_cstr(&answer.body), answer.body.n);
        if (body->error)
                return err_set(e, body->error, "%s: %s", c->who, strerror(-body->error));
        *ret_status = answer.status;
        return 0;
}
