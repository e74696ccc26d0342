/* Judging the head of a request: one pass that counts, then a table of questions. */

#include <strings.h>

#include "api/head.h"
#include "api/server.h"

/* tchar (RFC 9110 §5.6.2). */
static bool is_token(const char *s, size_t n)
{
        static const char others[] = "!#$%&'*+-.^_`|~";

        for (size_t i = 0; i < n; i++)
                if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
                      (s[i] >= 'A' && s[i] <= 'Z') || memchr(others, s[i], sizeof(others) - 1)))
                        return false;
        return n > 0;
}

/* Controls have no place in a value, a lone CR least of all (RFC 9110 §5.5, RFC 9112 §2.2). */
static bool is_clean_value(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
                        return false;
        return true;
}

/* A name or an address, perhaps a port. No list, no user, no path (RFC 9110 §7.2). */
static bool is_host(const char *s)
{
        return !s[strcspn(s, " \t,/\\@?#")];
}

/* libmicrohttpd has refused what is not a number already; too large a one may be cut here. */
static uint64_t length_of(const char *s)
{
        uint64_t n = 0;

        for (; *s >= '0' && *s <= '9'; s++)
                if (n <= SERVER_BODY_BYTES_MAX)
                        n = n * 10 + (uint64_t)(*s - '0');
        return n;
}

static void on_content_length(struct head *h, const char *value)
{
        h->n_content_length++;
        h->content_length = length_of(value);
}

static void on_transfer_encoding(struct head *h, const char *value)
{
        h->n_transfer_encoding++;
        h->unknown_coding |= strcasecmp(value, "chunked") != 0;
}

static void value_join(struct head_value *v, const char *value)
{
        const char *between = v->present ? ", " : "";
        size_t n = strlen(value), n_between = strlen(between);

        v->present = true;
        if (n_between + n >= sizeof(v->text) - v->n) {
                v->too_long = true;
                return;
        }
        memcpy(v->text + v->n, between, n_between);
        memcpy(v->text + v->n + n_between, value, n + 1);
        v->n += n_between + n;
}

static void on_host(struct head *h, const char *value)
{
        h->n_host++;
        h->bad_host |= !is_host(value);
        value_join(&h->host, value);
}

static void on_origin(struct head *h, const char *value)
{
        value_join(&h->origin, value);
}

static void on_content_type(struct head *h, const char *value)
{
        value_join(&h->content_type, value);
}

static void on_if_none_match(struct head *h, const char *value)
{
        value_join(&h->if_none_match, value);
}

static void on_prefer(struct head *h, const char *value)
{
        value_join(&h->prefer, value);
}

static void on_range(struct head *h, const char *value)
{
        value_join(&h->range, value);
}

static void on_if_range(struct head *h, const char *value)
{
        value_join(&h->if_range, value);
}

static void on_if_modified_since(struct head *h, const char *value)
{
        value_join(&h->if_modified_since, value);
}

static void on_accept(struct head *h, const char *value)
{
        value_join(&h->accept, value);
}

static void on_diag_caller(struct head *h, const char *value)
{
        h->n_diag_caller++;
        value_join(&h->diag_caller, value);
}

static void on_accept_encoding(struct head *h, const char *value)
{
        value_join(&h->accept_encoding, value);
}

static const struct {
        const char *name;
        void (*on)(struct head *h, const char *value);
} fields[] = {
        {"Host",              on_host             },
        {"Content-Length",    on_content_length   },
        {"Transfer-Encoding", on_transfer_encoding},
        {"Origin",            on_origin           },
        {"Content-Type",      on_content_type     },
        {"If-None-Match",     on_if_none_match    },
        {"Prefer",            on_prefer           },
        {"Accept-Encoding",   on_accept_encoding  },
        {"Diag-Caller",       on_diag_caller      },
        {"Range",             on_range            },
        {"If-Range",          on_if_range         },
        {"If-Modified-Since", on_if_modified_since},
        {"Accept",            on_accept           },
};

void head_init(struct head *h, const char *version)
{
        *h = (struct head){.http_1_0 = streq(version, "HTTP/1.0")};
}

/* CR LF, as the library leaves it. */
static bool is_line_end(const char *s, const char *end)
{
        return end - s >= 2 && !s[0] && !s[1];
}

static void take_line_end(struct head *h)
{
        h->has_gap |= !is_line_end(h->next, h->end);
        if (!h->has_gap)
                h->next += 2;
}

void head_locate(struct head *h, const struct head_line *line, size_t n_bytes)
{
        h->end = line->method + n_bytes;
        h->next = line->version + strlen(line->version);
        h->has_gap = line->target != line->method + strlen(line->method) + 1 ||
                     line->version != line->target + line->n_target + 1;
        if (!h->has_gap)
                take_line_end(h);
}

/* The name of a folded line was moved; its value may lie anywhere, even within the name. */
static bool is_next(const struct head *h, const char *name, size_t n_name, const char *value)
{
        const char *blank = name + n_name + 1; /* behind the colon */

        if (name != h->next || value < blank)
                return false;
        while (blank < value && (*blank == ' ' || *blank == '\t'))
                blank++;
        return blank == value;
}

