#pragma once

/*
 * Long lists, in pages: which rows, in which order, how many, and from where on. A page ends with a
 * token that names its last row by what it is sorted by, and not by its number: rows that come and go
 * between two pages are neither shown twice nor make others be left out.
 */

#include "api/reply.h"
#include "api/request.h"
#include "base/json_write.h"
#include "model/member.h"

#define LISTING_LIMIT_DEFAULT 500u
#define LISTING_LIMIT_MAX     10000u
#define LISTING_WORD_MAX      256u /* bytes of a value, with its NUL */
#define LISTING_TOKEN_MAX     1024u /* of "after": a rank, and a key of up to a unit's or host's name */

/** What the query says. Members that it did not name are zero, and choose nothing. */
struct listing_query {
        bool has_role, has_health, has_reach, has_code;
        enum diag_role role;
        enum diag_health health;
        enum diag_reach reach;
        enum diag_code code;
        char component[LISTING_WORD_MAX], q[LISTING_WORD_MAX];
        bool by_key; /* sort=address or sort=name; else the worst first */
        unsigned limit;
        bool has_after;
        unsigned after_rank;
        char after_key[LISTING_TOKEN_MAX];
};

/**
 * listing_query_read() - role, health, reach, code, component, q, sort, limit, after
 *
 * Other keys are for newer daemons. Return: NULL, or the key of which the value is none: @ret is then
 * not whole. Pure, fuzzed.
 */
const char *listing_query_read(struct listing_query *ret, const struct request *q);

/** listing_refuse() - 400 for what listing_query_read() returned */
int listing_refuse(struct reply *r, const char *key);

/** listing_matches_text() - does @s contain what q= looks for? Case does not matter. */
bool listing_matches_text(const struct listing_query *query, const char *s);

/** listing_rank() - where a row of this health stands: the worst ones first */
unsigned listing_rank(enum diag_health health) _const_;

#define LISTING_N_RANKS  3u
#define LISTING_LEFT_OUT UINT8_MAX

/** Rows in the order of their keys. */
struct listing {
        size_t n;
        const char *(*key)(const void *data, size_t i);
        /* A rank, or LISTING_LEFT_OUT for a row that was not asked for. */
        uint8_t (*rank)(const void *data, size_t i);
        void (*write)(const void *data, struct json_writer *w, size_t i);
        const void *data;
};

/**
 * listing_write() - "items":[…],"total":n,"next":token or null
 *
 * total counts all that were asked for, on all pages. Failures are in w->out->error.
 */
void listing_write(struct json_writer *w, const struct listing *l,
                   const struct listing_query *query);
