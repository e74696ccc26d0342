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

#define NODE_PATH    "/system/health/v2/node"
#define SCHEME_HTTP  "http://"
#define SCHEME_HTTPS "https://"
#define SCHEME_UNIX  "unix:"
#define HOST_MAX     256u

#define TLS_OF_PERSON     "/.config/diag" /* behind $HOME */
#define TLS_OF_MACHINE    "/etc/diag/tls"
#define N_TLS_DIRECTORIES 2u

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

static int init_http(struct client *c, const char *url, const char *scheme, struct err *e)
{
        const char *rest = url + strlen(scheme), *path = strchrnul(rest, '/');
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

/* --- whom to trust, and who we are ---------------------------------------------------------------- */

bool client_options_take(struct client_options *o, int option, const char *value)
{
        switch (option) {
        case CLIENT_OPTION_URL:
                o->url = value;
                return true;
        case CLIENT_OPTION_CACERT:
                o->ca_file = value;
                return true;
        case CLIENT_OPTION_CERT:
                o->cert_file = value;
                return true;
        case CLIENT_OPTION_KEY:
                o->key_file = value;
                return true;
        default:
                return false;
        }
}

static bool speaks_tls(const struct client *c)
{
        return has_prefix(c->base, SCHEME_HTTPS);
}

/* A person's own before the machine's. Sets @ret if the file can be read. */
static bool find_file(char ret[static CLIENT_FILE_MAX], unsigned directory, const char *name)
{
        const char *home = getenv("HOME");
        char path[CLIENT_FILE_MAX];
        int n = directory == 0 ? snprintf(path, sizeof(path), "%s" TLS_OF_PERSON "/%s",
                                          str_or(home, "/nonexistent"), name)
                               : snprintf(path, sizeof(path), TLS_OF_MACHINE "/%s", name);

        if (n < 0 || (size_t)n >= sizeof(path) || access(path, R_OK) < 0)
                return false;
        memcpy(ret, path, (size_t)n + 1);
        return true;
}

static void find_authority(struct client *c)
{
        for (unsigned i = 0; i < N_TLS_DIRECTORIES; i++)
                if (find_file(c->ca_file, i, "ca.pem"))
                        return;
}

/* On a node its key is not for everybody; who has none asks as nobody. */
static void find_ourselves(struct client *c)
{
        for (unsigned i = 0; i < N_TLS_DIRECTORIES; i++)
                if (find_file(c->key_file, i, "node.key") && find_file(c->cert_file, i, "node.pem"))
                        return;
        *c->key_file = '\0';
}

static int take_file(char ret[static CLIENT_FILE_MAX], const char *path, struct err *e)
{
        if (!*path || strlen(path) >= CLIENT_FILE_MAX)
                return err_set(e, -EINVAL, "\"%s\" cannot be the name of a file", path);
        memcpy(ret, path, strlen(path) + 1);
        return 0;
}

static int choose_authority(struct client *c, const struct client_options *o, struct err *e)
{
        if (o->ca_file)
                return take_file(c->ca_file, o->ca_file, e);
        find_authority(c);
        return *c->ca_file ? 0
                           : err_set(e, -ENOKEY,
                                     "nobody says whom to trust at %s: --cacert FILE, or ca.pem "
                                     "in ~" TLS_OF_PERSON " or " TLS_OF_MACHINE,
                                     c->who);
}

static int choose_ourselves(struct client *c, const struct client_options *o, struct err *e)
{
        int r;

        if (!o->cert_file && o->key_file)
                return err_set(e, -EINVAL, "--key is of no use without --cert");
        if (!o->cert_file) {
                find_ourselves(c);
                return 0;
        }
        r = take_file(c->cert_file, o->cert_file, e);
        /* One file may hold both. */
        return r < 0 ? r : take_file(c->key_file, o->key_file ? o->key_file : o->cert_file, e);
}

static int init_tls(struct client *c, const struct client_options *o, struct err *e)
{
        int r;

        if (!speaks_tls(c))
                return o->ca_file || o->cert_file || o->key_file
                               ? err_set(e, -EINVAL,
                                         "--cacert, --cert and --key are for https, and %s is not",
                                         c->who)
                               : 0;
        r = choose_authority(c, o, e);
        return r < 0 ? r : choose_ourselves(c, o, e);
}

static int init_url(struct client *c, const char *url, struct err *e)
{
        if (has_prefix(url, SCHEME_HTTP))
                return init_http(c, url, SCHEME_HTTP, e);
        if (has_prefix(url, SCHEME_HTTPS))
                return init_http(c, url, SCHEME_HTTPS, e);
        if (has_prefix(url, SCHEME_UNIX))
                return init_unix(c, url, e);
        return err_set(e, -EINVAL, "\"%s\" is neither http[s]://HOST:PORT nor unix:/PATH", url);
}

int client_init(struct client *c, const struct client_options *o, struct err *e)
{
        static const struct client_options nothing;
        const char *url = o && o->url ? o->url : getenv("DIAG_URL");
        bool is_default = str_empty(url), cluster = o && o->cluster;
        int r;

        *c = (struct client){.is_default = is_default, .cluster = cluster};
        if (is_default)
                url = cluster ? CLIENT_CLUSTER : CLIENT_DEFAULT;
        r = init_url(c, url, e);
        return r < 0 ? r : init_tls(c, o ? o : &nothing, e);
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
        bool silent = r == CLIENT_NO_ANSWER || (r == CLIENT_NOBODY && c->cluster);

        if (!silent || !*c->socket_path)
                return "";
        if (!c->cluster)
                return "; see systemctl status diag-agentd.service";
        if (c->is_default && access(c->socket_path, F_OK) < 0)
                return "; this machine is not a master: ask one with --url http://MASTER:1050, or "
                       "DIAG_URL";
        return "; see systemctl status diag-aggregatord.service";
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
                              (q->timeout_usec ? q->timeout_usec : q->stall_usec) / USEC_PER_SEC);
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

int client_perform(const struct client *c, const char *path, struct get_request q,
                   struct get_answer *ret, struct err *e)
{
        char url[CLIENT_URL_MAX + CLIENT_PATH_MAX];
        const struct get_tls tls = {
                .ca_file = c->ca_file,
                .cert_file = *c->cert_file ? c->cert_file : NULL,
                .key_file = *c->key_file ? c->key_file : NULL,
        };

        if (strlen(path) >= CLIENT_PATH_MAX)
                return err_set(e, -EINVAL, "that is too long to be asked for");
        (void)snprintf(url, sizeof(url), "%s%s", c->base, path);
        q.url = url;
        q.socket_path = *c->socket_path ? c->socket_path : NULL;
        q.tls = speaks_tls(c) ? &tls : NULL;
        q.who = c->who;
        return judge(c, &q, get_perform(ret, &q, e), e);
}

/* @known: an entity tag, or "" */
static int ask(const struct client *c, const char *path, const char *known, size_t max_bytes,
               struct get_answer *ret, struct err *e)
{
        char prefer[sizeof("wait=") + 10];
        struct get_request q = {
                .if_none_match = *known ? known : NULL,
                .prefer = *known ? prefer : NULL,
                .timeout_usec = CLIENT_TIMEOUT_USEC,
                .max_bytes = max_bytes,
        };

        if (*known)
                q.timeout_usec += CLIENT_WAIT_SECONDS * USEC_PER_SEC;
        (void)snprintf(prefer, sizeof(prefer), "wait=%u", CLIENT_WAIT_SECONDS);
        return client_perform(c, path, q, ret, e);
}

int client_ask_node(const struct client *c, const struct client_node *known,
                    struct client_node *ret, struct err *e)
{
        _cleanup_(get_answer_done) struct get_answer answer = {0};
        int r = ask(c, NODE_PATH, known ? known->etag : "", DIAG_REPORT_JSON_MAX, &answer, e);

        return r == 0 ? read_answer(c, &answer, ret, e) : r;
}

/* --- anything else -------------------------------------------------------------------------------- */

static int take_answer(const struct client *c, const struct get_answer *a, unsigned *ret_status,
                       struct buf *body, struct err *e)
{
        buf_append(body, buf_cstr(&a->body), a->body.n);
        if (body->error)
                return err_set(e, body->error, "%s: %s", c->who, strerror(-body->error));
        *ret_status = a->status;
        return 0;
}

int client_get(const struct client *c, const char *path, const char *known, unsigned *ret_status,
               struct buf *body, char etag[static CLIENT_ETAG_MAX], struct err *e)
{
        _cleanup_(get_answer_done) struct get_answer answer = {0};
        int r = ask(c, path, known, body->max, &answer, e);

        if (r == 0 && *known && answer.status == 304)
                return CLIENT_UNCHANGED;
        if (r == 0)
                r = take_answer(c, &answer, ret_status, body, e);
        if (r == 0)
                (void)snprintf(etag, CLIENT_ETAG_MAX, "%s", answer.etag);
        return r;
}

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
        int r = client_perform(c, path, q, &answer, e);

        return r == 0 ? take_answer(c, &answer, ret_status, body, e) : r;
}
