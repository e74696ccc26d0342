#pragma once

/* What stands at the root of an archive that is a bundle of its own: a node's, made by the collector alone. */

#include "bundles/collect_request.h"
#include "bundles/node_status.h"

/** collect_write_root() - manifest.json, report.json, README.txt; summaryErrorsReport.txt if there is any. */
int collect_write_root(struct archive *a, const struct collect_request *q,
                       const struct node_status *status);
