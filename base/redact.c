/*
 * Redaction. One pass, line by line, and within a line token by token: a token is a run of bytes
 * that a key's name may consist of. At each token the rules are asked in turn; the first one that
 * knows it masks and moves on. All that crosses a line is whether we are inside a private key, so
 * that the caller may later feed lines as they come.
 *
 * The idea that keeps it idempotent: a rule finds the end of a secret by what stands behind it, and
 * the mask itself ends nowhere else. The idea that keeps it linear: what a rule looks at ahead of
 * the token it either consumes, or it is a run that no other token looks at.
 *
 * In doubt a secret is masked; only what a log full of ordinary sentences says is spared, and each
 * exception has its name below.
 */

#include <ctype.h>
#include <strings.h>

#include "base/redact.h"

#define TAIL_MAX       16 /* of a key's name, without separators; the longest name below fits */
#define LABEL_MAX      64 /* what stands between the dashes of a PEM line */
#define CREDENTIAL_MIN 8  /* a shorter word after "Basic" is a word */
#define AWS_KEY_BYTES  20 /* AKIA or ASIA and 16 more */

enum name_flag {
        NAME_WORD = 1 << 0,    /* must begin a word: "x-auth", but not "oauth" */
        NAME_SUFFIX = 1 << 1,  /* never alone: "pass=3" counts, "db_pass=x" opens */
        NAME_PROSE = 1 << 2,   /* sentences have it before a colon: "credentials: Protocol error" */
        NAME_NUMBERS = 1 << 3, /* digits are a counter: D-Bus numbers its messages by cookie */
        NAME_LINE = 1 << 4,    /* as a header, its value lasts to the end of the line */
        NAME_SCHEME = 1 << 5,  /* the value's first word may be a scheme, which stays */
};

/* Lower case, without '-', '_' and '.'; what a key's name ends with. */
static const struct {
        const char *name;
        unsigned flags;
} secret_names[] = {
        {"password",      0                       },
        {"passwd",        0                       },
        {"passphrase",    0                       },
        {"passwordhash",  0                       },
        {"pwd",           0                       },
        {"pass",          NAME_WORD | NAME_SUFFIX },
        {"secret",        0                       },
        {"token",         NAME_PROSE              },
        {"apikey",        0                       },
        {"accesskey",     0                       },
        {"accountkey",    0                       },
        {"authkey",       0                       },
        {"encryptionkey", 0                       },
        {"privatekey",    0                       },
        {"secretkey",     0                       },
        {"secretkeybase", 0                       },
        {"sessionkey",    0                       },
        {"signingkey",    0                       },
        {"credential",    NAME_PROSE              },
        {"credentials",   NAME_PROSE              },
        {"auth",          NAME_WORD | NAME_PROSE  },
        {"authorization", NAME_PROSE | NAME_SCHEME},
        {"cookie",        NAME_NUMBERS | NAME_LINE},
};

static const struct {
        const char *name;
        bool rest_of_line; /* a list of parameters, not one word */
} schemes[] = {
        {"basic",            false},
        {"bearer",           false},
        {"negotiate",        false},
        {"token",            false},
        {"digest",           true },
        {"aws4-hmac-sha256", true },
};

/* Values that tell nothing but that there is no secret. */
static const char *const no_secrets[] = {
        "null",
        "nil",
        "none",
        "true",
        "false",
        "yes",
        "no",
        /* YAML: the value stands on the lines that follow. */
        "|",
        "|-",
        ">",
        ">-",
};

struct redactor {
        struct buf *out;
        const char *text;
        size_t end;    /* of the line, without its newline */
        size_t at;     /* what is before has been looked at */
        size_t copied; /* what is before has been written: at least to the end of the last secret */
        size_t n_masked;
        bool in_private_key;
};

/* A part of the text. */
struct span {
        size_t from, to;
};

static bool is_alnum(char c)
{
        return isalnum((unsigned char)c) != 0;
}

