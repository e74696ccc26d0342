#pragma once

/* Times as the service that we replace spells them in its oldest API: as Go prints them. */

#include "base/buf.h"

/** go_time_write() - "2019-09-01 04:45:00.5 +0000 UTC"; 0: that of the year 1 */
void go_time_write(struct buf *out, uint64_t wall_usec);

/** go_duration_write() - "1h15m0s", "1.5s", "20ms", "0s" */
void go_duration_write(struct buf *out, uint64_t usec);
