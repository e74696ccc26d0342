#pragma once

/* Strings of one's own, in the order in which they came. */

#include "base/cleanup.h"

struct string_list {
        char **items;
        size_t n;
};

void string_list_done(struct string_list *l);
bool string_list_has(const struct string_list *l, const char *s);

/** string_list_push() - append a copy of @s. 0 or -ENOMEM. */
int string_list_push(struct string_list *l, const char *s);
