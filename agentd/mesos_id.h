#pragma once

/*
 * By which id Mesos knows this node. A master tells the id of the leading master, which is what API v1
 * has always said of masters; an agent tells its own, and asks its own Mesos agent for it: the leader's
 * list of all agents is large, and all nodes would ask for it. The answer is asked for in the
 * background, and nobody waits for it. On the loop only.
 */

#include "model/node.h"
#include "net/fetch.h"

#define MESOS_ID_MAX  128u /* bytes of an id that we believe */
#define MESOS_URL_MAX 128u

struct mesos_id;

/** mesos_id_url() - whom a node of this role asks; "" while that is not known. @buf is returned. */
char *mesos_id_url(char buf[static MESOS_URL_MAX], enum diag_role role, const char *address);

/**
 * mesos_id_new() - ask @url, if it is not ""
 * @f:       outlives this
 * @changed: called on the loop when the id has become known, or another one
 */
int mesos_id_new(struct mesos_id **ret, struct fetcher *f, const char *url,
                 void (*changed)(void *userdata), void *userdata);
struct mesos_id *mesos_id_free(struct mesos_id *m);

/** mesos_id_set_url() - another one is asked at once; "": nobody. What is known stays known. */
int mesos_id_set_url(struct mesos_id *m, const char *url);

/** mesos_id_get() - "" until it is known; the last one when there are no answers any more. */
const char *mesos_id_get(const struct mesos_id *m);

/** mesos_id_tick() - each 5 s: asks again, ever more seldom, until there is an answer; then each 10 min. */
void mesos_id_tick(struct mesos_id *m);

/**
 * mesos_id_from_state() - the "id" of the whole, out of what a Mesos master or agent says of its state
 * @ret:  untouched on failure
 * @text: its beginning; need not be whole, nor valid beyond the id
 *
 * Pure. Return: 0, -ENOENT (no such key so far, or an empty id: not yet registered), -EBADMSG (not an
 * object, or an id that is no word of at most MESOS_ID_MAX letters, digits and any of "._:/-").
 */
int mesos_id_from_state(char ret[static MESOS_ID_MAX + 1], const char *text, size_t n);

DEFINE_CLEANUP(struct mesos_id *, mesos_id_free);
