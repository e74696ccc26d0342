/*
 * Redaction of a whole text, and of one that comes in pieces.
 *
 * The second must give the same whatever the pieces are. Lines are whole when they are looked at, straight from
 * what the caller feeds; what has no end yet is kept. A line that is longer than REDACT_LINE_BYTES is cut at
 * that many bytes from its begin, wherever they came from; the last bytes of the cut are looked ahead at, and
 * looked at again with what follows.
 */

#include <errno.h>

#include "base/redact_scan.h"

#define AHEAD_PARTS 16u /* of a line's most bytes, one such part is looked ahead at */
#define CUT_PARTS   64u /* and one is searched for a place that cuts no word */
#define HINTS_MAX   (128u + REDACT_RULES_MAX) /* more than all tables have */

struct redactor {
        struct scan scan;
        struct redact_filter *filter;
        struct redact_search *search;
        struct digest *digest;
        uint8_t salt[REDACT_SALT_BYTES];
        size_t line_bytes;
        struct buf kept;      /* the begin of a line */
        struct buf found[2];  /* a line in which patterns were masked, by all of them in turn */
        struct buf patterned; /* what is looked at instead of what was fed */
        bool in_line;         /* kept is not its line's begin */
};

size_t redact_append(struct buf *out, const char *text, size_t n)
{
        struct scan s = {.out = out, .text = text};
        const char *newline;

        while (s.at < n) {
                newline = memchr(text + s.at, '\n', n - s.at);
                s.begin = s.at;
                s.end = s.limit = newline ? (size_t)(newline - text) : n;
                scan_line(&s);
                s.at = newline ? s.end + 1 : n;
        }
        s.end = n;
        scan_flush(&s, n);
        return s.n_masked;
}

/* Many names end alike. */
static size_t add_hint(const struct redact_hint hints[], size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (streq(hints[i].text, hints[n].text) && hints[i].exact == hints[n].exact &&
                    hints[i].ends == hints[n].ends)
                        return n;
        return n + 1;
}

static size_t collect_hints(struct redact_hint hints[static HINTS_MAX],
                            const struct redact_rules *rules)
{
        size_t n = 0;

        for (size_t i = 0; redact_name_hint(i, &hints[n]); i++)
                n = add_hint(hints, n);
        for (size_t i = 0; redact_shape_hint(i, &hints[n]); i++)
                n = add_hint(hints, n);
        for (size_t i = 0; redact_command_hint(i, &hints[n]); i++)
                n = add_hint(hints, n);
        for (size_t i = 0; rules && redact_rules_hint(rules, i, &hints[n]); i++)
                n = add_hint(hints, n);
        return n;
}

static int prepare_filter(struct redactor *r, const struct redactor_setup *setup)
{
        struct redact_hint hints[HINTS_MAX];
        size_t n = collect_hints(hints, setup->rules);
        int k;

        if (setup->speed == REDACT_NONE)
                return 0;
        k = redact_filter_new(&r->filter, hints, n, setup->speed);
        r->scan.filter = r->filter;
        return k;
}

