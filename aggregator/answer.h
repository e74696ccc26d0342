#pragma once

/*
 * What a node has answered, made sense of: from an exchange over HTTP to one of a few kinds. Whatever it
 * sends, the kinds are these, and the text is short. Pure but for its input; fuzzed by way of the decoders.
 */

#include "model/member.h"
#include "net/fetch.h"

#define ANSWER_V2_BYTES_MAX (512u * 1024u)
#define ANSWER_V1_BYTES_MAX (4u * 1024u * 1024u)
#define ANSWER_UNITS_MAX    4096u
#define ANSWER_TEXT_MAX     192u
#define ANSWER_ETAG_MAX     64u

enum answer_kind {
        ANSWER_NONE = 0,  /* nobody answered: text says what happened instead */
        ANSWER_REPORT,    /* a report, as it is now */
        ANSWER_UNCHANGED, /* 304: what it said before still holds */
        ANSWER_NOT_HERE, /* 404: what was asked for is not known there: an older service, perhaps */
        ANSWER_BAD,      /* it answers, with something that is no report, or not for us */
        ANSWER_BUSY,     /* we ourselves could not ask */
};

/** The header fields that mean something, in this order: fetch_request.wanted_headers. */
enum answer_field {
        ANSWER_FIELD_ETAG,
        ANSWER_FIELD_APPLIED, /* Preference-Applied */
        ANSWER_FIELD_AGE,     /* Diag-Confirmed-Age */
        ANSWER_FIELD_DATE,
        ANSWER_N_FIELDS
};
extern const char *const answer_fields[];

struct answer {
        enum answer_kind kind;
        struct diag_report *report; /* of ANSWER_REPORT; a reference */
        char etag[ANSWER_ETAG_MAX]; /* "" without a usable one */
        bool waits;                 /* it would have waited for a change, or has */
        bool lasting; /* of ANSWER_NONE: the failure itself took so long that it counts */
        uint64_t confirmed_age_usec; /* of its facts, as it says; 0 where it says nothing */
        uint64_t date_wall_usec;     /* its clock; 0 not known */
        char text[ANSWER_TEXT_MAX];  /* of ANSWER_NONE, _BAD, _NOT_HERE */
};

/**
 * answer_read() - make sense of @r
 * @protocol: what was asked for
 * @previous: what it said before; NULL: nothing
 * @address:  the node's; of a v1 answer the identity comes from it
 */
void answer_read(struct answer *ret, const struct fetch_result *r, enum diag_protocol protocol,
                 const struct diag_report *previous, const char *address, uint64_t now_wall_usec);
void answer_done(struct answer *a);
