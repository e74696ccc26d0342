/* From bytes of a node that may be anything to one of six kinds of answer. */

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "aggregator/answer.h"
#include "base/mono.h"
#include "model/report_json.h"
#include "model/report_v1.h"

/* It was connected to, or so it seemed, and then nothing came for at least as long as we wait for anybody. */
#define LASTING_USEC (UINT64_C(2500) * USEC_PER_MSEC)

#define AGE_MAX_SECONDS 1e9
#define NODE_ID_LENGTH  32u

const char *const answer_fields[] = {"ETag", "Preference-Applied", "Diag-Confirmed-Age", "Date",
                                     NULL};

/* --- header fields ----------------------------------------------------------------------------- */

/* A strong one of ours: what is sent back must not be able to break a header. */
static void read_etag(struct answer *a, const char *s)
{
        size_t n = s ? strlen(s) : 0;

        if (n < 2 || n >= sizeof(a->etag) || s[0] != '"' || s[n - 1] != '"' ||
            strspn(s + 1, "0123456789abcdef.") != n - 2)
                return;
        memcpy(a->etag, s, n + 1);
}

static uint64_t read_age(const char *s)
{
        char *end;
        double age = s ? strtod(s, &end) : 0;

        return s && *s && !*end && age >= 0 && age < AGE_MAX_SECONDS ? (uint64_t)(age * 1e6) : 0;
}

static uint64_t read_date(const char *s)
{
        struct tm tm = {0};
        const char *end = s ? strptime(s, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
        time_t t = end && !*end ? timegm(&tm) : -1;

        return t > 0 ? (uint64_t)t * USEC_PER_SEC : 0;
}

static void read_fields(struct answer *a, const struct fetch_result *r)
{
        const char *applied = r->headers[ANSWER_FIELD_APPLIED];

        read_etag(a, r->headers[ANSWER_FIELD_ETAG]);
        a->waits = applied && strncmp(applied, "wait", 4) == 0;
        a->confirmed_age_usec = read_age(r->headers[ANSWER_FIELD_AGE]);
        a->date_wall_usec = read_date(r->headers[ANSWER_FIELD_DATE]);
}

/* As sources and files must spell it: what they refuse could not be remembered. */
static bool is_node_id(const char *s)
{
        return strlen(s) == NODE_ID_LENGTH && strspn(s, "0123456789abcdef") == NODE_ID_LENGTH;
}

/* --- kinds ------------------------------------------------------------------------------------- */

static void say(struct answer *a, enum answer_kind kind, const char *text)
{
        a->kind = kind;
        (void)snprintf(a->text, sizeof(a->text), "%s", text);
}

static void read_silence(struct answer *a, const struct fetch_result *r)
{
        bool ours = r->error == -EBUSY || err_is_shortage(r->error);
        bool talked = r->error == -EPROTO || r->error == -EFBIG;

        say(a, ours ? ANSWER_BUSY : talked ? ANSWER_BAD : ANSWER_NONE, r->text);
        a->lasting = r->error == -ETIMEDOUT && r->took_usec >= LASTING_USEC;
}

static void read_body(struct answer *a, const struct fetch_result *r, enum diag_protocol protocol,
                      const struct diag_report *previous, const char *address,
                      uint64_t now_wall_usec)
{
        struct err e = {0};
        int k;

        if (protocol == DIAG_PROTOCOL_V2)
                k = diag_report_from_json(&a->report, NULL, r->body, r->n_body, &e);
        else
                k = diag_report_from_v1(&a->report, r->body, r->n_body, address, previous,
                                        now_wall_usec, &e);
        if (k == -ENOMEM) {
                say(a, ANSWER_BUSY, "out of memory");
        } else if (k < 0) {
                a->kind = ANSWER_BAD;
                (void)snprintf(a->text, sizeof(a->text), "its answer is no report: %.140s", e.text);
        } else if (a->report->n_components > ANSWER_UNITS_MAX) {
                say(a, ANSWER_BAD, "its answer has too many components");
        } else if (protocol == DIAG_PROTOCOL_V2 && !is_node_id(a->report->node.node_id)) {
                say(a, ANSWER_BAD, "its answer does not say which node it is");
        } else {
                a->kind = ANSWER_REPORT;
        }
        if (a->kind != ANSWER_REPORT)
                a->report = diag_report_unref(a->report);
}

static void read_status(struct answer *a, unsigned status)
{
        if (status == 404)
                say(a, ANSWER_NOT_HERE, "it answers 404: no diagnostics service");
        else if (status == 401 || status == 403)
                say(a, ANSWER_BAD, status == 401 ? "it refuses us (401)" : "it refuses us (403)");
        else if (status >= 300 && status < 400 && status != 304)
                say(a, ANSWER_BAD, "it redirects, which is not followed");
        else {
                a->kind = ANSWER_BAD;
                (void)snprintf(a->text, sizeof(a->text), "it answers with HTTP status %u", status);
        }
}

void answer_read(struct answer *ret, const struct fetch_result *r, enum diag_protocol protocol,
                 const struct diag_report *previous, const char *address, uint64_t now_wall_usec)
{
        *ret = (struct answer){0};
        if (r->error) {
                read_silence(ret, r);
                return;
        }
        read_fields(ret, r);
        if (r->status == 304 && previous)
                ret->kind = ANSWER_UNCHANGED;
        else if (r->status == 200)
                read_body(ret, r, protocol, previous, address, now_wall_usec);
        else
                read_status(ret, r->status);
}

void answer_done(struct answer *a)
{
        a->report = diag_report_unref(a->report);
}
