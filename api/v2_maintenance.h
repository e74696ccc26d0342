#pragma once

/* "This node is being worked on": said by PUT, taken back by DELETE. Rows of v2_node_routes[]. */

#include "api/route.h"

int v2_put_maintenance(const struct request *q, struct reply *r);
int v2_delete_maintenance(const struct request *q, struct reply *r);
