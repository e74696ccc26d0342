/* Names whose values are secrets. */

#include "base/redact_scan.h"

#define TAIL_MAX   16u /* of a key's name, without separators; the longest name below fits */
#define NAME(text) text, sizeof(text) - 1, (text)[sizeof(text) - 2]
#define RAW        4u /* so many letters at a name's end stand together, whatever is between the others */

/* Lower case, without '-', '_' and '.'; what a key's name ends with. */
static const struct secret_name {
        const char *name;
        size_t n;
        char last;
        unsigned flags;
        unsigned n_raw; /* where the last four letters are too common: that many; 0: RAW */
} secret_names[] = {
        {NAME("password"),      0,                        0},
        {NAME("passwd"),        0,                        0},
        {NAME("passphrase"),    0,                        0},
        {NAME("passwordhash"),  0,                        0},
        {NAME("pwd"),           0,                        0},
        {NAME("pass"),          NAME_WORD | NAME_SUFFIX,  0},
        {NAME("secret"),        0,                        0},
        {NAME("token"),         NAME_PROSE,               0},
        {NAME("apikey"),        0,                        3},
        {NAME("accesskey"),     0,                        3},
        {NAME("accountkey"),    0,                        3},
        {NAME("authkey"),       0,                        3},
        {NAME("encryptionkey"), 0,                        3},
        {NAME("privatekey"),    0,                        3},
        {NAME("secretkey"),     0,                        3},
        {NAME("secretkeybase"), 0,                        0},
        {NAME("sessionkey"),    0,                        3},
        {NAME("signingkey"),    0,                        3},
        {NAME("credential"),    NAME_PROSE,               6},
        {NAME("credentials"),   NAME_PROSE,               7},
        {NAME("auth"),          NAME_WORD | NAME_PROSE,   0},
        {NAME("authorization"), NAME_PROSE | NAME_SCHEME, 8},
        {NAME("cookie"),        NAME_NUMBERS | NAME_LINE, 0},
        {NAME("requirepass"),   NAME_BUNDLE,              0},
        {NAME("masterauth"),    NAME_BUNDLE,              0},
        {NAME("superdigest"),   NAME_BUNDLE,              0},
        {NAME("zkdigest"),      NAME_BUNDLE,              0},
        {NAME("bindpw"),        NAME_BUNDLE,              0},
        {NAME("rootpw"),        NAME_BUNDLE,              0},
        {NAME("dbpw"),          NAME_BUNDLE,              0},
        {NAME("psk"),           NAME_BUNDLE | NAME_WORD,  0},
        {NAME("masterkey"),     NAME_BUNDLE,              3},
        {NAME("sharedkey"),     NAME_BUNDLE,              3},
        {NAME("storagekey"),    NAME_BUNDLE,              3},
        {NAME("licensekey"),    NAME_BUNDLE,              3},
        {NAME("jsessionid"),    NAME_BUNDLE,              6},
        {NAME("phpsessid"),     NAME_BUNDLE,              6},
        {NAME("amzsignature"),  NAME_BUNDLE,              8},
        {NAME("passwords"),     NAME_BUNDLE | NAME_LIST,  0},
        {NAME("secrets"),       NAME_BUNDLE | NAME_LIST,  0},
        {NAME("tokens"),        NAME_BUNDLE | NAME_LIST,  0},
        {NAME("apikeys"),       NAME_BUNDLE | NAME_LIST,  4},
};

/* The end of a name, folded: "zk.SuperSecret" is "zksupersecret", with a word at z, S and S. */
struct tail {
        char text[TAIL_MAX];
        bool begins_word[TAIL_MAX];
        size_t n;     /* at the end of the arrays */
        size_t n_raw; /* how many letters at the end stand together, at least if under TAIL_MAX */
};

static bool word_begins_at(const struct scan *s, struct span token, size_t i)
{
        return i == token.from || !is_of(s->text[i - 1], CLASS_ALNUM) ||
               (is_of(s->text[i], CLASS_UPPER) && !is_of(s->text[i - 1], CLASS_UPPER));
}

static void tail_of(struct tail *t, const struct scan *s, struct span token)
{
        bool together = true;

        t->n = 0;
        t->n_raw = 0;
        t->text[TAIL_MAX - 1] = '\0';
        for (size_t i = token.to; i > token.from && t->n < TAIL_MAX; i--) {
                if (!is_of(s->text[i - 1], CLASS_ALNUM)) {
                        together = false;
                        continue;
                }
                t->n++;
                t->n_raw += together;
                t->text[TAIL_MAX - t->n] = redact_lower(s->text[i - 1]);
                t->begins_word[TAIL_MAX - t->n] = word_begins_at(s, token, i - 1);
        }
}

static size_t n_raw_of(const struct secret_name *name)
{
        size_t n_raw = name->n_raw ? name->n_raw : RAW;

        return n_raw < name->n ? n_raw : name->n;
}

static bool tail_is(const struct tail *t, const struct secret_name *name, bool bundle)
{
        size_t n = name->n;

        if (t->text[TAIL_MAX - 1] != name->last || t->n < n ||
            memcmp(t->text + TAIL_MAX - n, name->name, n) != 0)
                return false;
        if (name->flags & NAME_WORD && !t->begins_word[TAIL_MAX - n])
                return false;
        if (name->flags & NAME_SUFFIX && t->n == n)
                return false;
        return bundle ? t->n_raw >= n_raw_of(name) : !(name->flags & NAME_BUNDLE);
}

bool names_secret(const struct scan *s, struct span token, unsigned *ret_flags)
{
        struct tail t;

        tail_of(&t, s, token);
        for (size_t i = 0; i < ELEMENTSOF(secret_names); i++)
                if (tail_is(&t, &secret_names[i], s->bundle)) {
                        *ret_flags = secret_names[i].flags;
                        return true;
                }
        /* "[redacted:1f2e3d4c]" is no key, whatever keys the owner has in mind. */
        if (!s->rules || (token.from > s->begin && mask_at(s, token.from - 1) > 0) ||
            !redact_rules_has_key(s->rules, s->text + token.from, token.to - token.from))
                return false;
        *ret_flags = 0;
        return true;
}

bool redact_name_hint(size_t i, struct redact_hint *ret)
{
        size_t n, n_raw;

        if (i >= ELEMENTSOF(secret_names))
                return false;
        n = secret_names[i].n;
        n_raw = n_raw_of(&secret_names[i]);
        *ret = (struct redact_hint){.ends = true};
        memcpy(ret->text, secret_names[i].name + n - n_raw, n_raw);
        return true;
}
