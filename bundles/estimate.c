/*
 * Files are asked for their sizes, in a child, and not for long. Of the journal it is only known how large all
 * of it is: a unit's part is taken to be the same as everybody's. What commands and servers will say is not known;
 * mostly it is little.
 */

#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/estimate.h"

#define COMMAND_BYTES 16384u
#define HTTP_BYTES    65536u

struct sizes {
        uint64_t n_bytes, n_max, max_bytes;
        size_t n_entries;
};

static int on_file(_unused_ const char *path, _unused_ const char *name, uint64_t size,
                   _unused_ uint64_t mtime_usec, void *userdata)
{
        struct sizes *z = userdata;

        z->n_entries++;
        z->n_bytes += size < z->max_bytes ? size : z->max_bytes;
        return 0;
}

/* False: it cannot be known in time. */
static bool measure(const struct source *s, const struct source_context *c, uint64_t max_bytes,
                    struct sizes *ret)
{
        struct source_outcome o;

        *ret = (struct sizes){.max_bytes = max_bytes};
        return source_expand(s, c, on_file, ret, &o) >= 0 && !o.error;
}

static uint64_t journal_usage(const struct source_context *c)
{
        static const char *const globs[] = {"/var/log/journal/*/*.journal",
                                            "/run/log/journal/*/*.journal"};
        uint64_t n_bytes = 0;

        for (size_t i = 0; i < ELEMENTSOF(globs); i++) {
                const struct source s = {
                        .kind = SOURCE_FILE,
                        .way = SOURCE_WAY_FILE,
                        .path = (char *)globs[i],
                        .timeout_usec = ESTIMATE_USEC / 2,
                };
                struct sizes z;

                if (measure(&s, c, UINT64_MAX, &z))
                        n_bytes += z.n_bytes;
        }
        return n_bytes;
}

static size_t count_journals(const struct collect_choice *choice)
{
        size_t n = 0;

        for (size_t i = 0; i < choice->n; i++)
                n += choice->sources[i]->way == SOURCE_WAY_JOURNAL;
        return n;
}

static void add(struct estimate *e, uint64_t likely, uint64_t max, size_t n_entries)
{
        e->likely_bytes += likely < max ? likely : max;
        e->max_bytes += max * n_entries;
}

static void add_source(struct estimate *e, const struct source *s, const struct source_context *c,
                       uint64_t max, uint64_t journal_share)
{
        struct sizes z;

        switch (s->way) {
        case SOURCE_WAY_JOURNAL:
                add(e, journal_share, max, 1);
                break;
        case SOURCE_WAY_FILE:
                if (!measure(s, c, max, &z))
                        z = (struct sizes){.n_bytes = max, .n_entries = 1};
                e->likely_bytes += z.n_bytes;
                e->max_bytes += max * z.n_entries;
                break;
        case SOURCE_WAY_COMMAND:
                add(e, COMMAND_BYTES, max, 1);
                break;
        case SOURCE_WAY_HTTP:
        case SOURCE_WAY_HEALTH:
                add(e, HTTP_BYTES, max, 1);
                break;
        }
}

static uint64_t smallest(uint64_t a, uint64_t b)
{
        return b && b < a ? b : a;
}

void estimate_make(struct estimate *ret, const struct collect_choice *choice,
                   const struct collect_request *q, const struct collect_terms *t)
{
        uint64_t source_max = smallest(t->conf->source_max_bytes, q->source_max_bytes);
        uint64_t all_max = smallest(t->conf->max_bytes, q->max_bytes);
        size_t n_journals = count_journals(choice);
        struct source_context c;
        uint64_t share;

        *ret = (struct estimate){.n_sources = choice->n};
        collect_context(&c, q, t);
        c.deadline_mono_usec = now_mono_usec() + ESTIMATE_USEC;
        share = n_journals ? journal_usage(&c) / n_journals : 0;
        for (size_t i = 0; i < choice->n; i++) {
                const struct source *s = choice->sources[i];

                add_source(ret, s, &c, smallest(source_max, s->max_bytes), share);
        }
        if (ret->max_bytes > all_max)
                ret->max_bytes = all_max;
        if (ret->likely_bytes > ret->max_bytes)
                ret->likely_bytes = ret->max_bytes;
}

void estimate_write(struct buf *out, const struct estimate *e)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        jw_member_uint(&w, "likely_bytes", e->likely_bytes);
        jw_member_uint(&w, "max_bytes", e->max_bytes);
        jw_member_uint(&w, "sources", e->n_sources);
        jw_end_object(&w);
        buf_putc(out, '\n');
}
