/* Options of commands that take a secret after a single letter, which means something else everywhere else. */

#include "base/redact_scan.h"

/* Once a command was named, each token of its line is looked at. */
static const struct redact_command {
        const char *name;
        const char *options; /* the letters */
        const char *users;   /* letters of options that take USER:PASSWORD */
        const char *long_users[2];
        struct redact_hint hint;
        bool begins; /* "mysql" of "mysqldump" as well */
        bool joined; /* "-pSECRET"; "-p SECRET" asks, and connects to a database of that name */
} commands[] = {
        {"mysql",     "p", "",   {0},                    {"mysq", false, false}, true,  true },
        {"mariadb",   "p", "",   {0},                    {"riad", false, false}, true,  true },
        {"sshpass",   "p", "",   {0},                    {"hpass", false, true}, false, false},
        {"redis-cli", "a", "",   {0},                    {"s-cli", false, true}, false, false},
        {"mongo",     "p", "",   {0},                    {"mong", false, false}, true,  false},
        {"ldap",      "w", "",   {0},                    {"ldap", false, false}, true,  false},
        {"ipmitool",  "P", "",   {0},                    {"itool", false, true}, false, false},
        {"login",     "p", "",   {0},                    {"login", false, true}, false, false},
        {"curl",      "",  "uU", {"user", "proxy-user"}, {"curl", false, true},  false, false},
};

bool redact_command_hint(size_t i, struct redact_hint *ret)
{
        if (i >= ELEMENTSOF(commands))
                return false;
        *ret = commands[i].hint;
        return true;
}

static bool is_command(const struct scan *s, struct span token, const struct redact_command *c)
{
        struct span name = token;

        if (redact_lower(s->text[token.from]) != c->name[0])
                return false;
        if (c->begins && name.to - name.from > strlen(c->name))
                name.to = name.from + strlen(c->name);
        return span_is(s, name, c->name);
}

bool rule_command(struct scan *s, struct span token)
{
        for (size_t i = 0; i < ELEMENTSOF(commands); i++)
                if (is_command(s, token, &commands[i])) {
                        s->command = &commands[i];
                        s->at = token.to;
                        return true;
                }
        return false;
}

static bool is_long_user(const struct scan *s, struct span token)
{
        for (size_t i = 0; i < ELEMENTSOF(s->command->long_users); i++)
                if (s->command->long_users[i] &&
                    span_is(s, (struct span){token.from + 2, token.to}, s->command->long_users[i]))
                        return true;
        return false;
}

/* To the next argument's first byte: behind blanks, NULs, and what stands between the strings of an array. */
static size_t next_argument(const struct scan *s, size_t i, char *ret_quote)
{
        *ret_quote = 0;
        while (i < s->end && (is_blank(s->text[i]) || is_one_of(s->text[i], "\"',="))) {
                *ret_quote = is_of(s->text[i], CLASS_QUOTE) ? s->text[i] : 0;
                i++;
        }
        return i;
}

/* Its word began behind a NUL, and ends before the next one. */
static bool is_word_of_nul(const struct scan *s, size_t i)
{
        while (i > s->begin && is_key_char(s->text[i - 1]))
                i--;
        return i > s->begin && s->text[i - 1] == '\0';
}

static size_t argument_end(const struct scan *s, size_t i, char quote)
{
        bool nul = !quote && is_word_of_nul(s, i);

        if (quote)
                return quoted_end(s, i, quote, 0);
        i += mask_at(s, i);
        while (i < s->end && s->text[i] != '\0' &&
               (nul || (!is_blank(s->text[i]) && !is_of(s->text[i], CLASS_QUOTE))))
                i++;
        return i;
}

static bool mask_argument(struct scan *s, size_t i, char quote, bool is_user)
{
        struct span value = {i, argument_end(s, i, quote)};

        if (is_user) {
                value.from = password_of(s, value);
                if (!value.from)
                        return false;
        }
        /* A shape that was masked in the option's own token left a rest that was not looked at. */
        if (value.from >= value.to || private_key_begins(s, value.from) ||
            has_mask_within(s, value))
                return false;
        s->until = quote;
        s->n_level = 0;
        mask(s, value);
        return true;
}

static bool is_option(const struct scan *s, struct span token)
{
        char before = token.from > s->begin ? s->text[token.from - 1] : ' ';

        return token.to - token.from > 1 && s->text[token.from] == '-' &&
               (is_blank(before) || is_of(before, CLASS_QUOTE));
}

/* "-p" and its secret: joined, or the next argument. */
static bool mask_short(struct scan *s, struct span token, bool is_user)
{
        char before = token.from > s->begin ? s->text[token.from - 1] : ' ';
        size_t value = token.from + 2;
        char next = value < s->end ? s->text[value] : ' ', quote;
        bool ends = is_blank(next) || (is_of(next, CLASS_QUOTE) && next == before);

        if (!ends && is_of(next, CLASS_QUOTE))
                return value + 1 < s->end && mask_argument(s, value + 1, next, is_user);
        if (!ends)
                return mask_argument(s, value, 0, is_user);
        if (s->command->joined)
                return false;
        value = next_argument(s, value, &quote);
        return value < s->end && s->text[value] != '-' && mask_argument(s, value, quote, is_user);
}

bool rule_option(struct scan *s, struct span token)
{
        char letter, quote;
        size_t value;
        bool is_user;

        if (!s->command || !is_option(s, token))
                return false;
        letter = s->text[token.from + 1];
        if (letter == '-') {
                value = is_long_user(s, token) ? next_argument(s, token.to, &quote) : s->end;
                return value < s->end && mask_argument(s, value, quote, true);
        }
        is_user = is_one_of(letter, s->command->users);
        return (is_user || is_one_of(letter, s->command->options)) && mask_short(s, token, is_user);
}
