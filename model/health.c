/* Three words and their order. */

#include "model/health.h"

static const struct {
        const char *word;
        unsigned badness;
} table[DIAG_N_HEALTH] = {
        [DIAG_UNKNOWN] = {"unknown",   1},
        [DIAG_HEALTHY] = {"healthy",   0},
        [DIAG_UNHEALTHY] = {"unhealthy", 2},
};

const char *diag_health_to_string(enum diag_health h)
{
        return table[h].word;
}

enum diag_health diag_health_from_string(const char *s)
{
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                if (streq(s, table[i].word))
                        return (enum diag_health)i;
        return DIAG_UNKNOWN;
}

enum diag_health diag_health_worse(enum diag_health a, enum diag_health b)
{
        return table[a].badness >= table[b].badness ? a : b;
}
