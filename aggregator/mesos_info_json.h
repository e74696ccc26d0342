#pragma once

/*
 * How the masters of Mesos announce themselves in ZooKeeper: each has a child json.info_NNNNNNNNNN,
 * and the lowest number leads. Masters of long ago have info_NNNNNNNNNN, protobuf, which is not read
 * here. Pure, any thread, fuzzed.
 */

#include "aggregator/zk_picture.h"

enum mesos_info_kind {
        MESOS_INFO_NONE = 0, /* some other child */
        MESOS_INFO_JSON,
        MESOS_INFO_PROTOBUF,
};

/** mesos_info_kind() - by the name of a child; @ret_sequence is set but for MESOS_INFO_NONE. */
enum mesos_info_kind mesos_info_kind(const char *name, uint64_t *ret_sequence);

/**
 * mesos_info_from_json() - where that master is
 * @a:    strings are copied to it; @ret->sequence is left to the caller
 * @text: need not end in NUL
 *
 * Return: 0, -EBADMSG, -E2BIG (over ZK_DATA_MAX), -ENOMEM; @ret is untouched on failure. @e names
 * the member and the fault; may be NULL.
 */
int mesos_info_from_json(struct zk_mesos_master *ret, struct arena *a, const char *text, size_t n,
                         struct err *e);
