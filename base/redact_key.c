/*
 * Values by the names of their keys. In doubt a secret is masked; only what a log full of ordinary sentences
 * says is spared, and each exception has its name below.
 */

#include "base/redact_scan.h"

#define PAIR_LINES 3u   /* "value" stands so near "name" when JSON is printed for people */
#define WORD_MAX   256u /* before "password": a user's name */

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

/* What is known of a key when its value is looked at. */
struct key {
        struct span name;
        unsigned flags;
        size_t value;    /* where it begins */
        char separator;  /* '=', ':', or ' ' after an option */
        bool quoted;     /* the name alone, as in JSON */
        char around;     /* the quote that opened before the name and is still open, or 0 */
        size_t n_around; /* backslashes before it */
        char before;     /* the byte before the name */
};

/* How far one may look back: what was masked is not there any more. */
static size_t behind(const struct scan *s)
{
        return s->copied > s->begin ? s->copied : s->begin;
}

static char before_of(const struct scan *s, size_t i)
{
        if (i > behind(s))
                return s->text[i - 1];
        return i > s->begin ? ']' : '\0';
}

/* Passwords have commas and quotes in them: one ends the value only if what follows looks new. */
static bool bare_ends_at(const struct scan *s, size_t i)
{
        char c = s->text[i];
        size_t next = i + 1, n;

        if (is_blank(c))
                return true;
        if (!is_of(c, CLASS_CLOSING))
                return false;
        if (next == s->end || is_blank(s->text[next]) || is_of(s->text[next], CLASS_CLOSING))
                return true;
        if (!is_one_of(c, ",;&"))
                return false;
        /* A name may have been a secret by its shape. */
        for (i = skip_key_chars(s, next); (n = mask_at(s, i)) > 0;)
                i = skip_key_chars(s, i + n);
        return i > next && i < s->end && (s->text[i] == '=' || s->text[i] == ':');
}

static size_t bare_end(const struct scan *s, size_t i)
{
        i += mask_at(s, i);
        while (i < s->end && !bare_ends_at(s, i))
                i += s->bundle && mask_at(s, i) > 0 ? mask_at(s, i) : 1;
        return i;
}

/* An open quote around "KEY=VALUE" ends the value, else the line does. */
static size_t rest_end(struct scan *s, const struct key *k, size_t i)
{
        s->until = k->around ? k->around : '\n';
        s->n_level = k->n_around;
        return k->around ? quoted_end(s, i, k->around, k->n_around) : s->end;
}

/* Skips "Bearer "; *ret_rest: the credentials are several words. */
static size_t skip_scheme(const struct scan *s, size_t i, bool *ret_rest)
{
        struct span word = {i, skip_key_chars(s, i)};
        size_t after = skip_blanks(s, word.to);

        if (after == word.to)
                return i;
        for (size_t k = 0; k < ELEMENTSOF(schemes); k++)
                if (span_is(s, word, schemes[k].name)) {
                        *ret_rest = schemes[k].rest_of_line;
                        return after;
                }
        return i;
}

/* "password = correct horse battery": words to the end of a line that has nothing else, but for a comment. */
static size_t words_end(const struct scan *s, const struct key *k, size_t bare)
{
        size_t i = bare;

        if (!s->bundle || k->separator == ' ' || k->quoted || k->flags & NAME_PROSE ||
            !begins_line(s, k->name.from))
                return bare;
        for (; i < s->end; i++) {
                char c = s->text[i];

                if (c == '#' && is_blank(s->text[i - 1]))
                        return i;
                if (!c || is_one_of(c, "=:\"'`{}[]<>"))
                        return bare;
        }
        return i;
}

static struct span unquoted_value(struct scan *s, const struct key *k)
{
        bool rest = k->flags & NAME_LINE && k->separator == ':';
        struct span value = {k->value, 0};

        if (k->flags & NAME_SCHEME)
                value.from = skip_scheme(s, value.from, &rest);
        if (rest || k->around)
                value.to = rest_end(s, k, value.from);
        else
                value.to = words_end(s, k, bare_end(s, value.from));
        return trim(s, value);
}

static bool is_all(const struct scan *s, struct span span, unsigned classes)
{
        for (size_t i = span.from; i < span.to; i++)
                if (!is_of(s->text[i], classes))
                        return false;
        return true;
}

/* "credentials: Protocol error": a word, and another one behind it. Such a word may have been masked in part. */
static bool is_prose(const struct scan *s, const struct key *k, struct span value)
{
        if (s->bundle && k->separator == ':' && has_mask_within(s, value))
                return true;
        return k->separator == ':' && skip_key_chars(s, value.from) == value.to &&
               value.to < s->end && is_blank(s->text[value.to]) &&
               skip_blanks(s, value.to) < s->end && !looks_random(s, value);
}

