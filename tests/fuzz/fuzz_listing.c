/* Any query: what was read chooses a page, and walking all pages meets every row once. */

#include <jansson.h>

#include "api/listing.h"
#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"", "0", "10.0.0.1", "10.0.0.2", "a.b&c", "b", "z"};

static const char *key(const void *data, size_t i)
{
        (void)data;
        return names[i];
}

static uint8_t rank(const void *data, size_t i)
{
        const struct listing_query *q = data;

        return *q->q && !listing_matches_text(q, names[i]) ? LISTING_LEFT_OUT : (uint8_t)(i % 3);
}

static void write_key(const void *data, struct json_writer *w, size_t i)
{
        (void)data;
        jw_string(w, names[i]);
}

static size_t page(struct listing_query *q)
{
        const struct listing l = {ELEMENTSOF(names), key, rank, write_key, q};
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        json_t *o, *next;
        size_t n;

        jw_begin_object(&w);
        listing_write(&w, &l, q);
        jw_end_object(&w);
        MUST(!out.error);
        o = json_loadb(out.data, out.n, JSON_REJECT_DUPLICATES, NULL);
        MUST(o);
        n = json_array_size(json_object_get(o, "items"));
        next = json_object_get(o, "next");
        MUST(n <= q->limit && next);
        q->has_after = json_is_string(next);
        if (q->has_after) {
                const char *s = json_string_value(next);

                MUST(n == q->limit);
                if (!q->by_key)
                        q->after_rank = (unsigned)(*s++ - '0');
                MUST(*s == '.' && strlen(s + 1) < sizeof(q->after_key));
                memcpy(q->after_key, s + 1, strlen(s + 1) + 1);
        }
        json_decref(o);
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *s = strndup((const char *)data, size);
        const struct request q = {.query = s};
        struct listing_query query;
        size_t n_all = 0, n = 0;

        MUST(s);
        if (listing_query_read(&query, &q))
                return 0;
        MUST(query.limit >= 1 && query.limit <= LISTING_LIMIT_MAX);
        MUST(query.after_rank < LISTING_N_RANKS);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                n_all += rank(&query, i) != LISTING_LEFT_OUT;
        (void)page(&query); /* from wherever it begins */
        query.has_after = false;
        do
                n += page(&query);
        while (query.has_after);
        MUST(n == n_all);
        return 0;
}
