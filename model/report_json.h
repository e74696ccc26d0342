#pragma once

/*
 * A report as API v2 spells it (docs/openapi.yaml, GET /node), both ways.
 *
 * The short form ("fields=health") holds health content only: its bytes depend on seq alone, so
 * that its entity tag is a strong one. The full form adds facts, outputs and the moment.
 */

#include "base/err.h"
#include "base/json_write.h"
#include "model/report.h"

#define DIAG_REPORT_JSON_MAX       (16u * 1024u * 1024u) /* most that we decode */
#define DIAG_HEALTH_FORM_BYTES_MAX (256u * 1024u)

struct blob *diag_report_render_health(const struct diag_report *r);

/** What only the moment of answering knows. */
struct diag_moment {
        uint64_t now_wall_usec, uptime_usec;
        uint64_t confirmed_age_usec; /* USEC_INFINITY: systemd has never answered */
};

/**
 * diag_report_full_head() - the full form without its end: what does not depend on the moment
 * @outputs: false: without what components and probes printed
 *
 * Made once for each report, and the same bytes for everybody. Return: a new reference; NULL: out of
 * memory. Any thread.
 */
struct blob *diag_report_full_head(const struct diag_report *r, bool outputs);

/** diag_report_write_full_tail() - the end: a few hundred bytes. Failures are in out->error. */
void diag_report_write_full_tail(struct buf *out, const struct diag_report *r,
                                 const struct diag_moment *moment);

/**
 * diag_report_write_full() - the full form, a copy of both; failures are in out->error. Any thread.
 * @outputs: false: without what components and probes printed
 */
void diag_report_write_full(struct buf *out, const struct diag_report *r,
                            const struct diag_moment *moment, bool outputs);

/** diag_report_write_component() - one component of the full form, outputs included. */
void diag_report_write_component(struct buf *out, const struct diag_component *c);

/** diag_maintenance_write() - null without one. */
void diag_maintenance_write(struct json_writer *w, const struct diag_maintenance *m);

/**
 * diag_report_from_json() - decode what a node says about itself, either form
 * @ret:    new sealed report, the caller's; untouched on failure
 * @moment: what the full form said of it; zeros in the short form; may be NULL
 * @text:   borrowed; need not end in NUL
 * @e:      names the field and the fault; may be NULL
 *
 * Strict about types and limits, lenient about members and words that we do not know: a newer node
 * may have more of both, and an unknown word of health is unknown. What the node says of its own
 * health, seq and times is taken over; the caller judges how old it is. Pure, any thread.
 * Return: 0, -EBADMSG (not a report), -E2BIG (over a limit), -ENOMEM.
 */
int diag_report_from_json(struct diag_report **ret, struct diag_moment *moment, const char *text,
                          size_t n, struct err *e);
