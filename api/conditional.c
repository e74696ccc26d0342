/*
 * Entity tags and preferences. Both are lists that strangers write: what cannot be read is as if it
 * were not there, which costs a full answer, never a wrong one.
 */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "api/conditional.h"

#define INSTANCE_DIGITS 16u

char *etag_format(char buf[static ETAG_MAX], uint64_t instance, uint64_t seq, bool weak)
{
        (void)snprintf(buf, ETAG_MAX, "%s\"%016" PRIx64 ".%" PRIu64 "\"", weak ? "W/" : "",
                       instance, seq);
        return buf;
}

/* Optional white space and empty list elements (RFC 9110 §5.6.1.2). */
static const char *skip_list_space(const char *s)
{
        return s + strspn(s, " \t,");
}

/* "W/" or nothing, then the tag in quotes (RFC 9110 §8.8.3). NULL when there is none at @s. */
static const char *entity_tag(const char *s, const char **ret_opaque, size_t *ret_n)
{
        const char *end;

        if (s[0] == 'W' && s[1] == '/')
                s += 2;
        if (*s++ != '"')
                return NULL;
        end = strchr(s, '"');
        if (!end)
                return NULL;
        *ret_opaque = s;
        *ret_n = (size_t)(end - s);
        return end + 1;
}

/* Only what etag_format() writes: lower case, no leading zeros, no overflow. */
static bool tag_is_ours(const char *opaque, size_t n, uint64_t instance, uint64_t *ret_seq)
{
        char ours[ETAG_MAX];
        uint64_t seq = 0;

        if (n <= INSTANCE_DIGITS + 1 || n >= sizeof(ours))
                return false;
        for (size_t i = INSTANCE_DIGITS + 1; i < n; i++) {
                unsigned digit = (unsigned)(opaque[i] - '0');

                if (digit > 9 || __builtin_mul_overflow(seq, 10u, &seq) ||
                    __builtin_add_overflow(seq, digit, &seq))
                        return false;
        }
        etag_format(ours, instance, seq, false);
        if (strlen(ours) != n + 2 || memcmp(ours + 1, opaque, n) != 0)
                return false;
        *ret_seq = seq;
        return true;
}

enum etag_known etag_known(const char *header, uint64_t instance, uint64_t *ret_seq)
{
        enum etag_known known = ETAG_NONE;
        const char *opaque;
        uint64_t seq, highest = 0;
        size_t n;

        if (!header)
                return ETAG_NONE;
        header = skip_list_space(header);
        if (header[0] == '*' && !*skip_list_space(header + 1))
                return ETAG_ANY;
        while ((header = entity_tag(header, &opaque, &n))) {
                if (tag_is_ours(opaque, n, instance, &seq)) {
                        known = ETAG_KNOWN;
                        highest = seq > highest ? seq : highest;
                }
                header = skip_list_space(header);
        }
        if (known == ETAG_KNOWN)
                *ret_seq = highest;
        return known;
}

static bool is_token_char(char c)
{
        return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_token(const char *s)
{
        while (is_token_char(*s))
                s++;
        return s;
}

static const char *skip_blanks(const char *s)
{
        return s + strspn(s, " \t");
}

/* A string in quotes with '\' escapes; to the end of the header when it is never closed. */
static const char *skip_quoted(const char *s)
{
        for (s++; *s && *s != '"'; s++)
                if (*s == '\\' && s[1])
                        s++;
        return *s ? s + 1 : s;
}

/* One part of the header: a name, and its value without quotes; of escapes we know none. */
struct preference {
        const char *name, *value;
        size_t n_name, n_value;
};

/* preference = token [ BWS "=" BWS word ] (RFC 7240 §2); parameters after ';' look the same. */
static const char *preference_read(const char *s, struct preference *ret)
{
        const char *end = skip_token(s);

        *ret = (struct preference){.name = s, .n_name = (size_t)(end - s)};
        s = skip_blanks(end);
        if (*s != '=')
                return s;
        s = skip_blanks(s + 1);
        end = *s == '"' ? skip_quoted(s) : skip_token(s);
        ret->value = s;
        ret->n_value = (size_t)(end - s);
        if (*s == '"' && ret->n_value >= 2) {
                ret->value++;
                ret->n_value -= 2;
        }
        return skip_blanks(end);
}

static unsigned wait_seconds(const struct preference *p)
{
        unsigned seconds = 0;

        for (size_t i = 0; i < p->n_value; i++) {
                unsigned digit = (unsigned)(p->value[i] - '0');

                if (digit > 9)
                        return 0;
                if (seconds <= WAIT_MAX_SECONDS)
                        seconds = seconds * 10 + digit;
        }
        if (seconds == 0) /* somebody who says that he does not want to wait */
                return 0;
        return seconds > WAIT_MAX_SECONDS ? WAIT_MAX_SECONDS : seconds;
}

_Static_assert(WAIT_MIN_SECONDS == 1, "whole seconds that are not zero are not below the minimum");

unsigned prefer_wait(const char *header)
{
        bool parameter = false; /* after a ';': "foo; wait=5" is foo's wait, not ours */
        struct preference p;
        size_t n_between;

        if (!header)
                return 0;
        for (header = skip_list_space(header); *header;) {
                header = preference_read(header, &p);
                /* The first of several counts (RFC 7240 §2); names are case-insensitive. */
                if (!parameter && p.n_name == strlen("wait") &&
                    strncasecmp(p.name, "wait", p.n_name) == 0)
                        return wait_seconds(&p);
                n_between = strspn(header, " \t,;");
                if (n_between == 0)
                        return 0;
                parameter = !memchr(header, ',', n_between);
                header += n_between;
        }
        return 0;
}
