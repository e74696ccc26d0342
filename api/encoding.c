/*
 * Which coding an answer gets. Strangers write the field: all of it has to be in order before any of it
 * counts, so that a doubt costs bytes and never an answer that nobody can read.
 */

#include <strings.h>

#include "api/encoding.h"

#define Q_ONE    1000 /* weights in thousandths */
#define Q_ABSENT (-1)

/* What the field says of each coding that matters. */
struct wishes {
        int gzip, identity, any;
};

static const char *skip_blanks(const char *s)
{
        return s + strspn(s, " \t");
}

static size_t token_size(const char *s)
{
        return strspn(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool token_is(const char *s, size_t n, const char *name)
{
        return n == strlen(name) && strncasecmp(s, name, n) == 0;
}

/* qvalue (RFC 9110 §12.4.2): "0", "1", and up to three decimals. NULL when it is none. */
static const char *qvalue_read(const char *s, int *ret)
{
        int q, unit = Q_ONE / 10;

        if (*s != '0' && *s != '1')
                return NULL;
        q = (*s++ - '0') * Q_ONE;
        if (*s == '.')
                for (s++; *s >= '0' && *s <= '9' && unit > 0; s++, unit /= 10)
                        q += (*s - '0') * unit;
        if (q > Q_ONE)
                return NULL;
        *ret = q;
        return s;
}

/* [ OWS ";" OWS "q=" qvalue ]; NULL when something else is there. */
static const char *weight_read(const char *s, int *ret)
{
        *ret = Q_ONE;
        s = skip_blanks(s);
        if (*s != ';')
                return s;
        s = skip_blanks(s + 1);
        if ((*s != 'q' && *s != 'Q') || s[1] != '=')
                return NULL;
        s = qvalue_read(s + 2, ret);
        return s ? skip_blanks(s) : NULL;
}

/* False for a coding that was named before. */
static bool wish(struct wishes *w, const char *name, size_t n, int q)
{
        int unknown = Q_ABSENT, *to = &unknown;

        if (token_is(name, n, "gzip") || token_is(name, n, "x-gzip"))
                to = &w->gzip;
        else if (token_is(name, n, "identity"))
                to = &w->identity;
        else if (token_is(name, n, "*"))
                to = &w->any;
        if (*to != Q_ABSENT)
                return false;
        *to = q;
        return true;
}

/* Codings with weights, between commas; elements may be empty (RFC 9110 §5.6.1.2). */
static bool wishes_read(struct wishes *w, const char *s)
{
        size_t n;
        int q;

        for (s += strspn(s, " \t,"); *s; s += strspn(s, " \t,")) {
                const char *name = s;

                n = token_size(s);
                s = n > 0 ? weight_read(s + n, &q) : NULL;
                if (!s || (*s && *s != ',') || !wish(w, name, n, q))
                        return false;
        }
        return true;
}

bool encoding_accepts_gzip(const char *header)
{
        struct wishes w = {Q_ABSENT, Q_ABSENT, Q_ABSENT};
        int gzip;

        if (!header || !wishes_read(&w, header))
                return false;
        gzip = w.gzip != Q_ABSENT ? w.gzip : w.any;
        return gzip > 0 && gzip >= w.identity;
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct rope *gzip_of_two(struct reply *r)
{
        _cleanup_(rope_unrefp) struct rope *both = NULL;
        struct rope_builder rb = {0};

        rope_builder_add(&rb, r->body);
        buf_append(&rb.text, blob_data(r->tail), blob_size(r->tail));
        both = rope_new_take(&rb);
        return both ? rope_gzip(both, ENCODING_FRESH_BYTES_MAX) : NULL;
}

static struct blob *gzip_of_one(struct blob *b)
{
        bool well = blob_is_shared(b) && blob_size(b) <= ENCODING_WELL_BYTES_MAX;

        if (!blob_has_gzip(b) && blob_size(b) > ENCODING_FRESH_BYTES_MAX)
                return NULL;
        return blob_gzip(b, well ? GZIP_WELL : GZIP_FAST);
}

/* In place of the body, if it is any shorter. */
static bool put_blob(struct reply *r, struct blob *taken)
{
        _cleanup_(blob_unrefp) struct blob *gzip = taken;

        if (!gzip || blob_size(gzip) >= reply_size(r))
                return false;
        blob_unref(r->body);
        r->body = TAKE_PTR(gzip);
        return true;
}

static bool put_rope(struct reply *r, struct rope *taken)
{
        _cleanup_(rope_unrefp) struct rope *gzip = taken;

        if (!gzip || rope_size(gzip) >= reply_size(r))
                return false;
        r->body = blob_unref(r->body);
        r->tail = blob_unref(r->tail);
        rope_unref(r->rope);
        r->rope = TAKE_PTR(gzip);
        return true;
}

static bool compress(struct reply *r)
{
        if (r->rope)
                return put_rope(r, rope_gzip(r->rope, ENCODING_FRESH_BYTES_MAX));
        if (r->tail)
                return put_rope(r, gzip_of_two(r));
        return put_blob(r, gzip_of_one(r->body));
}

/* As nginx does it: a strong tag promises the same bytes (RFC 9110 §8.8.1). */
static void weaken_etag(struct reply *r)
{
        for (size_t i = 0; i < r->n_headers; i++) {
                char *value = r->headers[i].value;
                size_t n = strlen(value);

                if (!streq(r->headers[i].name, "ETag") || value[0] != '"' ||
                    n + strlen("W/") >= sizeof(r->headers[i].value))
                        continue;
                memmove(value + strlen("W/"), value, n + 1);
                value[0] = 'W';
                value[1] = '/';
        }
}

void reply_encode(struct reply *r, const char *accept_encoding)
{
        if (!r->may_encode || r->status != 200 || reply_size(r) < ENCODING_BYTES_MIN ||
            !encoding_accepts_gzip(accept_encoding) || !compress(r))
                return;
        reply_header(r, "Content-Encoding", "gzip");
        weaken_etag(r);
}
