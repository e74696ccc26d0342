/* For those who restart daemons. Asked on a thread of the server: a hung loop does not stop it. */

#include "api/livez.h"
#include "api/node_answer.h"

static int get_livez(const struct request *q, struct reply *r)
{
        const struct node_host *host = q->host;
        uint64_t age = feed_beat_age(host->feed);

        reply_header(r, "Cache-Control", "no-cache");
        if (age > FEED_BEAT_MAX_AGE_USEC)
                return reply_text(r, 503, "diag-agentd's loop has been stuck for %u s",
                                  (unsigned)(age / USEC_PER_SEC));
        return reply_text(r, 200, "ok");
}

const struct route livez_routes[] = {
        {"GET",      "/livez", get_livez, AUTHORITY_HEALTH},
        {0},
};
