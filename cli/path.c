/* RFC 3986: what is unreserved, and ':' and '@', which stand in addresses and names of units, goes as it is. */

#include <ctype.h>

#include "cli/path.h"

void path_append_word(struct buf *path, const char *s)
{
        for (; *s; s++)
                if (isalnum((unsigned char)*s) || strchr("-._~:@", *s))
                        buf_putc(path, *s);
                else
                        buf_printf(path, "%%%02X", (unsigned char)*s);
}

void path_append_query(struct buf *path, const char *key, const char *value)
{
        if (!value)
                return;
        buf_printf(path, "%c%s=", strchr(buf_cstr(path), '?') ? '&' : '?', key);
        path_append_word(path, value);
}

bool path_is_name(const char *s)
{
        return *s && !streq(s, ".") && !streq(s, "..");
}