int redactor_new_with(struct redactor **ret, const struct redactor_setup *setup)
{
        _cleanup_(redactor_freep) struct redactor *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return -ENOMEM;
        r->line_bytes = setup->line_bytes ? setup->line_bytes : REDACT_LINE_BYTES;
        r->scan.bundle = true;
        r->scan.rules = setup->rules;
        k = prepare_filter(r, setup);
        if (k == 0 && setup->rules && redact_rules_has_patterns(setup->rules))
                k = redact_search_new(&r->search, setup->rules);
        if (k == 0 && setup->salt) {
                memcpy(r->salt, setup->salt, sizeof(r->salt));
                r->scan.salt = r->salt;
                k = digest_new(&r->digest);
                r->scan.digest = r->digest;
        }
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

int redactor_new(struct redactor **ret, const struct redact_rules *rules, const uint8_t *salt)
{
        const struct redactor_setup setup = {.rules = rules, .salt = salt};

        return redactor_new_with(ret, &setup);
}

struct redactor *redactor_free(struct redactor *r)
{
        if (!r)
                return NULL;
        buf_done(&r->kept);
        buf_done(&r->found[0]);
        buf_done(&r->found[1]);
        buf_done(&r->patterned);
        digest_free(r->digest);
        redact_search_free(r->search);
        redact_filter_free(r->filter);
        explicit_bzero(r->salt, sizeof(r->salt));
        free(r);
        return NULL;
}

/* --- rules of the owner -------------------------------------------------------------------------- */

/*
 * A mask is whole: what a pattern finds within one is nothing new, and what it finds across its border takes
 * all of it. False: look further from *from.
 */
static bool respect_masks(const struct scan *s, struct span *found, size_t *from)
{
        size_t i = found->from > REDACT_MASK_MAX ? found->from - REDACT_MASK_MAX : 0, n;

        for (; i < found->to; i++) {
                n = mask_at(s, i);
                if (n == 0 || i + n <= found->from)
                        continue;
                if (i <= found->from && i + n >= found->to) {
                        *from = i + n;
                        return false;
                }
                found->from = i < found->from ? i : found->from;
                found->to = i + n > found->to ? i + n : found->to;
        }
        *from = found->to;
        return true;
}

/* One line and one pattern. Return: whether anything was masked, then @out has the line. */
static bool mask_pattern(struct redactor *r, size_t pattern, const char *line, size_t n,
                         bool is_piece, struct buf *out)
{
        struct scan s = {
                .out = out, .text = line, .end = n, .salt = r->scan.salt, .digest = r->scan.digest};
        struct span found;

        buf_clear(out);
        for (size_t from = 0; from < n && redact_search_next(r->search, pattern, line, n, from,
                                                             r->scan.is_rest, is_piece, &found);)
                if (respect_masks(&s, &found, &from))
                        mask(&s, found);
        if (s.n_masked == 0)
                return false;
        scan_flush(&s, n);
        r->scan.n_masked += s.n_masked;
        return true;
}

/* Appends the line to r->patterned as all patterns leave it. */
static void search_line(struct redactor *r, const char *line, size_t n, bool is_piece)
{
        size_t n_end = n > 0 && !is_piece && line[n - 1] == '\r';

        n -= n_end;
        for (size_t i = 0, k = 0; i < redact_search_n_patterns(r->search); i++)
                if (mask_pattern(r, i, line, n, is_piece, &r->found[k])) {
                        if (r->found[k].error) {
                                r->patterned.error = r->found[k].error;
                                return;
                        }
                        line = buf_cstr(&r->found[k]);
                        n = r->found[k].n;
                        k ^= 1;
                }
        buf_append(&r->patterned, line, n);
        if (n_end)
                buf_putc(&r->patterned, '\r');
}

/* What is looked at in place of *text: patterns come first, because they are meant for what was there. */
static void search_lines(struct redactor *r, const char **text, size_t *n, bool is_piece)
{
        size_t at = 0;

        if (!r->search)
                return;
        buf_clear(&r->patterned);
        while (at < *n) {
                const char *newline = memchr(*text + at, '\n', *n - at);
                size_t end = newline ? (size_t)(newline - *text) : *n;

                r->scan.is_rest = at == 0 && r->in_line;
                search_line(r, *text + at, end - at, is_piece);
                if (newline)
                        buf_putc(&r->patterned, '\n');
                at = newline ? end + 1 : *n;
        }
        *text = buf_cstr(&r->patterned);
        *n = r->patterned.error ? 0 : r->patterned.n;
        if (r->patterned.error && !r->scan.out->error)
                r->scan.out->error = r->patterned.error;
}

/* --- lines --------------------------------------------------------------------------------------- */

static void begin_text(struct redactor *r, const char *text, struct buf *out)
{
        r->scan.text = text;
        r->scan.out = out;
        r->scan.at = r->scan.copied = r->scan.begin = r->scan.no_crypt = 0;
}

/*
 * To the next line that may hold a secret, and in it to where, which is what the line redactor would look for
 * first. False without one.
 */
static bool find_line(const struct redactor *r, struct scan *s, size_t n)
{
        const char *newline;
        size_t begin = s->at;

        if (r->filter && !s->carry && !s->n_pair && !s->command) {
                s->at = redact_filter_next(r->filter, s->text, begin, n);
                newline = s->at < n ? memrchr(s->text + begin, '\n', s->at - begin) : NULL;
                begin = newline ? (size_t)(newline - s->text) + 1 : begin;
                while (s->at < n && s->at > begin && is_key_char(s->text[s->at]) &&
                       is_key_char(s->text[s->at - 1]))
                        s->at--;
        }
        s->begin = begin;
        return s->at < n;
}

/* Lines that are whole; the last one of a text may have no newline. */
static void redact_lines(struct redactor *r, const char *text, size_t n, struct buf *out)
{
        struct scan *s = &r->scan;
        const char *newline;

        s->out = out;
        search_lines(r, &text, &n, false);
        begin_text(r, text, out);
        s->is_piece = false;
        while (find_line(r, s, n)) {
                s->is_rest = s->begin == 0 && r->in_line;
                newline = memchr(text + s->at, '\n', n - s->at);
                s->end = s->limit = newline ? (size_t)(newline - text) : n;
                scan_line(s);
                s->command = NULL;
                s->n_pair -= s->n_pair > 0;
                s->at = newline ? s->end + 1 : n;
        }
        s->end = n;
        scan_flush(s, n);
        r->in_line = false;
}

/* At a blank or a comma not far before the limit, if there is one. */
static size_t cut_of(const struct redactor *r)
{
        const struct scan *s = &r->scan;
        size_t far = r->line_bytes / CUT_PARTS, least = s->copied;

        if (s->copied >= s->limit)
                return s->copied;
        if (s->limit > far && s->limit - far > least)
                least = s->limit - far;
        for (size_t i = s->limit; i > least; i--)
                if (is_blank(s->text[i - 1]) || s->text[i - 1] == ',')
                        return i;
        return s->limit;
}

/* The begin, or a further part, of a line whose end is not in sight: all that was kept. */
static void redact_piece(struct redactor *r, struct buf *out)
{
        struct scan *s = &r->scan;
        const char *text = r->kept.data;
        size_t n = r->kept.n, ahead = r->line_bytes / AHEAD_PARTS, cut;

        s->out = out;
        search_lines(r, &text, &n, true);
        begin_text(r, text, out);
        s->is_piece = true;
        s->is_rest = r->in_line;
        s->end = n;
        s->limit = n > ahead ? n - ahead : 0;
        scan_line(s);
        cut = cut_of(r);
        scan_flush(s, cut);
        if (text == r->kept.data) {
                buf_drop_front(&r->kept, cut);
        } else {
                buf_clear(&r->kept);
                buf_append(&r->kept, text + cut, n - cut);
        }
        r->in_line = true;
}

/* Takes what the line that was begun needs. Return: how much of @data that is. */
static size_t continue_line(struct redactor *r, const char *data, size_t n, struct buf *out)
{
        size_t n_free = r->line_bytes - r->kept.n;
        const char *newline = memchr(data, '\n', n < n_free ? n : n_free);

        if (newline)
                n = (size_t)(newline - data) + 1;
        else if (n > n_free)
                n = n_free;
        buf_append(&r->kept, data, n);
        if (newline) {
                redact_lines(r, buf_cstr(&r->kept), r->kept.n, out);
                buf_clear(&r->kept);
        } else if (r->kept.n == r->line_bytes) {
                redact_piece(r, out);
        }
        return n;
}

void redactor_feed(struct redactor *r, const void *data, size_t n, struct buf *out)
{
        const char *p = data, *newline;

        while (n > 0 && !out->error) {
                size_t n_done = n < r->line_bytes ? n : r->line_bytes;

                /* The last newline that is in reach: no line before it is too long. */
                newline = r->kept.n || r->in_line ? NULL : memrchr(p, '\n', n_done);
                if (newline) {
                        n_done = (size_t)(newline - p) + 1;
                        redact_lines(r, p, n_done, out);
                } else {
                        n_done = continue_line(r, p, n, out);
                        if (r->kept.error)
                                out->error = r->kept.error;
                }
                p += n_done;
                n -= n_done;
        }
}

uint64_t redactor_end(struct redactor *r, struct buf *out)
{
        struct scan *s = &r->scan;
        uint64_t n_masked;

        if (r->kept.n && !out->error)
                redact_lines(r, buf_cstr(&r->kept), r->kept.n, out);
        buf_clear(&r->kept);
        n_masked = s->n_masked;
        s->n_masked = 0;
        s->n_pair = s->n_key = 0;
        s->carry = CARRY_NOTHING;
        s->command = NULL;
        r->in_line = false;
        return n_masked;
}
