#pragma once

/* What to ask for, put together: words that a person typed may hold anything. */

#include "base/buf.h"

/** path_append_word() - @s as one segment of a path, or one value of a query, escaped */
void path_append_word(struct buf *path, const char *s);

/** path_append_query() - "?key=value", or "&key=value" if there is a query; nothing for NULL */
void path_append_query(struct buf *path, const char *key, const char *value);

/** path_is_name() - can it be the name of something? Not "", nor ".", which leads elsewhere. */
bool path_is_name(const char *s);
