#pragma once

/*
 * A report as API v1 spells it: the wire of the service that we replace (dcos-diagnostics, 3DT), to
 * the key: 7 of the node, 6 of each unit, health as 0, 1 or 3. Clients count keys, so nothing is
 * ever added here. The only file that knows the old numbers and sentences.
 */

#include "base/err.h"
#include "model/report.h"

/** 0 healthy, 1 unhealthy, 3 unknown: also the exit status of `diag status`. */
int diag_v1_health(enum diag_health h) _const_;

/** diag_report_render_v1() - for diag_report_rendered(); ends with a newline. */
struct blob *diag_report_render_v1(const struct diag_report *r);

/** diag_report_render_v1_reasons() - the same for those who may not read what units print. */
struct blob *diag_report_render_v1_reasons(const struct diag_report *r);

/** diag_v1_reason() - first line of a unit's "output"; "" when healthy. Appended to @out. */
void diag_v1_reason(struct buf *out, const struct diag_component *c);

/**
 * diag_v1_output() - a unit's whole "output": the reason, and in the lines below it what was printed
 *
 * "" when healthy. @max_bytes: of what was printed; the newest lines stay. Appended to @out.
 */
void diag_v1_output(struct buf *out, const struct diag_component *c, bool outputs,
                    size_t max_bytes);

#define DIAG_V1_UNIT_NAME_MAX 256u

/**
 * diag_report_from_v1() - decode what the older service says of its node
 * @address:  the node's, as it is asked: such a service tells no id, and "addr:" and this is one
 * @previous: its report of before, from which seq and dates go on; NULL: none
 *
 * A component's text is the first line of its output, and its output all of it. A node without a list of
 * units is no report; one with an empty list is unknown. Strict about types and limits. Pure.
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
int diag_report_from_v1(struct diag_report **ret, const char *text, size_t n, const char *address,
                        const struct diag_report *previous, uint64_t now_wall_usec, struct err *e);
