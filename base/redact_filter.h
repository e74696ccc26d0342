#pragma once

/*
 * Where in a text could a secret stand? Finds the next of a hundred short strings ("hints") at the speed of
 * memory, so that redaction looks only where it may find something. The idea is Teddy's: eight buckets of
 * hints, one bit each; two shuffles by the halves of a byte tell which buckets have a hint with that byte in
 * that place; what four places agree upon is then compared.
 */

#include "base/cleanup.h"

#define REDACT_HINT_MAX 8u /* bytes */

/* What a token must hold for a rule to look at it. */
struct redact_hint {
        char text[REDACT_HINT_MAX + 1]; /* letters in lower case unless exact */
        bool exact;                     /* case matters */
        bool ends;                      /* a byte that no key has follows, or the text's end */
};

/* With which instructions. All find the same. */
enum redact_speed {
        REDACT_BEST,     /* of this machine */
        REDACT_NONE,     /* no filter: each token is looked at */
        REDACT_PORTABLE, /* one byte at a time */
        REDACT_SSSE3,
        REDACT_AVX2,
};

struct redact_filter;

/** redact_filter_new() - -ENOMEM, or -EOPNOTSUPP: this machine has no such instructions. Hints are copied. */
int redact_filter_new(struct redact_filter **ret, const struct redact_hint hints[], size_t n,
                      enum redact_speed speed);
struct redact_filter *redact_filter_free(struct redact_filter *f);

/** redact_filter_next() - where the first hint begins that lies in [@from, @to) of @text; @to without one */
size_t redact_filter_next(const struct redact_filter *f, const char *text, size_t from, size_t to);

DEFINE_CLEANUP(struct redact_filter *, redact_filter_free);
