#pragma once

/* What a fetch asks, checked and handed to libcurl. */

#include <curl/curl.h>

#include "base/err.h"
#include "net/fetch.h"

/** What libcurl borrows while the transfer exists. */
struct fetch_question {
        struct curl_slist *headers, *connect_to;
};

/**
 * fetch_question_check() - 0 or -EINVAL, -ENOMEM
 * @ret_hash: of whom it asks: the same for all that can use the same connection
 * @ret_tls:  the URL is https
 */
int fetch_question_check(const struct fetch_request *q, uint32_t *ret_hash, bool *ret_tls,
                         struct err *e);

/**
 * fetch_question_apply() - set @easy up, but for its callbacks and the time for all of it
 * @keep:         use a kept connection, and keep the one that was used
 * @buffer_bytes: of what is received at once
 */
CURLcode fetch_question_apply(struct fetch_question *s, CURL *easy, const struct fetch_request *q,
                              bool keep, unsigned buffer_bytes);
void fetch_question_done(struct fetch_question *s);
