/* Making answers: a status, a body that is counted, a few header fields. No HTTP library in sight. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/reply.h"
#include "base/json_write.h"

#define REPLY_TEXT_MAX 1024u

void reply_done(struct reply *r)
{
        blob_unref(r->body);
        blob_unref(r->tail);
        rope_unref(r->rope);
        stream_free(r->stream);
        if (r->file.is_body)
                close(r->file.fd);
        *r = (struct reply){};
}

/* A CR LF in a value would be the end of the field, and the rest a field of somebody else's making. */
static void scrub(char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        *s = '?';
}

void reply_header(struct reply *r, const char *name, const char *fmt, ...)
{
        va_list ap;

        assert(r->n_headers < REPLY_HEADERS_MAX);
        r->headers[r->n_headers].name = name;
        va_start(ap, fmt);
        (void)vsnprintf(r->headers[r->n_headers].value, sizeof(r->headers[0].value), fmt, ap);
        va_end(ap);
        scrub(r->headers[r->n_headers++].value);
}

static void begin_body(struct reply *r, unsigned status, const char *content_type)
{
        assert(r->status == 0 && r->park_until_mono_usec == 0);
        r->status = status;
        r->content_type = content_type;
        if (strncmp(content_type, "text/", strlen("text/")) == 0)
                reply_header(r, "X-Content-Type-Options", "nosniff");
        else if (status == 200 && streq(content_type, "application/json"))
                reply_header(r, "Cache-Control", "no-cache");
}

int reply_blob(struct reply *r, unsigned status, const char *content_type, struct blob *taken)
{
        if (!taken)
                return -ENOMEM;
        begin_body(r, status, content_type);
        r->body = taken;
        return 0;
}

int reply_rope(struct reply *r, unsigned status, const char *content_type, struct rope *taken)
{
        if (!taken)
                return -ENOMEM;
        begin_body(r, status, content_type);
        r->rope = taken;
        return 0;
}

int reply_stream(struct reply *r, unsigned status, const char *content_type, struct stream *taken)
{
        if (!taken)
                return -ENOMEM;
        begin_body(r, status, content_type);
        r->stream = taken;
        return 0;
}

void reply_may_encode(struct reply *r)
{
        r->may_encode = true;
        reply_header(r, "Vary", "Accept-Encoding");
}

int reply_blobs(struct reply *r, unsigned status, const char *content_type, struct blob *taken,
                struct blob *tail)
{
        int k;

        if (!tail) {
                blob_unref(taken);
                return -ENOMEM;
        }
        k = reply_blob(r, status, content_type, taken);
        if (k < 0)
                blob_unref(tail);
        else
                r->tail = tail;
        return k;
}

static uint64_t size_of(const struct blob *b)
{
        return b ? blob_size(b) : 0;
}

uint64_t reply_size(const struct reply *r)
{
        uint64_t n = size_of(r->body) + size_of(r->tail) + (r->rope ? rope_size(r->rope) : 0);

        if (r->file.is_body)
                n += r->file.n_bytes;
        if (r->stream && stream_size(r->stream) != STREAM_LENGTH_UNKNOWN)
                n += stream_size(r->stream);
        return n;
}

uint64_t reply_own_size(const struct reply *r)
{
        uint64_t n = size_of(r->tail);

        if (r->body && !blob_is_shared(r->body))
                n += blob_size(r->body);
        if (r->rope && !rope_is_shared(r->rope))
                n += rope_own_bytes(r->rope);
        return n;
}

int reply_json(struct reply *r, unsigned status, struct buf *b)
{
        return reply_blob(r, status, "application/json", blob_new_take(b));
}

int reply_text(struct reply *r, unsigned status, const char *fmt, ...)
{
        _cleanup_(buf_done) struct buf b = {};
        char text[REPLY_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        buf_puts(&b, text);
        buf_putc(&b, '\n');
        return reply_blob(r, status, "text/plain; charset=utf-8", blob_new_take(&b));
}

int reply_error(struct reply *r, unsigned status, const char *reason, const char *fmt, ...)
{
        _cleanup_(buf_done) struct buf b = {};
        struct json_writer w = {.out = &b};
        char text[REPLY_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        jw_begin_object(&w);
        jw_member_uint(&w, "code", status);
        jw_member_string(&w, "error", text);
        jw_member_string(&w, "reason", reason);
        jw_end_object(&w);
        reply_header(r, "X-Content-Type-Options", "nosniff");
        return reply_json(r, status, &b);
}

int reply_empty(struct reply *r, unsigned status)
{
        assert(r->status == 0 && r->park_until_mono_usec == 0);
        r->status = status;
        if (status == 304)
                reply_header(r, "Cache-Control", "no-cache");
        return 0;
}

/* Into an attribute in double quotes. A location has no control characters, '<' or '>' to begin with. */
static void append_attribute(struct buf *b, const char *s)
{
        for (; *s; s++)
                if (*s == '&' || *s == '"' || *s == '\'' || *s == '<' || *s == '>')
                        buf_printf(b, "&#%d;", *s);
                else
                        buf_putc(b, *s);
}

int reply_moved(struct reply *r, const char *location, bool page)
{
        _cleanup_(buf_done) struct buf b = {};

        r->location = location;
        if (!page)
                return reply_empty(r, 301);
        buf_puts(&b, "<a href=\"");
        append_attribute(&b, location);
        buf_puts(&b, "\">Moved Permanently</a>.\n\n");
        return reply_blob(r, 301, "text/html; charset=utf-8", blob_new_take(&b));
}

int reply_park(struct reply *r, uint64_t until_mono_usec)
{
        assert(r->status == 0 && until_mono_usec > 0);
        r->park_until_mono_usec = until_mono_usec;
        return 0;
}

int reply_park_for(struct reply *r, uint64_t until_mono_usec, const void *key)
{
        r->park_key = key;
        return reply_park(r, until_mono_usec);
}
