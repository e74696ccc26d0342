/* Content-Length, chunks, or all until the end; what is inside is skipped, in large pieces. */

#include <errno.h>
#include <stdio.h>

#include "bench/answer_scan.h"

static const char *field(const char *head, const char *name)
{
        const char *p = strcasestr(head, name);

        return p ? p + strlen(name) + strspn(p + strlen(name), " ") : NULL;
}

static int parse_head(struct answer_scan *a)
{
        const char *length = field(a->head, "\r\nContent-Length:");
        const char *coding = field(a->head, "\r\nTransfer-Encoding:");
        const char *etag = field(a->head, "\r\nETag:");

        if (sscanf(a->head, "HTTP/1.%*1u %3u", &a->status) != 1)
                return -EBADMSG;
        if (etag)
                (void)snprintf(a->etag, sizeof(a->etag), "%.*s", (int)strcspn(etag, "\r"), etag);
        a->chunked = coding && strncasecmp(coding, "chunked", 7) == 0;
        a->n_left = length && !a->chunked ? strtoull(length, NULL, 10) : 0;
        a->to_end = !length && !a->chunked && a->status != 304 && a->status != 204;
        return 0;
}

/* Before a chunk: "1f00\r\n"; after one: "\r\n"; after the last one "\r\n", too: nobody here has trailers. */
static int take_size_byte(struct answer_scan *a, char c)
{
        if (c != '\n') {
                if (a->n_size == sizeof(a->size) - 1)
                        return -EBADMSG;
                a->size[a->n_size++] = c;
                return 0;
        }
        a->size[a->n_size] = '\0';
        a->n_size = 0;
        if (a->in_chunk_end) {
                a->in_chunk_end = false;
                return a->last_chunk;
        }
        a->n_left = strtoull(a->size, NULL, 16);
        a->last_chunk = a->n_left == 0;
        a->in_chunk_end = true;
        return 0;
}

/* Bytes of the body that came with others. 1 when that was all. */
static int take_body(struct answer_scan *a, const char *p, size_t n)
{
        while (n > 0) {
                size_t k = a->n_left < n ? a->n_left : n;
                int done;

                a->n_left -= k;
                p += k;
                n -= k;
                if (!n || !a->chunked)
                        break;
                done = take_size_byte(a, *p++);
                n--;
                if (done)
                        return done;
        }
        return !a->chunked && !a->to_end && !a->n_left;
}

static int take_head(struct answer_scan *a, size_t n)
{
        const char *end;
        int k;

        a->n_head += n;
        a->head[a->n_head] = '\0';
        end = strstr(a->head, "\r\n\r\n");
        if (!end)
                return a->n_head == ANSWER_HEAD_MAX ? -EBADMSG : 0;
        a->has_head = true;
        k = parse_head(a);
        return k < 0 ? k : take_body(a, end + 4, a->n_head - (size_t)(end + 4 - a->head));
}

static int read_some(struct answer_scan *a, struct wire *w)
{
        char between[1] = "";
        ssize_t k;

        if (!a->has_head)
                k = wire_read(w, a->head + a->n_head, ANSWER_HEAD_MAX - a->n_head);
        else if (a->n_left || a->to_end)
                k = wire_skip(w, a->to_end ? SIZE_MAX : a->n_left);
        else
                k = wire_read(w, between, 1);
        if (k <= 0)
                return k == 0 && a->to_end ? 1 : k == 0 ? -ECONNRESET : (int)k;
        a->n_bytes += (uint64_t)k;
        if (!a->has_head)
                return take_head(a, (size_t)k);
        if (!a->n_left && !a->to_end)
                return take_size_byte(a, between[0]);
        if (a->to_end)
                return 0;
        a->n_left -= (uint64_t)k;
        return !a->chunked && !a->n_left;
}

int answer_scan_read(struct answer_scan *a, struct wire *w)
{
        int k;

        while ((k = read_some(a, w)) == 0)
                ;
        return k == -EAGAIN ? 0 : k;
}
