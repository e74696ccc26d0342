/* One small entry for each component that changed lately; quiet ones are reused. */

#include <errno.h>

#include "agentd/wake_damper.h"
#include "base/mono.h"
#include "model/unit_name.h"

#define GAP_MIN_USEC USEC_PER_SEC
#define GAP_MAX_USEC (30 * USEC_PER_SEC)
#define QUIET_USEC   (60 * USEC_PER_SEC)
#define ENTRIES_MAX  1024u

struct entry {
        char name[UNIT_NAME_MAX + 1];
        uint64_t changed_usec; /* last change */
        uint64_t wake_usec;    /* last moment given out, maybe still to come */
        uint64_t gap_usec;
};

struct wake_damper {
        struct entry *entries;
        size_t n;
};

int wake_damper_new(struct wake_damper **ret)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

struct wake_damper *wake_damper_free(struct wake_damper *d)
{
        if (d)
                free(d->entries);
        free(d);
        return NULL;
}

static bool is_quiet(const struct entry *e, uint64_t now)
{
        return usec_since(now, e->changed_usec) >= QUIET_USEC && now >= e->wake_usec;
}

/* Its entry, or one that may be overwritten; NULL when there is none to be had. */
static struct entry *entry_for(struct wake_damper *d, const char *name, uint64_t now)
{
        struct entry *unused = NULL, *p;

        for (size_t i = 0; i < d->n; i++) {
                if (streq(d->entries[i].name, name))
                        return &d->entries[i];
                if (is_quiet(&d->entries[i], now))
                        unused = &d->entries[i];
        }
        if (!unused && d->n < ENTRIES_MAX) {
                p = reallocarray(d->entries, d->n + 1, sizeof(*p));
                if (!p)
                        return NULL;
                d->entries = p;
                unused = &p[d->n++];
        }
        if (unused) {
                *unused = (struct entry){0};
                (void)stpncpy(unused->name, name, sizeof(unused->name) - 1);
        }
        return unused;
}

uint64_t wake_damper_note(struct wake_damper *d, const char *name, uint64_t now_mono_usec)
{
        struct entry *e = entry_for(d, name, now_mono_usec);

        if (!e)
                return now_mono_usec;
        if (is_quiet(e, now_mono_usec))
                e->gap_usec = 0;
        e->changed_usec = now_mono_usec;
        if (e->wake_usec > now_mono_usec)
                return e->wake_usec; /* one is on its way: this change goes with it */
        if (e->gap_usec && now_mono_usec < e->wake_usec + e->gap_usec)
                e->wake_usec += e->gap_usec;
        else
                e->wake_usec = now_mono_usec;
        e->gap_usec = !e->gap_usec                     ? GAP_MIN_USEC
                      : e->gap_usec * 2 > GAP_MAX_USEC ? GAP_MAX_USEC
                                                       : e->gap_usec * 2;
        return e->wake_usec;
}
