/* What is a secret by its shape, whatever its key is called. */

#include "base/redact_scan.h"

#define CREDENTIAL_MIN 8u  /* a shorter word after "Basic" is a word */
#define AWS_KEY_BYTES  20u /* AKIA or ASIA and 16 more */
#define CRYPT_MIN      8u  /* of a hash of crypt(3), behind its last dollar sign */
#define ACL_BYTES      28u /* base64 of SHA-1 */

/* What the secrets of well-known services begin with. */
static const struct vendor {
        const char *prefix;
        size_t n_min;     /* bytes behind it */
        const char *hint; /* a part of it, four bytes if there are as many */
} vendors[] = {
        {"ghp_",        20, "ghp_"},
        {"gho_",        20, "gho_"},
        {"ghu_",        20, "ghu_"},
        {"ghs_",        20, "ghs_"},
        {"ghr_",        20, "ghr_"},
        {"github_pat_", 20, "_pat"},
        {"glpat-",      16, "lpat"},
        {"xoxb-",       10, "xoxb"},
        {"xoxp-",       10, "xoxp"},
        {"xoxa-",       10, "xoxa"},
        {"xoxr-",       10, "xoxr"},
        {"xoxs-",       10, "xoxs"},
        {"xapp-",       10, "xapp"},
        {"AIza",        30, "AIza"},
        {"ya29.",       20, "ya29"},
        {"GOCSPX-",     20, "GOCS"},
        {"sk_live_",    16, "_liv"},
        {"rk_live_",    16, "_liv"},
        {"sk-proj-",    16, "sk-p"},
        {"sk-ant-",     16, "sk-a"},
        {"npm_",        30, "npm_"},
        {"dckr_pat_",   16, "_pat"},
        {"hvs.",        20, "hvs."},
        {"SG.",         30, "SG." },
};

/* The other rules' hints. */
static const struct redact_hint hints[] = {
        {"begin",  false, true },
        {"AKIA",   true,  false},
        {"ASIA",   true,  false},
        {"eyJ",    true,  false},
        {"arer",   false, true },
        {"basic",  false, true },
        {"digest", false, true },
        {"auth",   false, true },
        {"pass",   false, true },
        {"tified", false, true },
        {"://",    true,  false},
        {"$1$",    true,  false},
        {"$2a$",   true,  false},
        {"$2b$",   true,  false},
        {"$2y$",   true,  false},
        {"$5$",    true,  false},
        {"$6$",    true,  false},
        {"$7$",    true,  false},
        {"$y$",    true,  false},
        {"$gy$",   true,  false},
        {"$apr1$", true,  false},
        {"$argon", true,  false},
};

bool redact_shape_hint(size_t i, struct redact_hint *ret)
{
        if (i < ELEMENTSOF(hints)) {
                *ret = hints[i];
                return true;
        }
        i -= ELEMENTSOF(hints);
        if (i >= ELEMENTSOF(vendors))
                return false;
        *ret = (struct redact_hint){.exact = true};
        memcpy(ret->text, vendors[i].hint, strlen(vendors[i].hint));
        return true;
}

/* One part of a JSON web token ends where the next begins: at a dot. */
static size_t jwt_part_end(const struct scan *s, size_t i)
{
        while (i < s->end && is_key_char(s->text[i]) && s->text[i] != '.')
                i++;
        return i;
}

/* Header and payload are base64 of "{\"…", hence eyJ; then the signature. */
static size_t jwt_end(const struct scan *s, size_t i)
{
        if (!starts_with(s, i, "eyJ"))
                return 0;
        i = jwt_part_end(s, i);
        if (!starts_with(s, i, ".eyJ"))
                return 0;
        i = jwt_part_end(s, i + 1);
        return starts_with(s, i, ".") ? jwt_part_end(s, i + 1) : 0;
}

