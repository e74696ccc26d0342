/* What a source is, apart from reading it: words, and what it owns. */

#include <errno.h>

#include "bundles/source.h"

static const char *const kinds[SOURCE_N_KINDS] = {
        [SOURCE_JOURNAL] = "journal", [SOURCE_FILE] = "file",       [SOURCE_COMMAND] = "command",
        [SOURCE_HTTP] = "http",       [SOURCE_SYSTEMD] = "systemd", [SOURCE_HOST] = "host",
        [SOURCE_HEALTH] = "health",
};

const char *source_kind_to_string(enum source_kind k)
{
        return (unsigned)k < SOURCE_N_KINDS ? kinds[k] : "";
}

int source_kind_from_string(enum source_kind *ret, const char *s)
{
        for (unsigned k = 0; k < SOURCE_N_KINDS; k++)
                if (streq(kinds[k], s)) {
                        *ret = (enum source_kind)k;
                        return 0;
                }
        return -EINVAL;
}

void source_done(struct source *s)
{
        free(s->id);
        free(s->name);
        free(s->unit);
        free(s->path);
        for (char **word = s->argv; word && *word; word++)
                free(*word);
        free(s->argv);
        free(s->user);
        free(s->socket);
        free(s->file);
        *s = (struct source){0};
}

bool source_has_role(const struct source *s, enum diag_role role)
{
        return !s->roles || (s->roles & (1u << role));
}
