/*
 * Near is what a few typing errors would make of some part of a name: Sellers' variant of the
 * Levenshtein distance, where the part may begin and end anywhere. So "exhibitr" is near to
 * "dcos-exhibitor.service". The type of a unit does not count: what all names end with makes none near.
 */

#include <ctype.h>

#include "cli/suggest.h"
#include "cli/term.h"
#include "model/unit_name.h"

#define NAME_MAX_BYTES 256u /* longer names have no neighbours */
#define FAR            UINT32_MAX

static bool same(char a, char b)
{
        return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
        unsigned ab = a < b ? a : b;

        return ab < c ? ab : c;
}

/* One more character of what was typed, against every end of a part of @name. */
static void advance(unsigned *row, const char *name, size_t n, char typed)
{
        unsigned diagonal = row[0];

        row[0]++;
        for (size_t i = 1; i <= n; i++) {
                unsigned above = row[i];

                row[i] = least(above + 1, row[i - 1] + 1, diagonal + !same(typed, name[i - 1]));
                diagonal = above;
        }
}

static size_t length_without_type(const char *name)
{
        return unit_name_is_unit(name) ? (size_t)(strrchr(name, '.') - name) : strlen(name);
}

static unsigned distance(const char *wanted, const char *name)
{
        unsigned row[NAME_MAX_BYTES + 1] = {0}, best = FAR;
        bool whole = strchr(wanted, '.') && !unit_name_is_unit(wanted); /* mistyped in the type */
        size_t n_wanted = length_without_type(wanted);
        size_t n = whole ? strlen(name) : length_without_type(name);

        if (n_wanted == 0 || n_wanted > NAME_MAX_BYTES || n > NAME_MAX_BYTES)
                return FAR;
        for (size_t i = 0; i < n_wanted; i++)
                advance(row, name, n, wanted[i]);
        for (size_t i = 0; i <= n; i++)
                if (row[i] < best)
                        best = row[i];
        return best <= (n_wanted + 1) / 4 ? best : FAR;
}

void suggestion_offer(struct suggestion *s, const char *name)
{
        unsigned d = distance(s->wanted, name);
        size_t at = s->n;

        while (at > 0 && d < s->best[at - 1].distance)
                at--;
        if (d == FAR || at == SUGGEST_MAX)
                return;
        if (s->n < SUGGEST_MAX)
                s->n++;
        memmove(&s->best[at + 1], &s->best[at], (s->n - 1 - at) * sizeof(s->best[0]));
        s->best[at].name = name;
        s->best[at].distance = d;
}

void suggestion_append(const struct suggestion *s, struct buf *out)
{
        for (size_t i = 0; i < s->n; i++) {
                buf_puts(out, i == 0 ? "; did you mean " : i + 1 < s->n ? ", " : " or ");
                text_append_clean(out, s->best[i].name);
        }
        if (s->n > 0)
                buf_putc(out, '?');
}
