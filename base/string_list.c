/* A growing list of strings. */

#include <errno.h>

#include "base/string_list.h"

void string_list_done(struct string_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->items[i]);
        free(l->items);
        *l = (struct string_list){0};
}

bool string_list_has(const struct string_list *l, const char *s)
{
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i], s))
                        return true;
        return false;
}

int string_list_push(struct string_list *l, const char *s)
{
        char *copy = strdup(s), **p;

        if (!copy)
                return -ENOMEM;
        p = reallocarray(l->items, l->n + 1, sizeof(void *));
        if (!p) {
                free(copy);
                return -ENOMEM;
        }
        l->items = p;
        p[l->n++] = copy;
        return 0;
}
