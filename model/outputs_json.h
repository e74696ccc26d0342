#pragma once

/*
 * What the unhealthy components of a node have printed, as masters fetch it (GET /node?fields=outputs):
 * apart from health content, because it comes later, changes on its own, and wakes nobody. Each output is
 * what API v1 has: the reason, and below it the newest lines.
 */

#include "base/err.h"
#include "model/report.h"

/* Of the form that masters fetch; a node's own answers hold more. */
#define DIAG_OUTPUTS_EACH_MAX 2048u
#define DIAG_OUTPUTS_MAX      16384u

/**
 * diag_outputs_render() - the unhealthy first, then the unknown, as many as fit
 * @outputs: false: the reasons alone
 * Return: a new reference; NULL: out of memory.
 */
struct blob *diag_outputs_render(const struct diag_report *r, bool outputs);

/**
 * diag_outputs_from_json() - decode
 * @ret: an entry for each of @r's components, NULL where nothing was said; free() them all
 *
 * What is of another run of the node's daemon, or of components that @r has not, is skipped.
 * Return: 0, -EBADMSG, -E2BIG, -ESTALE (of another run), -ENOMEM.
 */
int diag_outputs_from_json(char ***ret, const struct diag_report *r, const char *text, size_t n,
                           struct err *e);