/* Values that are not secrets although their key says so. */
static bool is_spared(const struct scan *s, const struct key *k, struct span value)
{
        for (size_t i = 0; i < ELEMENTSOF(no_secrets); i++)
                if (span_is(s, value, no_secrets[i]))
                        return true;
        return (k->flags & NAME_NUMBERS && is_all(s, value, CLASS_DIGIT)) ||
               (k->flags & NAME_PROSE && is_prose(s, k, value));
}

/* '"Enter password:","next": …': the quote ends the string in which the key stands. */
static bool closes_outer(const struct scan *s, const struct key *k, size_t quote)
{
        if (k->quoted || quote + 1 >= s->end)
                return false;
        return is_one_of(s->text[quote + 1], "}]") ||
               (s->text[quote + 1] == ',' && quote + 2 < s->end &&
                (is_of(s->text[quote + 2], CLASS_QUOTE) || s->text[quote + 2] == '\\'));
}

/* What is not masked as a value: a private key has its own rule, members have their own keys. */
static bool is_opaque(const struct scan *s, size_t i)
{
        return private_key_begins(s, i) ||
               ((starts_with(s, i, "{") || starts_with(s, i, "[")) && !mask_at(s, i));
}

/* The strings from @i on, with blanks and commas between them; @carry: what the next line is, if it ends here. */
void mask_strings(struct scan *s, size_t i, enum carry carry)
{
        for (;;) {
                size_t quote;
                struct span value;

                while (i < s->end && (is_blank(s->text[i]) || s->text[i] == ','))
                        i++;
                s->at = i;
                if (i == s->end) {
                        s->carry = carry;
                        return;
                }
                for (quote = i; quote < s->end && s->text[quote] == '\\';)
                        quote++;
                if (quote == s->end || !is_of(s->text[quote], CLASS_QUOTE))
                        return;
                s->until = s->text[quote];
                s->n_level = quote - i;
                value.from = quote + 1;
                value.to = quoted_end(s, value.from, s->until, s->n_level);
                mask(s, value);
                if (carry == CARRY_ARGUMENT || quote - i >= s->end - value.to ||
                    s->text[value.to + (quote - i)] != s->text[quote])
                        return; /* the line's end, or a quote that closes what is around */
                i = value.to + (quote - i) + 1;
        }
}

/*
 * In /proc/PID/environ and cmdline a value ends at a NUL, and may hold anything else. A name that begins
 * behind one, or its line, is such a word's.
 */
static bool mask_word_of_nul(struct scan *s, const struct key *k)
{
        bool begins = k->before == '\0' && (k->name.from > s->begin || !s->is_rest);
        const char *nul;

        if (k->separator == ' ' && (k->value == s->begin || s->text[k->value - 1] != '\0'))
                return false;
        if (!begins || k->separator == ':' || k->value >= s->end)
                return false;
        nul = memchr(s->text + k->value, '\0', s->end - k->value);
        if (!nul && k->name.from == s->begin)
                return false;
        s->at = k->value;
        if (private_key_begins(s, k->value))
                return true;
        s->until = '\n';
        mask(s, (struct span){k->value, nul ? (size_t)(nul - s->text) : s->end});
        return true;
}

static void mask_quoted(struct scan *s, const struct key *k, size_t quote)
{
        struct span value = {quote + 1, 0};

        s->at = quote + 1;
        if (closes_outer(s, k, quote) || private_key_begins(s, quote + 1))
                return;
        s->until = s->text[quote];
        s->n_level = quote - k->value;
        value.to = quoted_end(s, value.from, s->until, s->n_level);
        if (value.from < value.to && !is_spared(s, k, value))
                mask(s, value);
}

static void mask_value(struct scan *s, const struct key *k)
{
        size_t quote = k->value;
        struct span value;

        s->at = k->value;
        if (s->bundle && mask_word_of_nul(s, k))
                return;
        if (s->bundle && starts_with(s, k->value, "[") && !mask_at(s, k->value)) {
                mask_strings(s, k->value + 1, CARRY_ARRAY);
                return;
        }
        while (quote < s->end && s->text[quote] == '\\')
                quote++;
        if (quote < s->end && is_of(s->text[quote], CLASS_QUOTE)) {
                mask_quoted(s, k, quote);
                return;
        }
        if (is_opaque(s, k->value))
                return;
        value = unquoted_value(s, k);
        if (value.from < value.to && !is_spared(s, k, value))
                mask(s, value);
}

/* '=' or ':', also "=>" and ":="; 0 for "==" and "::", which compare and qualify. */
static size_t skip_separator(const struct scan *s, size_t i)
{
        char c = i < s->end ? s->text[i] : '\0', next = i + 1 < s->end ? s->text[i + 1] : '\0';

        if ((c != '=' && c != ':') || next == c)
                return 0;
        return i + 1 + ((c == '=' && next == '>') || (c == ':' && next == '='));
}

