#pragma once

/*
 * The inside of redaction: one pass over a text, line by line, and within a line token by token. A token is a
 * run of bytes that a key's name may consist of. At each token the rules are asked in turn; the first one that
 * knows it masks and moves on. Only base/redact*.c include this.
 *
 * The idea that keeps it idempotent: a rule finds the end of a secret by what stands behind it, and the mask
 * itself ends nowhere else. The idea that keeps it linear: what a rule looks at ahead of the token it either
 * consumes, or it is a run that no other token looks at. The idea that makes it fast: each rule names hints,
 * and looks at no token that holds none of them, so that a filter may skip what lies between.
 */

#include "base/digest.h"
#include "base/redact.h"
#include "base/redact_filter.h"

enum redact_class {
        CLASS_KEY = 1 << 0, /* may stand in a key's name */
        CLASS_ALNUM = 1 << 1,
        CLASS_BLANK = 1 << 2, /* also NUL, because the words of /proc/PID/cmdline end with it */
        CLASS_UPPER = 1 << 3,
        CLASS_LOWER = 1 << 4,
        CLASS_DIGIT = 1 << 5,
        CLASS_QUOTE = 1 << 6,
        CLASS_CLOSING = 1 << 7,
        CLASS_AUTHORITY_END = 1 << 8, /* of a URL */
};
extern const uint16_t redact_classes[256];

static inline bool is_of(char c, unsigned classes)
{
        return (redact_classes[(uint8_t)c] & classes) != 0;
}

static inline bool is_key_char(char c)
{
        return is_of(c, CLASS_KEY);
}

static inline bool is_blank(char c)
{
        return is_of(c, CLASS_BLANK);
}

static inline char redact_lower(char c)
{
        return is_of(c, CLASS_UPPER) ? (char)(c | 0x20) : c;
}

/* Unlike strchr() it does not find NUL everywhere. */
static inline bool is_one_of(char c, const char *set)
{
        return c != '\0' && strchr(set, c);
}

/* A part of the text. */
struct span {
        size_t from, to;
};

/* What a line leaves behind for the next one, or a long line's piece for the next piece. */
enum carry {
        CARRY_NOTHING,
        CARRY_PRIVATE_KEY, /* we are inside one */
        CARRY_BLOCK,       /* of YAML: all that is indented more than the key */
        CARRY_LIST,        /* of YAML: the items of a list, or one scalar */
        CARRY_ARRAY,       /* of JSON: the strings of an array */
        CARRY_ARGUMENT,    /* the next string is the value of an option */
        CARRY_VALUE,       /* the piece ended within a secret */
};

enum name_flag {
        NAME_WORD = 1 << 0,    /* must begin a word: "x-auth", but not "oauth" */
        NAME_SUFFIX = 1 << 1,  /* never alone: "pass=3" counts, "db_pass=x" opens */
        NAME_PROSE = 1 << 2,   /* sentences have it before a colon: "credentials: Protocol error" */
        NAME_NUMBERS = 1 << 3, /* digits are a counter: D-Bus numbers its messages by cookie */
        NAME_LINE = 1 << 4,    /* as a header, its value lasts to the end of the line */
        NAME_SCHEME = 1 << 5,  /* the value's first word may be a scheme, which stays */
        NAME_BUNDLE = 1 << 6,  /* only where all is looked for */
        NAME_LIST = 1 << 7,    /* a plural: only with a list behind it */
};

struct redact_command;

struct scan {
        struct buf *out;
        const char *text;
        size_t begin;  /* of the line */
        size_t end;    /* of the line, without its newline */
        size_t limit;  /* tokens that begin here or later are left for the next piece; else end */
        size_t at;     /* what is before has been looked at */
        size_t copied; /* what is before has been written: at least to the end of the last secret */
        uint64_t n_masked;

        /* Of a bundle; health has none of it. */
        bool bundle;
        const struct redact_rules *rules;   /* may be NULL */
        const struct redact_filter *filter; /* NULL: each token is looked at */
        const uint8_t *salt;                /* NULL: masks tell nothing */
        struct digest *digest;

        /* Across lines and pieces. */
        enum carry carry;
        bool is_piece;   /* the line goes on behind its end */
        bool is_rest;    /* the line began before its begin */
        size_t indent;   /* of the key, for CARRY_BLOCK and CARRY_LIST */
        unsigned n_key;  /* lines of the private key so far */
        unsigned n_pair; /* lines in which "value" may follow {"name": "DB_PASSWORD" */
        char until; /* what ends the value at hand: a quote behind n_level backslashes, '\n', 0 for a blank */
        size_t n_level;
        size_t no_crypt;                      /* no hash of crypt(3) begins before */
        const struct redact_command *command; /* whose options are on this line */
};

