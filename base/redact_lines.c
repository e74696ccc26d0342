/* What crosses lines: YAML's blocks and lists, JSON's arrays, and the pieces of a line that has no end. */

#include "base/redact_scan.h"

/* Whether only blanks stand before @i, or the dash of a list's item. */
bool begins_line(const struct scan *s, size_t i)
{
        if (s->is_rest)
                return false;
        while (i > s->begin && is_blank(s->text[i - 1]) && s->text[i - 1] != '\0')
                i--;
        if (i > s->begin && s->text[i - 1] == '-')
                for (i--; i > s->begin && s->text[i - 1] == ' ';)
                        i--;
        return i == s->begin;
}

static size_t skip_indent(const struct scan *s)
{
        size_t i = s->begin;

        while (i < s->end && (s->text[i] == ' ' || s->text[i] == '\t'))
                i++;
        return i;
}

/* "|", ">-", "|2+": how a block of YAML is announced, and nothing behind it. */
static bool announces_block(const struct scan *s, size_t i)
{
        if (i >= s->end || (s->text[i] != '|' && s->text[i] != '>'))
                return false;
        for (i++; i < s->end && is_one_of(s->text[i], "+-123456789");)
                i++;
        return skip_blanks(s, i) == s->end;
}

/* Whether the value of @name stands on the lines that follow; @value: where it would be on this one. */
bool carry_block(struct scan *s, struct span name, size_t value)
{
        if (s->is_piece || !begins_line(s, name.from))
                return false;
        if (value < s->end && !announces_block(s, value))
                return false;
        s->carry = value < s->end ? CARRY_BLOCK : CARRY_LIST;
        s->indent = name.from - s->begin;
        s->at = s->end;
        return true;
}

static void mask_rest(struct scan *s, size_t from)
{
        struct span rest = {from, s->end};
        char c = from < s->end ? s->text[from] : '\0';

        rest = trim(s, rest);
        if ((c == '"' || c == '\'') && rest.to - rest.from > 1 && s->text[rest.to - 1] == c) {
                rest.from++;
                rest.to--;
        }
        s->until = '\n';
        mask(s, rest);
        s->at = s->end;
}

static void carried_block(struct scan *s)
{
        size_t i = skip_indent(s);

        if (skip_blanks(s, i) == s->end)
                s->at = s->end;
        else if (s->is_rest || i - s->begin > s->indent)
                mask_rest(s, i);
        else
                s->carry = CARRY_NOTHING;
}

/* "user: bob" or "user:" */
static bool is_member(const struct scan *s, size_t i)
{
        size_t colon = skip_key_chars(s, i);

        return colon > i && colon < s->end && s->text[colon] == ':' &&
               (colon + 1 == s->end || is_blank(s->text[colon + 1]));
}

static void carried_list(struct scan *s)
{
        size_t i = skip_indent(s), indent = i - s->begin;
        bool item = starts_with(s, i, "- ");

        if (skip_blanks(s, i) == s->end) {
                s->at = s->end;
                return;
        }
        s->carry = CARRY_NOTHING;
        if (s->is_rest || indent < s->indent || (indent == s->indent && !item))
                return;
        if (item)
                i = skip_blanks(s, i + 2);
        /* Members have keys of their own, and a quoted one is JSON. */
        if (i == s->end || is_member(s, i) || private_key_begins(s, i) ||
            (is_one_of(s->text[i], "{[") && !mask_at(s, i)))
                return;
        mask_rest(s, i);
        if (item && s->carry == CARRY_NOTHING)
                s->carry = CARRY_LIST;
}

static void carried_value(struct scan *s)
{
        size_t i = s->at;

        if (s->until == '\n')
                i = s->end;
        else if (s->until)
                i = quoted_end(s, i, s->until, s->n_level);
        else
                while (i < s->end && !is_blank(s->text[i]) && !is_of(s->text[i], CLASS_QUOTE))
                        i++;
        if (i < s->end || !s->is_piece)
                s->carry = CARRY_NOTHING;
        s->at = s->copied = i;
}

static void carried_strings(struct scan *s, enum carry carry)
{
        s->carry = CARRY_NOTHING;
        mask_strings(s, s->at, carry);
}

void scan_carried(struct scan *s)
{
        switch (s->carry) {
        case CARRY_BLOCK:
                carried_block(s);
                break;
        case CARRY_LIST:
                carried_list(s);
                break;
        case CARRY_ARRAY:
        case CARRY_ARGUMENT:
                carried_strings(s, s->carry);
                break;
        case CARRY_VALUE:
                carried_value(s);
                break;
        case CARRY_PRIVATE_KEY:
        case CARRY_NOTHING:
                break;
        }
}
