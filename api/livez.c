/* For those who restart daemons. Asked on a thread of the server: a hung loop does not stop it. */

#include "api/livez.h"
#include "api/node_answer.h"

int livez_answer(struct reply *r, const char *daemon, uint64_t beat_age_usec, uint64_t max_age_usec)
{
        reply_header(r, "Cache-Control", "no-cache");
        if (beat_age_usec > max_age_usec)
                return reply_text(r, 503, "%s's loop has been stuck for %u s", daemon,
                                  (unsigned)(beat_age_usec / USEC_PER_SEC));
        return reply_text(r, 200, "ok");
}

static int get_livez(const struct request *q, struct reply *r)
{
        const struct node_host *host = q->host;

        return livez_answer(r, "diag-agentd", feed_beat_age(host->feed), FEED_BEAT_MAX_AGE_USEC);
}

const struct route livez_routes[] = {
        {"GET",      "/livez", get_livez, AUTHORITY_HEALTH},
        {0},
};
