/* The master sorts: the worst come first, so the healthy ones are the rest. */

#include <inttypes.h>

#include "cli/cluster_view.h"
#include "cli/listing.h"
#include "cli/path.h"

bool listing_take(struct listing *l, int option, const char *value)
{
        switch (option) {
        case LISTING_OPTION_ROLE:
                l->role = value;
                return true;
        case LISTING_OPTION_HEALTH:
                l->health = value;
                return true;
        case LISTING_OPTION_COMPONENT:
                l->component = value;
                return true;
        case LISTING_OPTION_QUERY:
                l->query = value;
                return true;
        case LISTING_OPTION_ALL:
                l->all = true;
                return true;
        default:
                return false;
        }
}

void listing_append_query(struct buf *path, const struct listing *l)
{
        path_append_query(path, "role", l->role);
        path_append_query(path, "health", l->health);
        path_append_query(path, "component", l->component);
        path_append_query(path, "q", l->query);
}

bool listing_folds(const struct listing *l, uint64_t n_total)
{
        return !l->all && !l->health && n_total > LISTING_FOLD;
}

static bool chooses(const struct listing *l)
{
        return l->role || l->health || l->component || l->query;
}

void listing_summary(struct buf *out, const struct listing *l, const struct listing_outcome *o,
                     const struct term *t)
{
        const char *noun = o->n_total == 1 ? o->one : o->many;

        buf_puts(out, o->n_shown > 0 ? "\n" : "");
        if (o->n_total == 0)
                buf_printf(out, chooses(l) ? "no %s fits" : "no %s is known", o->one);
        else if (!listing_folds(l, o->n_total) && o->n_shown == o->n_total)
                buf_printf(out, "%" PRIu64 " %s", o->n_total, noun);
        else if (!listing_folds(l, o->n_total))
                buf_printf(out, "%zu of %" PRIu64 " %s", o->n_shown, o->n_total, noun);
        else if (o->n_shown == 0)
                buf_printf(out, "%" PRIu64 " %s, all of them healthy (--all shows them)",
                           o->n_total, noun);
        else
                buf_printf(out, "%zu of %" PRIu64 " %s: those that are not healthy (--all for all)",
                           o->n_shown, o->n_total, noun);
        buf_puts(out, ", ");
        cluster_view_age(out, t, o->view);
        buf_putc(out, '\n');
}

enum diag_health listing_health(const struct listing *l, size_t n_rows, enum diag_health worst)
{
        if (n_rows == 0)
                return l->health ? DIAG_HEALTHY : DIAG_UNKNOWN;
        return worst;
}
