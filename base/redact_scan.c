/* The pass itself: lines, tokens, masks, and private keys, which are the one secret that has lines of its own. */

#include "base/redact_scan.h"

#define LABEL_MAX 64u /* what stands between the dashes of a PEM line */
#define PRIVATE_KEY_LINES \
        1024u /* in a bundle, one that has not ended by then was none; RSA's of 16384 bits have 200 */
#define TAG_BYTES 4u

#define K CLASS_KEY
#define A (CLASS_KEY | CLASS_ALNUM)
#define U (A | CLASS_UPPER)
#define L (A | CLASS_LOWER)
#define D (A | CLASS_DIGIT)
#define E CLASS_AUTHORITY_END
#define B (CLASS_BLANK | E)
#define C CLASS_CLOSING
#define Q (CLASS_QUOTE | C | E)

const uint16_t redact_classes[256] = {
        ['\0'] = B, ['\t' ... '\r'] = B, [' '] = B,         ['"'] = Q,         ['\''] = Q,
        ['`'] = Q,  [','] = C,           [';'] = C,         ['&'] = C,         [')'] = C,
        [']'] = C,  ['}'] = C,           ['>'] = C | E,     ['|'] = C,         ['\\'] = C,
        ['/'] = E,  ['?'] = E,           ['#'] = E,         ['<'] = E,         ['_'] = K,
        ['-'] = K,  ['.'] = K,           ['0' ... '9'] = D, ['A' ... 'Z'] = U, ['a' ... 'z'] = L,
};

#undef K
#undef A
#undef U
#undef L
#undef D
#undef E
#undef B
#undef C
#undef Q

size_t skip_blanks(const struct scan *s, size_t i)
{
        while (i < s->end && is_blank(s->text[i]))
                i++;
        return i;
}

size_t skip_key_chars(const struct scan *s, size_t i)
{
        while (i < s->end && is_key_char(s->text[i]))
                i++;
        return i;
}

/* The span without the blanks at its end. */
struct span trim(const struct scan *s, struct span span)
{
        while (span.to > span.from && is_blank(s->text[span.to - 1]))
                span.to--;
        return span;
}

bool spells(const char *p, const char *word, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (redact_lower(p[i]) != redact_lower(word[i]))
                        return false;
        return true;
}

/* A word of a language has neither digits nor a capital behind a small letter. */
bool looks_random(const struct scan *s, struct span span)
{
        for (size_t i = span.from; i < span.to; i++)
                if (is_of(s->text[i], CLASS_DIGIT) ||
                    (i > span.from && is_of(s->text[i], CLASS_UPPER) &&
                     is_of(s->text[i - 1], CLASS_LOWER)))
                        return true;
        return false;
}

/* How many backslashes stand before @i: JSON in a string of JSON says \". */
size_t n_backslashes_before(const struct scan *s, size_t i, size_t from)
{
        size_t n = 0;

        while (i - n > from && s->text[i - n - 1] == '\\')
                n++;
        return n;
}

/*
 * Where a string ends that was opened by @quote behind @n_level backslashes. Each level of quoting
 * doubles the backslashes, plus one for the quote: of level 1, \" closes and \\\" does not. A quote
 * of a lower level closes the string around ours.
 */
size_t quoted_end(const struct scan *s, size_t from, char quote, size_t n_level)
{
        for (size_t i = from; i < s->end; i++) {
                size_t n;

                if (s->text[i] != quote)
                        continue;
                n = n_backslashes_before(s, i, from);
                if (n < n_level)
                        return i - n;
                if ((n - n_level) / (n_level + 1) % 2 == 0)
                        return i - n_level;
        }
        return s->end;
}

void scan_flush(struct scan *s, size_t to)
{
        if (to > s->copied)
                buf_append(s->out, s->text + s->copied, to - s->copied);
        s->copied = to;
}

static bool is_tag(const char *p)
{
        for (size_t i = 0; i < 2 * (size_t)TAG_BYTES; i++)
                if (!is_of(p[i], CLASS_DIGIT) && (p[i] < 'a' || p[i] > 'f'))
                        return false;
        return true;
}

size_t mask_at(const struct scan *s, size_t i)
{
        size_t n = strlen("[redacted:") + 2 * (size_t)TAG_BYTES;

        if (i >= s->end || s->text[i] != '[')
                return 0;
        if (starts_with(s, i, REDACT_MASK))
                return strlen(REDACT_MASK);
        if (s->end - i <= n || !starts_with(s, i, "[redacted:") || s->text[i + n] != ']' ||
            !is_tag(s->text + i + strlen("[redacted:")))
                return 0;
        return n + 1;
}

bool has_mask_within(const struct scan *s, struct span value)
{
        for (size_t i = value.from; i < value.to; i++)
                if (mask_at(s, i) > 0)
                        return mask_at(s, i) < value.to - value.from;
        return false;
}

/* Without a digest the mask tells nothing, which is less than was asked for, but no secret. */
static void put_mask(struct scan *s, struct span secret)
{
        uint8_t sum[DIGEST_BYTES];
        char hex[DIGEST_HEX];

        if (!s->salt || digest_keyed(s->digest, sum, s->salt, REDACT_SALT_BYTES,
                                     s->text + secret.from, secret.to - secret.from) < 0) {
                buf_puts(s->out, REDACT_MASK);
                return;
        }
        digest_to_hex(hex, sum);
        buf_puts(s->out, "[redacted:");
        buf_append(s->out, hex, 2 * (size_t)TAG_BYTES);
        buf_putc(s->out, ']');
}

