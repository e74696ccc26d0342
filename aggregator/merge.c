/* From answers to what is known of a node. */

#include "aggregator/merge.h"
#include "base/mono.h"
#include "model/report_v1.h"

static void keep_fault(struct node *n, const char *text)
{
        if (n->fault && text && streq(n->fault, text))
                return;
        free(n->fault);
        n->fault = text ? strdup(text) : NULL;
}

static void note_failure(struct node *n, const struct answer *a, const struct merge_moment *now)
{
        n->asked = true;
        n->n_failures++;
        if (!n->failing_boot_usec)
                n->failing_boot_usec = now->boot_usec;
        n->bad_answer = a->kind == ANSWER_BAD || a->kind == ANSWER_NOT_HERE;
        keep_fault(n, a->text);
        if (n->failed_for_good)
                return;
        if (!a->lasting && (n->n_failures < MERGE_UNREACHABLE_FAILURES ||
                            now->boot_usec - n->failing_boot_usec < MERGE_UNREACHABLE_USEC))
                return;
        n->failed_for_good = true;
        if (n->answered && !n->goodbye_boot_usec) /* else the date is when it was found, or went */
                n->failed_wall_usec = now->wall_usec;
}

static void note_life(struct node *n, const struct answer *a, const struct merge_moment *now)
{
        struct diag_pulse *p = n->pulse;

        n->asked = n->answered = true;
        n->n_failures = 0;
        n->failing_boot_usec = 0;
        n->failed_for_good = n->bad_answer = n->superseded = false;
        keep_fault(n, NULL);
        atomic_store_explicit(&p->seen_boot_usec, now->boot_usec, memory_order_relaxed);
        atomic_store_explicit(&p->seen_wall_usec, now->wall_usec, memory_order_relaxed);
        atomic_store_explicit(&p->confirmed_boot_usec,
                              usec_since(now->boot_usec, a->confirmed_age_usec),
                              memory_order_relaxed);
        if (now->rtt_usec)
                atomic_store_explicit(&p->rtt_usec, now->rtt_usec, memory_order_relaxed);
        if (a->date_wall_usec) /* Date has whole seconds: half of one is the best guess */
                atomic_store_explicit(&p->clock_offset_usec,
                                      (int64_t)(a->date_wall_usec + USEC_PER_SEC / 2) -
                                              (int64_t)now->wall_usec,
                                      memory_order_relaxed);
}

/* Outputs stay with the components that are still as bad: new ones are on their way. */
static char *first_output(const struct node *n, const struct diag_component *c)
{
        const struct diag_component *was = n->report ? diag_report_find(n->report, c->name) : NULL;
        const char *have = was && n->outputs ? n->outputs[was - n->report->components] : NULL;
        _cleanup_(buf_done) struct buf reason = {0};

        if (c->health == DIAG_HEALTHY)
                return NULL;
        if (!str_empty(c->output)) /* of the older service, which sends them along */
                return strdup(c->output);
        if (have && was->health == c->health && was->code == c->code)
                return strdup(have);
        diag_v1_output(&reason, c, false, 0);
        return buf_take(&reason, NULL);
}

static char **first_outputs(const struct node *n, const struct diag_report *to)
{
        char **outputs;

        if (to->counts.n[DIAG_HEALTHY] == to->n_components)
                return NULL;
        outputs = calloc(to->n_components ? to->n_components : 1, sizeof(*outputs));
        for (size_t i = 0; outputs && i < to->n_components; i++)
                outputs[i] = first_output(n, &to->components[i]);
        return outputs;
}

static void take_report(struct roster *r, struct node *n, struct answer *a,
                        const struct merge_moment *now)
{
        char **outputs = first_outputs(n, a->report);

        node_clear_outputs(n);
        n->outputs = outputs;
        n->goodbye_boot_usec = 0;
        if (a->report->phase == DIAG_PHASE_STOPPING) {
                n->goodbye_boot_usec = now->boot_usec;
                n->failed_wall_usec = now->wall_usec;
        }
        n->stale = a->report->node_code == DIAG_CODE_FACTS_STALE;
        roster_set_report(r, n, TAKE_PTR(a->report));
}

/* Of our own nodes outputs come apart; the older service sends them along, and counts no changes. */
static bool same_outputs(const struct diag_report *a, const struct diag_report *b)
{
        if (a->n_components != b->n_components)
                return false;
        for (size_t i = 0; i < a->n_components; i++)
                if (!streq(a->components[i].output, b->components[i].output))
                        return false;
        return true;
}

static bool is_same(const struct diag_report *a, const struct diag_report *b)
{
        return a && b && (a->instance || same_outputs(a, b)) && a->instance == b->instance &&
               a->seq == b->seq && a->seq && a->health == b->health &&
               a->node_code == b->node_code && streq(a->node.boot_id, b->node.boot_id);
}

bool merge_answer(struct roster *r, struct node *n, struct answer *a,
                  const struct merge_moment *now)
{
        bool is_new = false;

        if (a->kind == ANSWER_BUSY)
                return false;
        if (a->kind != ANSWER_REPORT && a->kind != ANSWER_UNCHANGED) {
                note_failure(n, a, now);
                return false;
        }
        note_life(n, a, now);
        if (a->kind == ANSWER_REPORT && !is_same(a->report, n->report)) {
                take_report(r, n, a, now);
                is_new = true;
        } else if (a->confirmed_age_usec < NODE_FACTS_MAX_AGE_USEC) {
                n->stale = n->report->node_code == DIAG_CODE_FACTS_STALE;
        }
        if (is_new || n->doubted_boot_usec)
                roster_identify(r, n);
        return is_new;
}

bool merge_age(struct node *n, uint64_t max_age_usec, uint64_t now_boot_usec)
{
        uint64_t confirmed =
                atomic_load_explicit(&n->pulse->confirmed_boot_usec, memory_order_relaxed);
        bool old = n->answered && usec_since(now_boot_usec, confirmed) > max_age_usec;

        if (!old || n->stale)
                return false;
        n->stale = true;
        return true;
}