/* All of them at once: the token is as long as an attacker likes, and each rule scans it again. */
bool rule_jwt(struct scan *s, struct span token)
{
        bool found = false;
        size_t end;

        for (size_t i = token.from; i < token.to;) {
                end = jwt_end(s, i);
                if (end) {
                        mask(s, (struct span){i, end});
                        found = true;
                        i = end;
                }
                i = jwt_part_end(s, i) + 1;
        }
        return found;
}

bool rule_aws_key(struct scan *s, struct span token)
{
        struct span key = {token.from, token.from + AWS_KEY_BYTES};

        if (key.to > token.to || (key.to < token.to && is_of(s->text[key.to], CLASS_ALNUM)) ||
            (!starts_with(s, key.from, "AKIA") && !starts_with(s, key.from, "ASIA")))
                return false;
        for (size_t i = key.from; i < key.to; i++)
                if (!is_of(s->text[i], CLASS_UPPER | CLASS_DIGIT))
                        return false;
        mask(s, key);
        return true;
}

static bool is_vendors(const struct scan *s, struct span token, const struct vendor *v)
{
        size_t n;

        if (s->text[token.from] != v->prefix[0])
                return false;
        n = strlen(v->prefix);
        return token.to - token.from >= n + v->n_min && starts_with(s, token.from, v->prefix) &&
               looks_random(s, (struct span){token.from + n, token.to});
}

bool rule_vendor(struct scan *s, struct span token)
{
        for (size_t i = 0; i < ELEMENTSOF(vendors); i++)
                if (is_vendors(s, token, &vendors[i])) {
                        while (token.to > token.from && s->text[token.to - 1] == '.')
                                token.to--;
                        mask(s, token);
                        return true;
                }
        return false;
}

/* "Basic dXNlcjpwYXNz" without a header's name; "Basic authentication" is a sentence. */
bool rule_scheme(struct scan *s, struct span token)
{
        struct span word = {skip_blanks(s, token.to), 0};

        if (word.from == token.to || (!span_is(s, token, "bearer") && !span_is(s, token, "basic")))
                return false;
        for (word.to = word.from; word.to < s->end; word.to++)
                if (!is_key_char(s->text[word.to]) && !is_one_of(s->text[word.to], "~+/="))
                        break;
        if (word.to - word.from < CREDENTIAL_MIN || !looks_random(s, word))
                return false;
        mask(s, word);
        return true;
}

static struct span word_at(const struct scan *s, size_t i)
{
        struct span word = {skip_blanks(s, i), 0};

        for (word.to = word.from; word.to < s->end && !is_blank(s->text[word.to]) &&
                                  !is_of(s->text[word.to], CLASS_QUOTE);)
                word.to++;
        return word;
}

/* "digest:bob:dGhpcyBpcyBub3QgYSBzZWNyZXQ=:cdrwa": the hash of a name that is known and a password */
static bool mask_acl(struct scan *s, struct span token)
{
        struct span hash;

        if (!starts_with(s, token.to, ":"))
                return false;
        hash.from = skip_key_chars(s, token.to + 1);
        if (!starts_with(s, hash.from, ":"))
                return false;
        for (hash.to = ++hash.from; hash.to < s->end; hash.to++)
                if (!is_of(s->text[hash.to], CLASS_ALNUM) && !is_one_of(s->text[hash.to], "+/="))
                        break;
        if (hash.to - hash.from != ACL_BYTES || s->text[hash.to - 1] != '=')
                return false;
        mask(s, hash);
        return true;
}

/* Behind the colon of "bob:hunter2", or 0; a mask has one, too. */
size_t password_of(const struct scan *s, struct span user)
{
        for (size_t i = user.from; i < user.to && mask_at(s, i) == 0; i++)
                if (s->text[i] == ':')
                        return i + 1;
        return 0;
}

