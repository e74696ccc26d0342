/*
 * Rows come sorted by key, so the worst first takes one walk for each rank, and no sorting. A token is
 * "RANK.KEY", and ".KEY" of a list that is sorted by key alone.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/listing.h"

/* --- the query --------------------------------------------------------------------------------- */

static bool read_role(struct listing_query *ret, const char *s)
{
        ret->has_role = true;
        return diag_role_from_string(s, &ret->role) == 0;
}

static bool read_health(struct listing_query *ret, const char *s)
{
        ret->has_health = true;
        ret->health = diag_health_from_string(s);
        return streq(s, diag_health_to_string(ret->health));
}

static bool read_reach(struct listing_query *ret, const char *s)
{
        ret->has_reach = true;
        ret->reach = diag_reach_from_string(s);
        return streq(s, diag_reach_to_string(ret->reach));
}

static bool read_code(struct listing_query *ret, const char *s)
{
        ret->has_code = true;
        ret->code = diag_code_from_string(s);
        return ret->code != DIAG_CODE_NONE;
}

static bool read_component(struct listing_query *ret, const char *s)
{
        memcpy(ret->component, s, strlen(s) + 1);
        return *s;
}

static bool read_q(struct listing_query *ret, const char *s)
{
        memcpy(ret->q, s, strlen(s) + 1);
        return *s;
}

static bool read_sort(struct listing_query *ret, const char *s)
{
        ret->by_key = streq(s, "address") || streq(s, "name");
        return ret->by_key || streq(s, "health");
}

static bool read_limit(struct listing_query *ret, const char *s)
{
        uint64_t n;

        if (parse_u64(s, 1, LISTING_LIMIT_MAX, &n) < 0)
                return false;
        ret->limit = (unsigned)n;
        return true;
}

static const struct {
        const char *key;
        bool (*read)(struct listing_query *ret, const char *s); /* @s: under LISTING_WORD_MAX */
} keys[] = {
        {"role",      read_role     },
        {"health",    read_health   },
        {"reach",     read_reach    },
        {"code",      read_code     },
        {"component", read_component},
        {"q",         read_q        },
        {"sort",      read_sort     },
        {"limit",     read_limit    },
};

/* It must be one of ours for this order: else a page would begin anywhere. */
static bool read_after(struct listing_query *ret, const struct request *q)
{
        char token[LISTING_TOKEN_MAX];
        const char *key = token;

        if (!request_query(q, "after", token, sizeof(token)))
                return true;
        ret->has_after = true;
        if (!ret->by_key) {
                ret->after_rank = (unsigned)(*key - '0');
                if (*key < '0' || ret->after_rank >= LISTING_N_RANKS)
                        return false;
                key++;
        }
        if (*key++ != '.' || !*key)
                return false;
        memcpy(ret->after_key, key, strlen(key) + 1);
        return true;
}

const char *listing_query_read(struct listing_query *ret, const struct request *q)
{
        char value[LISTING_WORD_MAX];

        *ret = (struct listing_query){.limit = LISTING_LIMIT_DEFAULT};
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (request_query(q, keys[i].key, value, sizeof(value)) &&
                    !keys[i].read(ret, value))
                        return keys[i].key;
        return read_after(ret, q) ? NULL : "after";
}

int listing_refuse(struct reply *r, const char *key)
{
        if (streq(key, "limit"))
                return reply_error(r, 400, "bad-limit", "limit is a number from 1 to %u",
                                   LISTING_LIMIT_MAX);
        if (streq(key, "after"))
                return reply_error(r, 400, "bad-token",
                                   "after is no \"next\" of a list in this order");
        return reply_error(r, 400, "bad-filter", "there is no such %s", key);
}

bool listing_matches_text(const struct listing_query *query, const char *s)
{
        return strcasestr(s, query->q) != NULL;
}

unsigned listing_rank(enum diag_health health)
{
        return health == DIAG_UNHEALTHY ? 0 : health == DIAG_UNKNOWN ? 1 : 2;
}

/* --- the list ---------------------------------------------------------------------------------- */

struct page {
        struct json_writer *w;
        const struct listing *listing;
        const struct listing_query *query;
        uint8_t *ranks;
        size_t n_total;
        unsigned n_written;
        bool more;
        size_t last; /* the last row that was written */
};

static bool choose(struct page *p)
{
        const struct listing *l = p->listing;

        p->ranks = malloc(l->n + 1);
        for (size_t i = 0; p->ranks && i < l->n; i++) {
                p->ranks[i] = l->rank(l->data, i);
                if (p->ranks[i] == LISTING_LEFT_OUT)
                        continue;
                p->n_total++;
                if (p->query->by_key)
                        p->ranks[i] = 0;
        }
        return p->ranks;
}

static bool is_behind(const struct page *p, size_t i)
{
        const struct listing_query *q = p->query;

        if (!q->has_after || p->ranks[i] > q->after_rank)
                return true;
        return p->ranks[i] == q->after_rank &&
               strcmp(p->listing->key(p->listing->data, i), q->after_key) > 0;
}

static void write_rank(struct page *p, uint8_t rank)
{
        for (size_t i = 0; !p->more && i < p->listing->n; i++) {
                if (p->ranks[i] != rank || !is_behind(p, i))
                        continue;
                p->more = p->n_written == p->query->limit;
                if (p->more)
                        break;
                p->listing->write(p->listing->data, p->w, i);
                p->n_written++;
                p->last = i;
        }
}

static void write_next(struct page *p)
{
        _cleanup_(buf_done) struct buf token = {0};

        jw_key(p->w, "next");
        if (!p->more) {
                jw_null(p->w);
                return;
        }
        if (!p->query->by_key)
                buf_printf(&token, "%u", p->ranks[p->last]);
        buf_printf(&token, ".%s", p->listing->key(p->listing->data, p->last));
        jw_string(p->w, buf_cstr(&token));
        if (token.error)
                p->w->out->error = token.error;
}

void listing_write(struct json_writer *w, const struct listing *l,
                   const struct listing_query *query)
{
        struct page p = {.w = w, .listing = l, .query = query};

        if (!choose(&p)) {
                w->out->error = -ENOMEM;
                return;
        }
        jw_key(w, "items");
        jw_begin_array(w);
        for (uint8_t rank = 0; rank < LISTING_N_RANKS; rank++)
                write_rank(&p, rank);
        jw_end_array(w);
        jw_member_uint(w, "total", p.n_total);
        write_next(&p);
        free(p.ranks);
}
