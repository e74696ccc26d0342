#pragma once

/*
 * What is to go into a bundle, as the command line says it: of which nodes, of which time, of what kind, in
 * which format. It is asked of a master as JSON, or handed to the collector of this machine as options.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/string_list.h"

#define BUNDLE_CHOICE_WORDS_MAX 1000u

struct bundle_choice {
        struct string_list nodes, kinds;           /* empty: nothing was said */
        uint64_t since_wall_usec, until_wall_usec; /* 0: nothing was said */
        const char *format, *id;                   /* borrowed; NULL: nothing was said */
        bool no_redact;
};

void bundle_choice_done(struct bundle_choice *c);

/** bundle_choice_add_words() - "a,b": each is one more. 0, or -EINVAL with @e naming @option, -ENOMEM */
int bundle_choice_add_words(struct string_list *words, const char *option, const char *value,
                            struct err *e);

/**
 * bundle_choice_read_time() - "24h" (before now), "now", RFC 3339, "2026-11-21 [10:00[:00]]" and "10:00[:00]" (today); UTC
 * @ret: CLOCK_REALTIME, whole milliseconds
 * Return: 0 or -EINVAL with @e naming @option
 */
int bundle_choice_read_time(uint64_t *ret, const char *option, const char *value,
                            uint64_t now_wall_usec, struct err *e);

/** bundle_choice_check() - what does not go together. 0 or -EINVAL with @e */
int bundle_choice_check(const struct bundle_choice *c, uint64_t now_wall_usec, struct err *e);

/** bundle_choice_guess_format() - of the name of a file: "a.tgz" is a "tar.gz"; NULL: it does not say */
const char *bundle_choice_guess_format(const char *file) _pure_;

/** bundle_choice_write() - the body of POST /bundles: what was said, and nothing else */
void bundle_choice_write(struct buf *out, const struct bundle_choice *c);
