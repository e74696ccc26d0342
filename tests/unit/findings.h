#pragma once

/* What a source of nodes says, as a line of text. */

#include <stdio.h>

#include "aggregator/discovery.h"
#include "base/buf.h"
#include "base/loop.h"
#include "tests/unit/test_main.h"

struct findings {
        struct loop *loop;
        struct buf said; /* the newest alone */
        char error[256]; /* with it */
        uint64_t seen_boot_usec;
        unsigned n;
};

static inline void write_found(struct buf *b, const struct found *f)
{
        buf_printf(b, " %s=%s", diag_role_to_string(f->role), f->address);
        if (f->port)
                buf_printf(b, ":%u", f->port);
        if (f->hostname)
                buf_printf(b, "(%s)", f->hostname);
        buf_puts(b, f->leader ? "*" : "");
        buf_puts(b, f->down ? "!" : "");
}

/* "ok: master=10.0.0.1* agent=10.0.0.5", "failed" */
static inline void findings_take(const struct finding *f, void *userdata)
{
        struct findings *all = userdata;

        buf_clear(&all->said);
        buf_printf(&all->said, "%s%s", f->state, f->has_list ? ":" : "");
        for (size_t i = 0; f->has_list && i < f->n_nodes; i++)
                write_found(&all->said, &f->nodes[i]);
        (void)snprintf(all->error, sizeof(all->error), "%s", str_or(f->error, ""));
        all->seen_boot_usec = f->seen_boot_usec;
        all->n++;
}

/** findings_wait() - until it has said so much more */
static inline void findings_wait(struct findings *all, unsigned n)
{
        for (n += all->n; all->n < n;)
                ck_assert_int_ge(sd_event_run(loop_event(all->loop), UINT64_MAX), 0);
}

static inline void findings_done(struct findings *all)
{
        buf_done(&all->said);
        all->loop = loop_free(all->loop);
}