/* "openssl … -passin pass:hunter2" */
static bool mask_pass(struct scan *s, struct span token)
{
        struct span option, word;

        for (option.to = token.from; option.to > s->copied && is_blank(s->text[option.to - 1]);)
                option.to--;
        for (option.from = option.to;
             option.from > s->copied && is_key_char(s->text[option.from - 1]);)
                option.from--;
        if (!span_is(s, option, "-passin") && !span_is(s, option, "-passout"))
                return false;
        if (!starts_with(s, token.to, ":"))
                return false;
        word = word_at(s, token.to + 1);
        if (word.from != token.to + 1 || word.from == word.to)
                return false;
        mask(s, word);
        return true;
}

/* "CREATE USER bob IDENTIFIED BY 'hunter2'" */
static bool mask_identified(struct scan *s, struct span token)
{
        struct span word = word_at(s, token.to), secret;

        if (!span_is(s, word, "by"))
                return false;
        secret.from = skip_blanks(s, word.to) + 1;
        if (secret.from >= s->end || !is_of(s->text[secret.from - 1], CLASS_QUOTE) ||
            private_key_begins(s, secret.from))
                return false;
        s->until = s->text[secret.from - 1];
        s->n_level = 0;
        secret.to = quoted_end(s, secret.from, s->until, 0);
        mask(s, secret);
        return true;
}

/* Words that announce a secret by what stands before or behind them. */
bool rule_words(struct scan *s, struct span token)
{
        if (span_is(s, token, "pass"))
                return mask_pass(s, token);
        return span_is(s, token, "identified") && mask_identified(s, token);
}

/* "addauth digest bob:hunter2", and ACLs */
bool rule_zookeeper(struct scan *s, struct span token)
{
        struct span word;

        if (span_is(s, token, "digest"))
                return mask_acl(s, token);
        if (!span_is(s, token, "addauth"))
                return false;
        word = word_at(s, token.to);
        if (!span_is(s, word, "digest"))
                return false;
        word = word_at(s, word.to);
        word.from = password_of(s, word);
        if (!word.from || word.from == word.to)
                return false;
        if (mask_at(s, word.from) > 0)
                word.to = word.from + mask_at(s, word.from);
        mask(s, word);
        return true;
}

/* The password in "scheme://user:password@host"; it may hold a '@' itself. */
void redact_url(struct scan *s)
{
        size_t from = s->at + strlen("://"), colon = 0, last_at = 0, n;

        s->at = from;
        for (size_t i = from; i < s->end && !is_of(s->text[i], CLASS_AUTHORITY_END); i++) {
                char c = s->text[i];

                /* What was masked before may have held a byte that ended the authority. */
                n = c == '[' ? mask_at(s, i) : 0;
                if (n > 0) {
                        if (colon + 1 == i && starts_with(s, i + n, "@"))
                                last_at = i + n;
                        break;
                }
                if (c == ':' && !colon)
                        colon = i;
                if (c == '@')
                        last_at = i;
        }
        if (colon && last_at > colon)
                mask(s, (struct span){colon + 1, last_at});
}

static bool begins_crypt(const struct scan *s, size_t i)
{
        for (size_t k = 0; k < ELEMENTSOF(hints); k++)
                if (hints[k].text[0] == '$' && starts_with(s, i, hints[k].text))
                        return true;
        return false;
}

/* "$6$salt$hash" of crypt(3) and its kin, the salt too */
void redact_crypt(struct scan *s)
{
        struct span hash = {s->at, s->at};
        size_t last = 0, n_dollars = 0;

        s->at++;
        if (hash.from < s->no_crypt || !begins_crypt(s, hash.from))
                return;
        for (; hash.to < s->end; hash.to++) {
                if (s->text[hash.to] == '$') {
                        last = hash.to;
                        n_dollars++;
                } else if (!is_key_char(s->text[hash.to]) && !is_one_of(s->text[hash.to], "/=,+")) {
                        break;
                }
        }
        if (n_dollars >= 3 && hash.to - last > CRYPT_MIN && mask_at(s, hash.to) == 0)
                mask(s, hash);
        else
                s->no_crypt = hash.to; /* what begins later ends here, too, and is shorter */
}
