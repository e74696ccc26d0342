#pragma once

/* What the handlers of bundles share, whichever API they speak: whom they ask, and how a bundle's file is sent. */

#include "api/bundle_task.h"

/** bundle_host_of() - of either daemon; NULL: it makes no bundles */
const struct bundle_host *bundle_host_of(const struct request *q);

/** bundle_sort() - newest first */
void bundle_sort(struct bundle_task *t);

/**
 * bundle_answer_file() - of a FILE that succeeded: 200, 206, 304; its file or its stream is taken
 * @name: for who saves it
 */
int bundle_answer_file(const struct request *q, struct reply *r, struct bundle_task *t,
                       const char *content_type, const char *name);

/** bundle_answer_beyond() - of a FILE with a range that is not there: 416 */
int bundle_answer_beyond(const struct bundle_task *t, struct reply *r);

/** bundle_file_begin() - a FILE of @id: its ranges are the request's. Return: as bundle_task_start() */
int bundle_file_begin(const struct request *q, const struct bundle_host *host, const char *id,
                      bool own_only);