/* A mask is copied, to the same effect. */
void mask(struct scan *s, struct span secret)
{
        s->at = secret.to;
        if (s->is_piece && s->carry == CARRY_NOTHING &&
            (s->until == '\n' ? skip_blanks(s, secret.to) : secret.to) == s->end) {
                s->carry = CARRY_VALUE;
                s->at = s->end;
        }
        if (secret.from == secret.to)
                return;
        scan_flush(s, secret.from);
        if (mask_at(s, secret.from) == secret.to - secret.from) {
                scan_flush(s, secret.to);
                return;
        }
        put_mask(s, secret);
        s->copied = secret.to;
        s->n_masked++;
}

/* "RSA PRIVATE KEY-----" or "PGP PRIVATE KEY BLOCK-----" at @i: where it ends, else 0. */
static size_t private_key_label(const struct scan *s, size_t i)
{
        size_t from = i;

        while (i < s->end && i - from < LABEL_MAX &&
               (is_of(s->text[i], CLASS_ALNUM) || s->text[i] == ' '))
                i++;
        if (!starts_with(s, i, "-----") || !memmem(s->text + from, i - from, "PRIVATE KEY", 11))
                return 0;
        return i + strlen("-----");
}

bool private_key_begins(const struct scan *s, size_t i)
{
        return starts_with(s, i, "-----BEGIN ") &&
               private_key_label(s, i + strlen("-----BEGIN ")) > 0;
}

/* Where the key ends on this line, and *ret_after the line that says so; the line's end without one. */
static size_t private_key_end(const struct scan *s, size_t *ret_after)
{
        *ret_after = 0;
        for (size_t i = s->at; i < s->end; i++) {
                const char *p = memmem(s->text + i, s->end - i, "-----END ", 9);

                if (!p)
                        break;
                i = (size_t)(p - s->text);
                *ret_after = private_key_label(s, i + strlen("-----END "));
                if (*ret_after)
                        return i;
        }
        return s->end;
}

/* Masks to the end of the key, or of the line; the blanks at both ends stay. */
static void mask_private_key(struct scan *s)
{
        struct span body = {skip_blanks(s, s->at), 0};
        size_t after;

        body.to = private_key_end(s, &after);
        s->carry = after ? CARRY_NOTHING : CARRY_PRIVATE_KEY;
        if (body.from < body.to)
                mask(s, trim(s, body));
        if (after)
                s->carry = CARRY_NOTHING;
        s->at = after ? after : s->end;
}

static bool rule_private_key(struct scan *s, struct span token)
{
        size_t n = strlen("-----BEGIN");

        if (token.to - token.from < n || !private_key_begins(s, token.to - n))
                return false;
        s->at = private_key_label(s, token.to + 1);
        s->n_key = 0;
        mask_private_key(s);
        return true;
}

/* A journal whose key was cut must not be masked to its last day. */
static void carry_private_key(struct scan *s)
{
        if (s->bundle && s->n_key++ >= PRIVATE_KEY_LINES)
                s->carry = CARRY_NOTHING;
        else
                mask_private_key(s);
}

/* First match wins. Shapes come before names, because a shape needs no guess. */
static const struct {
        bool (*holds)(struct scan *s, struct span token);
        bool bundle;
} rules[] = {
        {rule_private_key, false},
        {rule_aws_key,     false},
        {rule_jwt,         false},
        {rule_vendor,      true },
        {rule_scheme,      false},
        {rule_zookeeper,   true },
        {rule_words,       true },
        {rule_value,       true },
        {rule_key,         false},
        {rule_option,      true },
        {rule_command,     true },
};

static void redact_token(struct scan *s)
{
        struct span token = {s->at, skip_key_chars(s, s->at)};

        for (size_t i = 0; i < ELEMENTSOF(rules); i++)
                if ((s->bundle || !rules[i].bundle) && rules[i].holds(s, token))
                        return;
        s->at = token.to;
}

/* The next place where a rule may hold: a token's first byte, or what begins another shape. */
static size_t next_place(const struct scan *s)
{
        size_t hint;

        if (!s->filter || s->command || s->n_pair)
                return s->at;
        hint = redact_filter_next(s->filter, s->text, s->at, s->end);
        if (hint < s->end && is_key_char(s->text[hint]))
                while (hint > s->at && is_key_char(s->text[hint - 1]))
                        hint--;
        return hint;
}

static void redact_place(struct scan *s)
{
        char c = s->text[s->at];

        s->until = 0;
        if (is_key_char(c)) {
                redact_token(s);
        } else if (c == ':' && starts_with(s, s->at, "://")) {
                redact_url(s);
        } else if (c == '$' && s->bundle) {
                redact_crypt(s);
        } else {
                if (c == '}') { /* of JSON: so much for this object, or the command in it */
                        s->n_pair = 0;
                        s->command = NULL;
                }
                s->at++;
        }
}

/* The line from at, which is its begin or where a filter found something. */
void scan_line(struct scan *s)
{
        if (s->carry == CARRY_PRIVATE_KEY)
                carry_private_key(s);
        else if (s->carry)
                scan_carried(s);
        while (s->at < s->limit) {
                s->at = next_place(s);
                if (s->at < s->limit)
                        redact_place(s);
        }
}
