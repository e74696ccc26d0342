#pragma once

/* A task of api/bundle_host.h as the errand of a request: made, waited for, and freed. */

#include "api/bundle_host.h"

/**
 * bundle_task_new() - the errand of @q, which has none yet; to be filled in, and started
 * @end_usec: how long the request waits for it, from when it came; 0: ERRAND_END_USEC
 *
 * What changes nothing (LIST, GET, FILE, ESTIMATE, COLLECT) is given up when who asks hangs up. Return: NULL:
 * out of memory.
 */
struct bundle_task *bundle_task_new(const struct request *q, const struct bundle_host *host,
                                    enum bundle_task_kind kind, uint64_t end_usec);

/** bundle_task_start() - 0 or -ENOMEM */
int bundle_task_start(const struct request *q, const struct bundle_host *host);

/** bundle_task_await() - as errand_await(); @ret: the task, once it is done. What it owns may be taken out. */
int bundle_task_await(const struct request *q, struct reply *r, struct bundle_task **ret);

/** bundle_task_wait() - as errand_wait(), for other words than API v2's */
enum errand_result bundle_task_wait(const struct request *q, struct reply *r,
                                    struct bundle_task **ret);

/** bundle_task_refuse() - of one that failed: API v2's error, with Retry-After when that is said */
int bundle_task_refuse(const struct bundle_task *t, struct reply *r);

/** bundle_task_fail() - for who does it: what is to be told. @status: from 400 up */
void bundle_task_fail(struct bundle_task *t, unsigned status, const char *reason, const char *fmt,
                      ...) _printf_(4, 5);

/** bundle_task_done() - frees what it owns */
void bundle_task_done(struct bundle_task *t);