/* Finds the value behind "KEY=", "KEY:" or "--KEY ". */
static bool find_value(const struct scan *s, struct key *k)
{
        size_t i = k->name.to, separator;

        while (i < s->end && (is_of(s->text[i], CLASS_QUOTE) || is_one_of(s->text[i], "\\]")))
                i++;
        k->quoted = i > k->name.to;
        separator = skip_blanks(s, i);
        k->value = skip_separator(s, separator);
        if (k->value) {
                k->separator = s->text[separator];
                k->value = skip_blanks(s, k->value);
                return true;
        }
        k->separator = ' ';
        k->value = separator;
        return separator > i && !k->quoted && starts_with(s, k->name.from, "--") &&
               !starts_with(s, separator, "-");
}

/* "passwd: files systemd": nsswitch.conf says where users are looked up. */
static bool names_sources(const struct scan *s, const struct key *k)
{
        static const char *const sources[] = {"files", "compat", "systemd", "sss", "db"};
        struct span word = {k->value, skip_key_chars(s, k->value)};

        for (size_t i = 0; span_is(s, k->name, "passwd") && i < ELEMENTSOF(sources); i++)
                if (span_is(s, word, sources[i]))
                        return word.to == s->end || is_blank(s->text[word.to]);
        return false;
}

/* What looks like a secret's key and is none. */
static bool is_other_key(const struct scan *s, const struct key *k)
{
        /* "http://auth:8080": a host and its port. */
        if (k->separator == ':' && (k->before == '/' || k->before == '@'))
                return true;
        if (s->bundle && k->separator == ':' && names_sources(s, k))
                return true;
        /* The shell's working directory; ODBC has a password there. */
        return (span_is(s, k->name, "PWD") || span_is(s, k->name, "OLDPWD")) &&
               starts_with(s, k->value, "/");
}

/* The word before @i and the blanks between; empty if it is longer than a user's name. */
static struct span word_before(const struct scan *s, size_t i)
{
        struct span word;
        size_t least = behind(s);

        if (i - least > WORD_MAX)
                least = i - WORD_MAX;
        while (i > least && is_blank(s->text[i - 1]))
                i--;
        for (word.from = word.to = i; word.from > least && !is_blank(s->text[word.from - 1]);)
                word.from--;
        return word;
}

/* "machine h login bob password hunter2", "user bob password hunter2" */
static bool follows_user(const struct scan *s, size_t i)
{
        static const char *const words[] = {"login", "user", "username", "account"};
        struct span user = word_before(s, i), word = word_before(s, user.from);

        for (size_t k = 0; user.from < user.to && k < ELEMENTSOF(words); k++)
                if (span_is(s, word, words[k]))
                        return true;
        return false;
}

/* "ENV API_KEY hunter2" of a Dockerfile, "set password hunter2" */
static bool follows_set(const struct scan *s, size_t i)
{
        static const char *const words[] = {"env", "set", "setenv"};
        struct span word = word_before(s, i);

        for (size_t k = 0; k < ELEMENTSOF(words); k++)
                if (span_is(s, word, words[k]))
                        return begins_line(s, word.from);
        return false;
}

/* One word, and the line's end. What was masked in it may have been several words. */
static bool ends_line(const struct scan *s, size_t i)
{
        for (i += mask_at(s, i); i < s->end && !is_blank(s->text[i]); i++)
                if (mask_at(s, i) > 0)
                        return false;
        return skip_blanks(s, i) == s->end;
}

/*
 * "requirepass hunter2", and no other word on the line, or after a user's name; "PASSWORD 'hunter2'" of SQL.
 * Sentences begin with a capital, and names of configuration do not.
 */
static bool find_next_word(const struct scan *s, struct key *k)
{
        struct span word = {skip_blanks(s, k->name.to), 0};
        char c = word.from < s->end ? s->text[word.from] : '\0';

        if (word.from == k->name.to || word.from == s->end || k->flags & (NAME_PROSE | NAME_LIST))
                return false;
        /* An option, or a word of cmdline: rule_option() knows those that take a secret. */
        if (s->text[k->name.from] == '-' || s->text[word.from - 1] == '\0')
                return false;
        k->quoted = false;
        k->separator = ' ';
        k->value = word.from;
        if (c == '\'')
                return true;
        if (follows_set(s, k->name.from))
                return ends_line(s, word.from);
        if (is_of(s->text[k->name.from], CLASS_UPPER))
                return false;
        if (follows_user(s, k->name.from))
                return true;
        if (!begins_line(s, k->name.from))
                return false;
        if (c == '"')
                return true;
        return ends_line(s, word.from);
}

