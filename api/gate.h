#pragma once

/*
 * Who comes in: each request anew, so that a list that became shorter counts for those who were
 * connected before. The gate holds the authority that counts now; it may be replaced at any moment.
 */

#include "api/authority.h"
#include "api/head.h"
#include "api/server_stats.h"

struct gate;

/** gate_new() - @a is copied. 0 or -ENOMEM. */
int gate_new(struct gate **ret, const struct authority *a);
struct gate *gate_free(struct gate *g);

/** gate_set_authority() - from here on this counts; copied. 0 or -ENOMEM: nothing happened. Any thread. */
int gate_set_authority(struct gate *g, const struct authority *a);

/** gate_judge() - what may this one do? Any thread. */
struct authority_verdict gate_judge(struct gate *g, const struct authority_caller *c);

/** gate_take_forwarded() - for whom does it ask this time? See authority_take_forwarded(). Any thread. */
void gate_take_forwarded(struct gate *g, struct authority_caller *c, const struct head *h);

/** gate_refuses() - may this request not even be looked at? By its head and who sends it. Any thread. */
enum server_refusal gate_refuses(struct gate *g, const struct authority_caller *c,
                                 const char *method, const struct head *h);

/** gate_needs() - the class that a route asks for, when it has @least */
enum authority_class gate_needs(enum authority_class least);

/** gate_changes() - is this a method that changes something? All that we do not know do. */
bool gate_changes(const char *method);

/** Who was refused, and why. */
struct gate_refusal {
        enum server_refusal why;
        const struct authority_caller *caller;
        const struct head *head;
        enum authority_class has, needed; /* of NOT_ALLOWED */
};

/** gate_explain() - for people: what is wrong, and what would help. @buf is returned. Pure. */
#define GATE_TEXT_MAX 320
char *gate_explain(char buf[static GATE_TEXT_MAX], const struct gate_refusal *r);

DEFINE_CLEANUP(struct gate *, gate_free);