static void take_field(struct head *h, const char *name, size_t n_name, const char *value,
                       size_t n_value)
{
        if (h->has_gap)
                return;
        h->has_gap = !is_next(h, name, n_name, value);
        if (h->has_gap)
                return;
        h->next = value + n_value;
        take_line_end(h);
}

void head_add(struct head *h, const char *name, size_t n_name, const char *value, size_t n_value)
{
        if (h->end)
                take_field(h, name, n_name, value, n_value);
        h->bad_name |= !is_token(name, n_name);
        h->bad_value |= !is_clean_value(value, n_value);
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (strcasecmp(name, fields[i].name) == 0)
                        fields[i].on(h, value);
}

static bool name_is_malformed(const struct head *h)
{
        return h->bad_name;
}

static bool value_is_malformed(const struct head *h)
{
        return h->bad_value;
}

/* What is left has to be the empty line. */
static bool bytes_are_missing(const struct head *h)
{
        return h->end && (h->has_gap || h->end - h->next != 2 || !is_line_end(h->next, h->end));
}

static bool length_is_repeated(const struct head *h)
{
        return h->n_content_length > 1;
}

static bool length_and_coding(const struct head *h)
{
        return h->n_content_length > 0 && h->n_transfer_encoding > 0;
}

static bool coding_is_repeated(const struct head *h)
{
        return h->n_transfer_encoding > 1;
}

static bool coding_is_too_new(const struct head *h)
{
        return h->n_transfer_encoding > 0 && h->http_1_0;
}

static bool coding_is_unknown(const struct head *h)
{
        return h->unknown_coding;
}

static bool host_is_repeated(const struct head *h)
{
        return h->n_host > 1;
}

static bool host_is_missing(const struct head *h)
{
        return h->n_host == 0 && !h->http_1_0;
}

static bool host_is_malformed(const struct head *h)
{
        return h->bad_host || h->host.too_long;
}

static bool body_is_too_long(const struct head *h)
{
        return h->content_length > SERVER_BODY_BYTES_MAX;
}

/* First match wins. */
static const struct head_fault faults[] = {
        {name_is_malformed,  400, "malformed header field name"                                   },
        {value_is_malformed, 400, "control character in a header field"                           },
        {bytes_are_missing,  400, "malformed header (a folded line, a NUL, a line end without CR)"},
        {length_is_repeated, 400, "more than one Content-Length"                                  },
        {length_and_coding,  400, "both Content-Length and Transfer-Encoding"                     },
        {coding_is_repeated, 400, "more than one Transfer-Encoding"                               },
        {coding_is_too_new,  400, "Transfer-Encoding in an HTTP/1.0 request"                      },
        {coding_is_unknown,  501, "the only known Transfer-Encoding is \"chunked\""               },
        {host_is_repeated,   400, "more than one Host"                                            },
        {host_is_missing,    400, "missing Host"                                                  },
        {host_is_malformed,  400, "malformed Host"                                                },
        {body_is_too_long,   413, "request body too large"                                        },
};

const struct head_fault *head_judge(const struct head *h)
{
        for (size_t i = 0; i < ELEMENTSOF(faults); i++)
                if (faults[i].holds(h))
                        return &faults[i];
        return NULL;
}

const char *head_value(const struct head_value *v)
{
        return v->present && !v->too_long ? v->text : NULL;
}

/* "name:port", where both may be missing. */
struct name_port {
        const char *name, *port;
        size_t n_name;
};

static struct name_port name_port_split(const char *s, const char *default_port)
{
        size_t n = strcspn(s, *s == '[' ? "]" : ":");
        const char *port;

        n += s[n] == ']';
        if (s[n] != ':')
                n = strlen(s); /* what follows a bracket is no port */
        port = s + n + (s[n] == ':');
        return (struct name_port){s, *port ? port : default_port, n};
}

static bool name_port_same(const char *a, const char *b, const char *default_port)
{
        struct name_port x = name_port_split(a, default_port);
        struct name_port y = name_port_split(b, default_port);

        return x.n_name > 0 && x.n_name == y.n_name && strncasecmp(x.name, y.name, x.n_name) == 0 &&
               streq(x.port, y.port);
}

/* RFC 6454 §7. The scheme is the browser's: whether something in front of us speaks TLS, we do not know. */
bool head_origin_is_foreign(const struct head *h)
{
        static const char *const schemes[][2] = {
                {"http://",  "80" },
                {"https://", "443"}
        };
        const char *origin = head_value(&h->origin), *host = head_value(&h->host);

        if (!h->origin.present)
                return false;
        for (size_t i = 0; origin && host && i < ELEMENTSOF(schemes); i++)
                if (strncasecmp(origin, schemes[i][0], strlen(schemes[i][0])) == 0)
                        return !name_port_same(origin + strlen(schemes[i][0]), host, schemes[i][1]);
        return true;
}

bool head_has_body(const struct head *h)
{
        return h->content_length > 0 || h->n_transfer_encoding > 0;
}

bool head_body_is_json(const struct head *h)
{
        static const char json[] = "application/json";
        const char *type = head_value(&h->content_type);

        return type && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
               (!type[sizeof(json) - 1] || strchr("; \t", type[sizeof(json) - 1]));
}