/* redact_scan.c */
size_t mask_at(const struct scan *s, size_t i); /* how long the mask is that stands there, or 0 */
bool has_mask_within(const struct scan *s, struct span value); /* and more besides */
void mask(struct scan *s, struct span secret); /* everything that is masked is masked here */
void scan_flush(struct scan *s, size_t to);
void scan_line(struct scan *s);
bool private_key_begins(const struct scan *s, size_t i);

size_t skip_blanks(const struct scan *s, size_t i);
size_t skip_key_chars(const struct scan *s, size_t i);
bool spells(const char *p, const char *word, size_t n); /* in any case */
struct span trim(const struct scan *s, struct span span);
size_t quoted_end(const struct scan *s, size_t from, char quote, size_t n_level);
size_t n_backslashes_before(const struct scan *s, size_t i, size_t from);
bool looks_random(const struct scan *s, struct span span);

static inline bool starts_with(const struct scan *s, size_t i, const char *word)
{
        size_t n = strlen(word);

        return n <= s->end - i && memcmp(s->text + i, word, n) == 0;
}

/* In any case. */
static inline bool span_is(const struct scan *s, struct span span, const char *word)
{
        size_t n = strlen(word);

        return span.to - span.from == n && spells(s->text + span.from, word, n);
}

/* redact_names.c */
bool names_secret(const struct scan *s, struct span token, unsigned *ret_flags);

/* redact_key.c: names and their values */
bool rule_key(struct scan *s, struct span token);
bool rule_value(struct scan *s, struct span token); /* of a pair, when its name was a secret's */
void mask_strings(struct scan *s, size_t i, enum carry carry);

/* redact_lines.c: what a line before said of this one */
void scan_carried(struct scan *s);
bool carry_block(struct scan *s, struct span name, size_t value);
bool begins_line(const struct scan *s, size_t i);

/* redact_shapes.c: what is a secret by itself */
bool rule_aws_key(struct scan *s, struct span token);
bool rule_jwt(struct scan *s, struct span token);
bool rule_scheme(struct scan *s, struct span token);
bool rule_vendor(struct scan *s, struct span token);
bool rule_zookeeper(struct scan *s, struct span token);
bool rule_words(struct scan *s, struct span token);
size_t password_of(const struct scan *s, struct span user);
void redact_url(struct scan *s);
void redact_crypt(struct scan *s);

/* redact_command.c */
bool rule_command(struct scan *s, struct span token);
bool rule_option(struct scan *s, struct span token);

/* The hints of the tables above, one after the other: false at the end. */
bool redact_name_hint(size_t i, struct redact_hint *ret);
bool redact_shape_hint(size_t i, struct redact_hint *ret);
bool redact_command_hint(size_t i, struct redact_hint *ret);

/* redact_rules.c */
int redact_rules_from_text(struct redact_rules **ret, const char *text, size_t n, const char *name,
                           struct err *e); /* as one file; 0, -EINVAL, -ENOMEM */
bool redact_rules_has_key(const struct redact_rules *rules, const char *name, size_t n);
bool redact_rules_hint(const struct redact_rules *rules, size_t i, struct redact_hint *ret);
bool redact_rules_has_patterns(const struct redact_rules *rules);

/* What a search for patterns needs besides the rules. One thread. */
struct redact_search;
int redact_search_new(struct redact_search **ret, const struct redact_rules *rules);
struct redact_search *redact_search_free(struct redact_search *search);

/**
 * redact_search_next() - the next secret in @n bytes of one line, at or behind @from
 * @i: which pattern
 * A pattern that gives up, because a line was made for that, has found all the rest.
 */
bool redact_search_next(struct redact_search *search, size_t i, const char *line, size_t n,
                        size_t from, bool is_rest, bool is_piece, struct span *ret);
size_t redact_search_n_patterns(const struct redact_search *search);

/* redact.c */
struct redactor_setup {
        const struct redact_rules *rules;
        const uint8_t *salt;
        enum redact_speed speed;
        size_t line_bytes; /* 0: REDACT_LINE_BYTES */
};
int redactor_new_with(struct redactor **ret, const struct redactor_setup *setup);

DEFINE_CLEANUP(struct redact_search *, redact_search_free);
