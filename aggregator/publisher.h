#pragma once

/*
 * From what is known of all nodes to the snapshot that others see. Whoever changes something touches it
 * here; what was touched is put together at most every PUBLISHER_APART_USEC, and published if it differs.
 */

#include "aggregator/roster.h"
#include "api/view.h"
#include "base/loop.h"

#define PUBLISHER_APART_USEC (UINT64_C(50) * 1000)

/** What is known besides nodes. Strings borrowed until the function that fills it in is called again. */
struct publisher_facts {
        unsigned n_expected; /* masters; 0: nobody has said */
        const char *expected_from;
        const char *cluster_id, *cluster_name, *observer, *leader_address, *leader_source;
        uint64_t leader_seen_boot_usec, view_max_age_usec;
        struct diag_peer_view views[DIAG_VIEWS_MAX];
        size_t n_views;
};

struct publisher_options {
        struct loop *loop;
        struct roster *roster;
        struct parked *parked;
        uint64_t instance;
        void (*facts)(void *userdata, struct publisher_facts *ret); /* all zero before */
        /* What has been published; @before: NULL for the first one. */
        void (*published)(void *userdata, const struct diag_snapshot *before,
                          const struct diag_snapshot *now);
        void *userdata;
};

struct publisher;

/** publisher_new() - with a first snapshot: nobody has been asked */
int publisher_new(struct publisher **ret, const struct publisher_options *options);
struct publisher *publisher_free(struct publisher *p);

/** publisher_view() - borrowed: what it publishes to */
struct view *publisher_view(struct publisher *p);

/** publisher_touch() - this node may look different */
void publisher_touch(struct publisher *p, struct node *n);

/** publisher_untouch() - this node goes */
void publisher_untouch(struct publisher *p, struct node *n);

/** publisher_touch_facts() - something else may: sources, views, the number of masters */
void publisher_touch_facts(struct publisher *p);

/** publisher_now() - without waiting: somebody is waiting for it */
void publisher_now(struct publisher *p);

/** publisher_note_round() - every node has been asked: say so, even if nothing differs */
void publisher_note_round(struct publisher *p);

/** publisher_asked_all() - has every node been asked since the start, and answered or failed? */
bool publisher_asked_all(const struct publisher *p);

DEFINE_CLEANUP(struct publisher *, publisher_free);