static bool is_key_char(char c)
{
        return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* NUL, because the words of /proc/PID/cmdline end with it. */
static bool is_blank(char c)
{
        return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static bool is_quote(char c)
{
        return c == '"' || c == '\'' || c == '`';
}

/* Unlike strchr() it does not find NUL everywhere. */
static bool is_one_of(char c, const char *set)
{
        return c != '\0' && strchr(set, c);
}

static bool is_closing(char c)
{
        return is_quote(c) || is_one_of(c, ",;&)]}>|\\");
}

static size_t skip_blanks(const struct redactor *r, size_t i)
{
        while (i < r->end && is_blank(r->text[i]))
                i++;
        return i;
}

static size_t skip_key_chars(const struct redactor *r, size_t i)
{
        while (i < r->end && is_key_char(r->text[i]))
                i++;
        return i;
}

static bool starts_with(const struct redactor *r, size_t i, const char *s)
{
        size_t n = strlen(s);

        return n <= r->end - i && memcmp(r->text + i, s, n) == 0;
}

/* The span without the blanks at its end. */
static struct span trim(const struct redactor *r, struct span s)
{
        while (s.to > s.from && is_blank(r->text[s.to - 1]))
                s.to--;
        return s;
}

static bool span_is(const struct redactor *r, struct span s, const char *word)
{
        return s.to - s.from == strlen(word) &&
               strncasecmp(r->text + s.from, word, s.to - s.from) == 0;
}

static void flush(struct redactor *r, size_t to)
{
        buf_append(r->out, r->text + r->copied, to - r->copied);
        r->copied = to;
}

/* Everything that is masked is masked here. A mask is copied, to the same effect. */
static void mask(struct redactor *r, struct span s)
{
        r->at = s.to;
        if (s.from == s.to)
                return;
        flush(r, s.from);
        if (span_is(r, s, REDACT_MASK)) {
                flush(r, s.to);
                return;
        }
        buf_puts(r->out, REDACT_MASK);
        r->copied = s.to;
        r->n_masked++;
}

/* "RSA PRIVATE KEY-----" or "PGP PRIVATE KEY BLOCK-----" at @i: where it ends, else 0. */
static size_t private_key_label(const struct redactor *r, size_t i)
{
        size_t from = i;

        while (i < r->end && i - from < LABEL_MAX && (is_alnum(r->text[i]) || r->text[i] == ' '))
                i++;
        if (!starts_with(r, i, "-----") || !memmem(r->text + from, i - from, "PRIVATE KEY", 11))
                return 0;
        return i + strlen("-----");
}

static bool private_key_begins(const struct redactor *r, size_t i)
{
        return starts_with(r, i, "-----BEGIN ") &&
               private_key_label(r, i + strlen("-----BEGIN ")) > 0;
}

/* Masks to the end of the key, or of the line; the blanks at both ends stay. */
static void mask_private_key(struct redactor *r)
{
        struct span body = {skip_blanks(r, r->at), r->end};
        size_t after = 0;

        for (size_t i = r->at; i < r->end && !after; i++) {
                const char *p = memmem(r->text + i, r->end - i, "-----END ", 9);

                if (!p)
                        break;
                i = (size_t)(p - r->text);
                after = private_key_label(r, i + strlen("-----END "));
                if (after)
                        body.to = i;
        }
        if (body.from < body.to)
                mask(r, trim(r, body));
        r->in_private_key = !after;
        r->at = after ? after : r->end;
}

static bool rule_private_key(struct redactor *r, struct span token)
{
        size_t n = strlen("-----BEGIN");

        if (token.to - token.from < n || !private_key_begins(r, token.to - n))
                return false;
        r->at = private_key_label(r, token.to + 1);
        mask_private_key(r);
        return true;
}

/* One part of a JSON web token ends where the next begins: at a dot. */
static size_t jwt_part_end(const struct redactor *r, size_t i)
{
        while (i < r->end && is_key_char(r->text[i]) && r->text[i] != '.')
                i++;
        return i;
}

/* Header and payload are base64 of "{\"…", hence eyJ; then the signature. */
static size_t jwt_end(const struct redactor *r, size_t i)
{
        if (!starts_with(r, i, "eyJ"))
                return 0;
        i = jwt_part_end(r, i);
        if (!starts_with(r, i, ".eyJ"))
                return 0;
        i = jwt_part_end(r, i + 1);
        return starts_with(r, i, ".") ? jwt_part_end(r, i + 1) : 0;
}

/* All of them at once: the token is as long as an attacker likes, and each rule scans it again. */
static bool rule_jwt(struct redactor *r, struct span token)
{
        bool found = false;
        size_t end;

        for (size_t i = token.from; i < token.to;) {
                end = jwt_end(r, i);
                if (end) {
                        mask(r, (struct span){i, end});
                        found = true;
                        i = end;
                }
                i = jwt_part_end(r, i) + 1;
        }
        return found;
}

static bool rule_aws_key(struct redactor *r, struct span token)
{
        struct span key = {token.from, token.from + AWS_KEY_BYTES};

        if (key.to > token.to || (key.to < token.to && is_alnum(r->text[key.to])) ||
            (!starts_with(r, key.from, "AKIA") && !starts_with(r, key.from, "ASIA")))
                return false;
        for (size_t i = key.from; i < key.to; i++)
                if (!isupper((unsigned char)r->text[i]) && !isdigit((unsigned char)r->text[i]))
                        return false;
        mask(r, key);
        return true;
}

/* A word of a language has neither digits nor a capital behind a small letter. */
static bool looks_random(const struct redactor *r, struct span s)
{
        for (size_t i = s.from; i < s.to; i++)
                if (isdigit((unsigned char)r->text[i]) ||
                    (i > s.from && isupper((unsigned char)r->text[i]) &&
                     islower((unsigned char)r->text[i - 1])))
                        return true;
        return false;
}

/* "Basic dXNlcjpwYXNz" without a header's name; "Basic authentication" is a sentence. */
static bool rule_scheme(struct redactor *r, struct span token)
{
        struct span s = {skip_blanks(r, token.to), 0};

        if (s.from == token.to || (!span_is(r, token, "bearer") && !span_is(r, token, "basic")))
                return false;
        for (s.to = s.from; s.to < r->end; s.to++)
                if (!is_key_char(r->text[s.to]) && !is_one_of(r->text[s.to], "~+/="))
                        break;
        if (s.to - s.from < CREDENTIAL_MIN || !looks_random(r, s))
                return false;
        mask(r, s);
        return true;
}

/* The end of a name, folded: "zk.SuperSecret" is "zksupersecret", with a word at z, S and S. */
struct tail {
        char text[TAIL_MAX];
        bool begins_word[TAIL_MAX];
        size_t n; /* at the end of the arrays */
};

static bool word_begins_at(const struct redactor *r, struct span token, size_t i)
{
        return i == token.from || !is_alnum(r->text[i - 1]) ||
               (isupper((unsigned char)r->text[i]) && !isupper((unsigned char)r->text[i - 1]));
}

static struct tail tail_of(const struct redactor *r, struct span token)
{
        struct tail t = {.n = 0};

        for (size_t i = token.to; i > token.from && t.n < TAIL_MAX; i--) {
                if (!is_alnum(r->text[i - 1]))
                        continue;
                t.n++;
                t.text[TAIL_MAX - t.n] = (char)tolower((unsigned char)r->text[i - 1]);
                t.begins_word[TAIL_MAX - t.n] = word_begins_at(r, token, i - 1);
        }
        return t;
}

/* Whether @token names a secret, and what is peculiar about it. */
static bool names_secret(const struct redactor *r, struct span token, unsigned *ret_flags)
{
        struct tail t = tail_of(r, token);

        for (size_t i = 0; i < ELEMENTSOF(secret_names); i++) {
                size_t n = strlen(secret_names[i].name);
                unsigned flags = secret_names[i].flags;

                if (t.n < n || memcmp(t.text + TAIL_MAX - n, secret_names[i].name, n) != 0)
                        continue;
                if ((flags & NAME_WORD && !t.begins_word[TAIL_MAX - n]) ||
                    (flags & NAME_SUFFIX && t.n == n))
                        continue;
                *ret_flags = flags;
                return true;
        }
        return false;
}

/* How many backslashes stand before @i: JSON in a string of JSON says \". */
static size_t n_backslashes_before(const struct redactor *r, size_t i, size_t from)
{
        size_t n = 0;

        while (i - n > from && r->text[i - n - 1] == '\\')
                n++;
        return n;
}

/*
 * Where a string ends that was opened by @quote behind @n_level backslashes. Each level of quoting
 * doubles the backslashes, plus one for the quote: of level 1, \" closes and \\\" does not. A quote
 * of a lower level closes the string around ours.
 */
static size_t quoted_end(const struct redactor *r, size_t from, char quote, size_t n_level)
{
        for (size_t i = from; i < r->end; i++) {
                size_t n;

                if (r->text[i] != quote)
                        continue;
                n = n_backslashes_before(r, i, from);
                if (n < n_level)
                        return i - n;
                if ((n - n_level) / (n_level + 1) % 2 == 0)
                        return i - n_level;
        }
        return r->end;
}

/* Passwords have commas and quotes in them: one ends the value only if what follows looks new. */
static bool bare_ends_at(const struct redactor *r, size_t i)
{
        char c = r->text[i];
        size_t next = i + 1;

        if (is_blank(c))
                return true;
        if (!is_closing(c))
                return false;
        if (next == r->end || is_blank(r->text[next]) || is_closing(r->text[next]))
                return true;
        if (!is_one_of(c, ",;&"))
                return false;
        /* A name may have been a secret by its shape. */
        for (i = skip_key_chars(r, next); starts_with(r, i, REDACT_MASK);)
                i = skip_key_chars(r, i + strlen(REDACT_MASK));
        return i > next && i < r->end && (r->text[i] == '=' || r->text[i] == ':');
}

static size_t bare_end(const struct redactor *r, size_t i)
{
        if (starts_with(r, i, REDACT_MASK))
                i += strlen(REDACT_MASK);
        while (i < r->end && !bare_ends_at(r, i))
                i++;
        return i;
}

/* What is known of a key when its value is looked at. */
struct key {
        struct span name;
        unsigned flags;
        size_t value;    /* where it begins */
        char separator;  /* '=', ':', or ' ' after an option */
        bool quoted;     /* the name alone, as in JSON */
        char around;     /* the quote that opened before the name and is still open, or 0 */
        size_t n_around; /* backslashes before it */
};

/* An open quote around "KEY=VALUE" ends the value, else the line does. */
static size_t rest_end(const struct redactor *r, const struct key *k, size_t i)
{
        return k->around ? quoted_end(r, i, k->around, k->n_around) : r->end;
}

/* Skips "Bearer "; *ret_rest: the credentials are several words. */
static size_t skip_scheme(const struct redactor *r, size_t i, bool *ret_rest)
{
        struct span word = {i, skip_key_chars(r, i)};
        size_t after = skip_blanks(r, word.to);

        if (after == word.to)
                return i;
        for (size_t k = 0; k < ELEMENTSOF(schemes); k++)
                if (span_is(r, word, schemes[k].name)) {
                        *ret_rest = schemes[k].rest_of_line;
                        return after;
                }
        return i;
}

static struct span unquoted_value(const struct redactor *r, const struct key *k)
{
        bool rest = k->flags & NAME_LINE && k->separator == ':';
        struct span s = {k->value, 0};

        if (k->flags & NAME_SCHEME)
                s.from = skip_scheme(r, s.from, &rest);
        s.to = rest || k->around ? rest_end(r, k, s.from) : bare_end(r, s.from);
        return trim(r, s);
}

static bool is_all(const struct redactor *r, struct span s, int (*is)(int))
{
        for (size_t i = s.from; i < s.to; i++)
                if (!is((unsigned char)r->text[i]))
                        return false;
        return true;
}

/* "credentials: Protocol error": a word, and another one behind it. */
static bool is_prose(const struct redactor *r, const struct key *k, struct span s)
{
        return k->separator == ':' && skip_key_chars(r, s.from) == s.to && s.to < r->end &&
               is_blank(r->text[s.to]) && skip_blanks(r, s.to) < r->end && !looks_random(r, s);
}

/* Values that are not secrets although their key says so. */
static bool is_spared(const struct redactor *r, const struct key *k, struct span s)
{
        for (size_t i = 0; i < ELEMENTSOF(no_secrets); i++)
                if (span_is(r, s, no_secrets[i]))
                        return true;
        return (k->flags & NAME_NUMBERS && is_all(r, s, isdigit)) ||
               (k->flags & NAME_PROSE && is_prose(r, k, s));
}

/* '"Enter password:","next": …': the quote ends the string in which the key stands. */
static bool closes_outer(const struct redactor *r, const struct key *k, size_t quote)
{
        if (k->quoted || quote + 1 >= r->end)
                return false;
        return is_one_of(r->text[quote + 1], "}]") ||
               (r->text[quote + 1] == ',' && quote + 2 < r->end &&
                (is_quote(r->text[quote + 2]) || r->text[quote + 2] == '\\'));
}

/* What is not masked as a value: a private key has its own rule, members have their own keys. */
static bool is_opaque(const struct redactor *r, size_t i)
{
        return private_key_begins(r, i) || ((starts_with(r, i, "{") || starts_with(r, i, "[")) &&
                                            !starts_with(r, i, REDACT_MASK));
}

static void mask_value(struct redactor *r, const struct key *k)
{
        size_t quote = k->value;
        struct span s;

        while (quote < r->end && r->text[quote] == '\\')
                quote++;
        r->at = k->value;
        if (quote < r->end && is_quote(r->text[quote])) {
                r->at = quote + 1;
                if (closes_outer(r, k, quote) || private_key_begins(r, quote + 1))
                        return;
                s.from = quote + 1;
                s.to = quoted_end(r, s.from, r->text[quote], quote - k->value);
        } else {
                if (is_opaque(r, k->value))
                        return;
                s = unquoted_value(r, k);
        }
        if (s.from < s.to && !is_spared(r, k, s))
                mask(r, s);
}

/* '=' or ':', also "=>" and ":="; 0 for "==" and "::", which compare and qualify. */
static size_t skip_separator(const struct redactor *r, size_t i)
{
        char c = i < r->end ? r->text[i] : '\0', next = i + 1 < r->end ? r->text[i + 1] : '\0';

        if ((c != '=' && c != ':') || next == c)
                return 0;
        return i + 1 + ((c == '=' && next == '>') || (c == ':' && next == '='));
}

/* Finds the value behind "KEY=", "KEY:" or "--KEY ". */
static bool find_value(const struct redactor *r, struct key *k)
{
        size_t i = k->name.to, separator;

        while (i < r->end && (is_quote(r->text[i]) || is_one_of(r->text[i], "\\]")))
                i++;
        k->quoted = i > k->name.to;
        separator = skip_blanks(r, i);
        k->value = skip_separator(r, separator);
        if (k->value) {
                k->separator = r->text[separator];
                k->value = skip_blanks(r, k->value);
                return true;
        }
        k->separator = ' ';
        k->value = separator;
        return separator > i && !k->quoted && starts_with(r, k->name.from, "--") &&
               !starts_with(r, separator, "-");
}

/* What looks like a secret's key and is none. */
static bool is_other_key(const struct redactor *r, const struct key *k, char before)
{
        /* "http://auth:8080": a host and its port. */
        if (k->separator == ':' && (before == '/' || before == '@'))
                return true;
        /* The shell's working directory; ODBC has a password there. */
        return (span_is(r, k->name, "PWD") || span_is(r, k->name, "OLDPWD")) &&
               starts_with(r, k->value, "/");
}

static bool rule_key(struct redactor *r, struct span token)
{
        struct key k = {.name = token};
        char before = token.from > 0 ? r->text[token.from - 1] : '\0';

        if (!names_secret(r, token, &k.flags) || !find_value(r, &k) || is_other_key(r, &k, before))
                return false;
        if (is_quote(before) && !k.quoted) {
                k.around = before;
                k.n_around = n_backslashes_before(r, token.from - 1, r->copied);
        }
        mask_value(r, &k);
        return true;
}

/* First match wins. Shapes come before names, because a shape needs no guess. */
static bool (*const rules[])(struct redactor *r, struct span token) = {
        rule_private_key, rule_aws_key, rule_jwt, rule_scheme, rule_key,
};

static void redact_token(struct redactor *r)
{
        struct span token = {r->at, skip_key_chars(r, r->at)};

        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if (rules[i](r, token))
                        return;
        r->at = token.to;
}

/* The password in "scheme://user:password@host"; it may hold a '@' itself. */
static void redact_url(struct redactor *r)
{
        size_t from = r->at + strlen("://"), colon = 0, last_at = 0;

        r->at = from;
        for (size_t i = from; i < r->end && !is_blank(r->text[i]); i++) {
                char c = r->text[i];

                if (is_one_of(c, "/?#<>\"'`"))
                        break;
                /* What was masked before may have held a byte that ended the authority. */
                if (starts_with(r, i, REDACT_MASK)) {
                        if (colon + 1 == i && starts_with(r, i, REDACT_MASK "@"))
                                last_at = i + strlen(REDACT_MASK);
                        break;
                }
                if (c == ':' && !colon)
                        colon = i;
                if (c == '@')
                        last_at = i;
        }
        if (colon && last_at > colon)
                mask(r, (struct span){colon + 1, last_at});
}

static void redact_line(struct redactor *r)
{
        if (r->in_private_key)
                mask_private_key(r);
        while (r->at < r->end) {
                if (is_key_char(r->text[r->at]))
                        redact_token(r);
                else if (starts_with(r, r->at, "://"))
                        redact_url(r);
                else
                        r->at++;
        }
}

size_t redact_append(struct buf *out, const char *text, size_t n)
{
        struct redactor r = {.out = out, .text = text};
        const char *newline;

        while (r.at < n) {
                newline = memchr(text + r.at, '\n', n - r.at);
                r.end = newline ? (size_t)(newline - text) : n;
                redact_line(&r);
                r.at = newline ? r.end + 1 : n;
        }
        flush(&r, n);
        return r.n_masked;
}
