/* Any bytes as a request: what is accepted is written and read again the same, and has nothing to open in it. */

#include <errno.h>
#include <string.h>

#include "bundles/bundle.h"
#include "bundles/collect_request.h"
#include "model/unit_name.h"
#include "tests/fuzz/fuzz.h"

static void must_be_sane(const struct collect_request *q)
{
        MUST((unsigned)q->op < COLLECT_N_OPS && (unsigned)q->format < ARCHIVE_N_FORMATS);
        MUST(q->n_ids <= COLLECT_IDS_MAX && q->n_units <= COLLECT_UNITS_MAX);
        MUST(q->op != COLLECT_ONE || q->n_ids == 1);
        MUST(!q->fragment || (*q->prefix && q->format != ARCHIVE_ZIP));
        MUST(!strchr(q->prefix, '/') && *q->prefix != '.');
        MUST(!*q->bundle || bundle_id_is_valid(q->bundle));
        MUST(!(q->kinds & ~SOURCE_KINDS_ALL) && q->timeout_usec <= COLLECT_USEC_MAX);
        MUST(!q->until_wall_usec || q->until_wall_usec > q->since_wall_usec);
        for (size_t i = 0; i < q->n_units; i++)
                MUST(unit_name_is_unit(q->units[i]));
        for (size_t i = 0; i < q->n_ids; i++)
                MUST(*q->ids[i].id && strlen(q->ids[i].id) < SOURCE_ID_MAX);
}

/*
 * A window of less than a millisecond may have none when it is written. What is escaped may be longer than it was.
 */
static void must_be_read_again(const struct collect_request *q)
{
        struct collect_request again = {0};
        struct buf first = {0}, second = {0};
        int k;

        collect_request_write(&first, q);
        MUST(!first.error);
        k = collect_request_read(&again, first.data, first.n, NULL);
        if (k == 0) {
                collect_request_write(&second, &again);
                MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        } else
                MUST(first.n > COLLECT_REQUEST_BYTES_MAX ||
                     (q->until_wall_usec && q->until_wall_usec - q->since_wall_usec < 1000));
        collect_request_done(&again);
        buf_done(&first);
        buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct collect_request q = {0};
        struct err e = {0};
        int k = collect_request_read(&q, (const char *)data, size, &e);

        MUST(k == 0 || k == -EINVAL || k == -E2BIG);
        if (k < 0) {
                MUST(e.code == k && e.text[0] && !q.ids && !q.units);
                return 0;
        }
        must_be_sane(&q);
        must_be_read_again(&q);
        collect_request_done(&q);
        return 0;
}
