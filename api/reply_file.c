/*
 * A file as an answer: first whether the client has it already, then which part of it he wants (RFC 9110
 * §13.2.2 says in which order to ask). Bytes are left to the server.
 */

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "api/byte_range.h"
#include "api/reply.h"
#include "base/mono.h"

/* As it stands in the field, with its quotes. */
static bool is_tag(const char *s, size_t n, const char *etag)
{
        size_t n_etag = etag ? strlen(etag) : 0;

        return etag && n == n_etag + 2 && s[0] == '"' && s[n - 1] == '"' &&
               memcmp(s + 1, etag, n_etag) == 0;
}

/* A list, compared weakly: "W/" makes no difference. Our tags have no '"' in them. */
static bool list_has_tag(const char *list, const char *etag)
{
        const char *end;

        for (const char *s = list + strspn(list, " \t,"); *s;
             s = end + 1 + strspn(end + 1, " \t,")) {
                if (*s == '*')
                        return true;
                if (s[0] == 'W' && s[1] == '/')
                        s += 2;
                end = *s == '"' ? strchr(s + 1, '"') : NULL;
                if (!end)
                        return false;
                if (is_tag(s, (size_t)(end - s) + 1, etag))
                        return true;
        }
        return false;
}

static uint64_t whole_seconds(uint64_t usec)
{
        return usec - usec % USEC_PER_SEC;
}

static bool is_known(const struct request *q, const struct reply_file *f)
{
        uint64_t since;

        if (q->if_none_match)
                return list_has_tag(q->if_none_match, f->etag);
        return q->if_modified_since && f->mtime_usec > 0 &&
               http_date_parse(&since, q->if_modified_since) == 0 &&
               whole_seconds(f->mtime_usec) <= since;
}

/*
 * Only if it is still the same that the client has a part of. A tag has to be strong; a date too: within the
 * second of its last change, a file may have changed again.
 */
static bool range_counts(const struct request *q, const struct reply_file *f)
{
        const char *s = q->if_range;
        uint64_t date;

        if (!s)
                return true;
        if (*s == '"' || *s == 'W')
                return is_tag(s, strlen(s), f->etag);
        return f->mtime_usec > 0 && http_date_parse(&date, s) == 0 &&
               date == whole_seconds(f->mtime_usec) &&
               usec_since(now_wall_usec(), f->mtime_usec) >= USEC_PER_SEC;
}

static bool is_plain_name_char(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c && strchr("._-", c));
}

/* A token where it is one (RFC 6266 §4.1), as the service that we replace writes it. */
static void say_name(struct reply *r, const char *name)
{
        char safe[200];
        size_t n = 0;

        for (; *name && n + 1 < sizeof(safe); name++)
                safe[n++] = is_plain_name_char(*name) ? *name : '_';
        safe[n] = '\0';
        reply_header(r, "Content-Disposition", "attachment; filename=%s", safe);
}

static void describe(struct reply *r, const struct reply_file *f)
{
        char date[HTTP_DATE_MAX];

        if (f->etag)
                reply_header(r, "ETag", "\"%s\"", f->etag);
        if (f->mtime_usec > 0)
                reply_header(r, "Last-Modified", "%s", http_date_format(date, f->mtime_usec));
}

static int answer_beyond(struct reply *r, const struct reply_file *f)
{
        close(f->fd);
        reply_header(r, "Content-Range", "bytes */%" PRIu64, f->n_bytes);
        return reply_empty(r, 416);
}

int reply_file(const struct request *q, struct reply *r, const struct reply_file *f)
{
        uint64_t from = 0, n = f->n_bytes;
        enum byte_range part = BYTE_RANGE_NONE;

        assert(r->status == 0 && r->park_until_mono_usec == 0);
        if (f->fd < 0)
                return -ENOMEM;
        if (is_known(q, f)) {
                close(f->fd);
                describe(r, f);
                return reply_empty(r, 304);
        }
        if (range_counts(q, f))
                part = byte_range_read(q->range, f->n_bytes, &from, &n);
        if (part == BYTE_RANGE_BEYOND)
                return answer_beyond(r, f);
        describe(r, f);
        reply_header(r, "Accept-Ranges", "bytes");
        if (part == BYTE_RANGE_PART)
                reply_header(r, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from,
                             from + n - 1, f->n_bytes);
        if (f->name)
                say_name(r, f->name);
        r->status = part == BYTE_RANGE_PART ? 206 : 200;
        r->content_type = f->content_type;
        r->file.is_body = true;
        r->file.fd = f->fd;
        r->file.from = from;
        r->file.n_bytes = n;
        return 0;
}
