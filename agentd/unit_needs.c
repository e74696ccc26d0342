/* Which question when: two lists of conditions, in the order in which the answers lead on. */

#include "agentd/unit_needs.h"

static bool same(const char *a, const char *b)
{
        return streq(str_or(a, ""), b);
}

static bool expected(const struct unit_record *r, enum diag_expect e)
{
        return r->expects & (1u << e);
}

static unsigned state_of(const struct unit_record *r)
{
        return unit_record_is_plain(r) ? UNIT_DETAIL_ACTIVE : UNIT_DETAIL_STATE;
}

/* Up is up, and failed is failed, whatever its unit file says by now. */
static bool is_judged_by_rules(const struct unit_record *r)
{
        return !unit_record_is_plain(r) &&
               !(same(r->facts.load_state, "loaded") && same(r->facts.active_state, "failed"));
}

static bool condition_failed(const struct diag_unit *u)
{
        return same(u->active_state, "inactive") && u->condition_mono_usec && !u->condition_result;
}

/* They explain why a unit was never started, where neither a trigger nor a condition does. */
static bool wants_requirements(const struct unit_record *r)
{
        const struct diag_unit *u = &r->facts;

        return same(u->active_state, "inactive") && !u->inactive_exit_mono_usec &&
               str_empty(u->job) && !condition_failed(u) &&
               (expected(r, DIAG_EXPECT_RUNNING) ||
                (expected(r, DIAG_EXPECT_AUTO) && !u->n_triggered_by));
}

unsigned unit_needs_now(const struct unit_record *r)
{
        bool wants_rules = is_judged_by_rules(r) && r->fixed_old;
        bool wants_fixed = !unit_record_is_plain(r) && !r->fixed_known;

        if (!r->known || r->read_state)
                return state_of(r) | (wants_fixed || wants_rules ? UNIT_DETAIL_FIXED : 0);
        if (wants_fixed)
                return UNIT_DETAIL_FIXED;
        if (wants_rules)
                return UNIT_DETAIL_RULES;
        if (condition_failed(&r->facts) && r->conditions_mono_usec != r->facts.condition_mono_usec)
                return UNIT_DETAIL_CONDITIONS;
        if (wants_requirements(r) && !r->requirements_known)
                return UNIT_DETAIL_REQUIREMENTS;
        return 0;
}

unsigned unit_needs_later(const struct unit_record *r)
{
        if (!r->has_row || !r->known)
                return 0;
        if (r->reread)
                return state_of(r) | UNIT_DETAIL_FIXED;
        if (!r->fixed_known || r->fixed_old)
                return UNIT_DETAIL_FIXED;
        if (!r->file_state_known && expected(r, DIAG_EXPECT_OPTIONAL) && !unit_record_is_plain(r))
                return UNIT_DETAIL_FILE_STATE;
        return 0;
}

void unit_needs_asked(struct unit_record *r, unsigned details)
{
        bool state = details & (UNIT_DETAIL_ACTIVE | UNIT_DETAIL_STATE);

        if (state) {
                r->known = true;
                r->unreadable = r->read_state = false;
        }
        if (details & UNIT_DETAIL_FIXED)
                r->fixed_known = true;
        if (details & (UNIT_DETAIL_FIXED | UNIT_DETAIL_RULES))
                r->fixed_old = false;
        if (state && (details & UNIT_DETAIL_FIXED))
                r->reread = false;
        if (details & UNIT_DETAIL_CONDITIONS)
                r->conditions_mono_usec = r->facts.condition_mono_usec;
        if (details & UNIT_DETAIL_REQUIREMENTS)
                r->requirements_known = true;
        if (details & UNIT_DETAIL_FILE_STATE)
                r->file_state_known = true;
}
