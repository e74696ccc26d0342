#pragma once

/*
 * A report as API v1 spells it: the wire of the service that we replace (dcos-diagnostics, 3DT), to
 * the key: 7 of the node, 6 of each unit, health as 0, 1 or 3. Clients count keys, so nothing is
 * ever added here. The only file that knows the old numbers and sentences.
 */

#include "model/report.h"

/** 0 healthy, 1 unhealthy, 3 unknown: also the exit status of `diag status`. */
int diag_v1_health(enum diag_health h) _const_;

/** diag_report_render_v1() - for diag_report_rendered(); ends with a newline. */
struct blob *diag_report_render_v1(const struct diag_report *r);

/** diag_report_render_v1_reasons() - the same for those who may not read what units print. */
struct blob *diag_report_render_v1_reasons(const struct diag_report *r);

/** diag_v1_reason() - first line of a unit's "output"; "" when healthy. Appended to @out. */
void diag_v1_reason(struct buf *out, const struct diag_component *c);

/** diag_v1_output() - all of a unit's "output"; @outputs: not the reason alone. Appended to @out. */
void diag_v1_output(struct buf *out, const struct diag_component *c, bool outputs);