/* "<password>hunter2</password>" */
static bool mask_element(struct scan *s, const struct key *k)
{
        struct span value = {k->name.to + 1, 0};
        const char *end;

        if (k->before != '<' || k->name.to >= s->end || s->text[k->name.to] != '>')
                return false;
        end = memchr(s->text + value.from, '<', s->end - value.from);
        value.to = end ? (size_t)(end - s->text) : s->end;
        s->until = '<';
        s->n_level = 0;
        s->at = value.from;
        if (skip_blanks(s, value.from) < value.to && !private_key_begins(s, value.from))
                mask(s, value);
        return true;
}

/* ["mysql", "--password", "hunter2"] */
static bool mask_argument(struct scan *s, const struct key *k)
{
        size_t i = k->name.to;

        if (!starts_with(s, k->name.from, "--") || !is_of(k->before, CLASS_QUOTE) || i >= s->end ||
            s->text[i] != k->before)
                return false;
        i = skip_blanks(s, i + 1);
        if (i >= s->end || s->text[i] != ',')
                return false;
        s->at = i;
        mask_strings(s, i, CARRY_ARGUMENT);
        return true;
}

static size_t skip_back(const struct scan *s, size_t i, bool (*is)(char c))
{
        while (i > behind(s) && is(s->text[i - 1]))
                i--;
        return i;
}

static bool is_quoting(char c)
{
        return is_of(c, CLASS_QUOTE) || c == '\\';
}

/* '"value": "hunter2", ' before the "name" at @i: what is masked although it is behind us. */
static void mask_value_before(struct scan *s, size_t i)
{
        struct span value, word;
        size_t at = s->at;

        i = skip_back(s, i, is_blank);
        if (i <= s->copied || s->text[i - 1] != ',')
                return;
        i = skip_back(s, i - 1, is_blank);
        if (i <= s->copied || s->text[i - 1] != '"')
                return;
        value.to = i - 1;
        for (value.from = value.to; value.from > s->copied && s->text[value.from - 1] != '"';)
                value.from--;
        if (value.from == s->copied)
                return;
        i = skip_back(s, value.from - 1, is_blank);
        if (i == behind(s) || s->text[i - 1] != ':')
                return;
        word.to = skip_back(s, skip_back(s, i - 1, is_blank), is_quoting);
        word.from = skip_back(s, word.to, is_key_char);
        if (span_is(s, word, "value"))
                mask(s, value);
        s->at = at;
}

/* {"name": "DB_PASSWORD", "value": "hunter2"}, also with a line for each, and in YAML: the token is a name's value. */
static bool rule_pair(struct scan *s, struct span token)
{
        size_t i = skip_back(s, token.from, is_quoting);
        struct span word;

        i = skip_back(s, i, is_blank);
        if (i == behind(s) || !is_one_of(s->text[i - 1], ":=>"))
                return false;
        word.to = skip_back(s, skip_back(s, i - 1, is_blank), is_quoting);
        word.from = skip_back(s, word.to, is_key_char);
        if (!span_is(s, word, "name") && !span_is(s, word, "key"))
                return false;
        s->at = token.to;
        s->n_pair = PAIR_LINES;
        mask_value_before(s, skip_back(s, word.from, is_quoting));
        return true;
}

static struct key key_of(const struct scan *s, struct span token)
{
        return (struct key){
                .name = token,
                .before = before_of(s, token.from),
        };
}

static void mask_found(struct scan *s, struct key *k)
{
        if (is_of(k->before, CLASS_QUOTE) && !k->quoted) {
                k->around = k->before;
                k->n_around = n_backslashes_before(s, k->name.from - 1, behind(s));
        }
        mask_value(s, k);
}

bool rule_value(struct scan *s, struct span token)
{
        struct key k = key_of(s, token);

        if (!s->n_pair || !span_is(s, token, "value"))
                return false;
        if (mask_element(s, &k)) {
                s->n_pair = 0;
                return true;
        }
        if (!find_value(s, &k))
                return false;
        s->n_pair = 0;
        mask_found(s, &k);
        return true;
}

bool rule_key(struct scan *s, struct span token)
{
        struct key k = key_of(s, token);
        bool found;

        if (!names_secret(s, token, &k.flags))
                return false;
        found = find_value(s, &k);
        if (!s->bundle) {
                if (!found || is_other_key(s, &k))
                        return false;
        } else {
                if (!found && (mask_element(s, &k) || mask_argument(s, &k) || rule_pair(s, token)))
                        return true;
                if ((!found && !find_next_word(s, &k)) || is_other_key(s, &k))
                        return false;
                if (k.separator == ':' && carry_block(s, k.name, k.value))
                        return true;
                if (k.flags & NAME_LIST && !starts_with(s, k.value, "["))
                        return false;
        }
        mask_found(s, &k);
        return true;
}
