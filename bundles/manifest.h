#pragma once

/*
 * What stands at the root of a bundle for those who open it: manifest.json (every entry: source, size, sha256,
 * duration, truncated or not, redactions), summaryErrorsReport.txt (only when a required source, or a node,
 * failed), report.json (a line a node, as the service that we replace has it) and README.txt. Pure.
 */

#include "bundles/bundle.h"
#include "bundles/node_status.h"

struct manifest_node {
        const struct bundle_node *node;   /* how it went; borrowed */
        const struct node_status *status; /* NULL: none came */
};

void manifest_write(struct buf *out, const struct bundle *b, const struct manifest_node *nodes,
                    size_t n);

/** manifest_write_summary() - "could not collect PREFIX/NAME: why", one a line; nothing when all went well */
void manifest_write_summary(struct buf *out, const struct manifest_node *nodes, size_t n);
void manifest_write_report(struct buf *out, const struct bundle *b,
                           const struct manifest_node *nodes, size_t n);
void manifest_write_readme(struct buf *out, const struct bundle *b,
                           const struct manifest_node *nodes, size_t n);
