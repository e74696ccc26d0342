#pragma once

/*
 * JSON as it comes, in pieces of any size: no document is held, and no tree is built. Strict (RFC 8259): what
 * is no JSON is said at the byte where it ceases to be. For documents of which only a little is needed.
 */

#include "base/cleanup.h"

#define JSON_EVENTS_DEPTH_MAX 32u
#define JSON_EVENTS_TEXT_MAX  256u /* bytes of a key or a string that are kept */

enum json_event_type {
        JSON_EVENT_NONE = 0,
        JSON_EVENT_BEGIN_OBJECT,
        JSON_EVENT_END_OBJECT,
        JSON_EVENT_BEGIN_LIST,
        JSON_EVENT_END_LIST,
        JSON_EVENT_KEY,
        JSON_EVENT_STRING,
        JSON_EVENT_NUMBER,
        JSON_EVENT_TRUE,
        JSON_EVENT_FALSE,
        JSON_EVENT_NULL,
};

/** Borrowed. */
struct json_event {
        enum json_event_type type;
        unsigned depth;   /* how many objects and lists it is in; of an end: as of its beginning */
        const char *text; /* of a key or a string, without escapes; else "". Ends with a NUL … */
        size_t n;         /* … that is not counted; there may be others in it */
        bool cut;         /* it is longer: text is its beginning, perhaps with half a character */
};

/** Return: 0, or -errno, which ends it. */
typedef int (*json_event_fn)(const struct json_event *ev, void *userdata);

/** Nothing in it is for others. */
struct json_events {
        json_event_fn fn;
        void *userdata;
        int fault; /* how it ended */
        unsigned char state;
        unsigned depth;
        uint32_t objects; /* bit i: what is open at depth i is an object, no list */
        bool is_key;      /* the string that is being read */
        bool cut;
        unsigned char n_more, low,
                high; /* bytes of a character that must follow, the next within */
        unsigned code, high_surrogate, n_hex; /* of \uXXXX */
        const char *word;                     /* the rest of true, false, null */
        enum json_event_type word_type;
        size_t n;
        char text[JSON_EVENTS_TEXT_MAX + 1];
};

void json_events_init(struct json_events *x, json_event_fn fn, void *userdata);

/**
 * json_events_feed() - the next @n bytes of an object or a list
 * Return: 0, -EBADMSG (no JSON), -E2BIG (too deep), or what @fn returned; and the same ever after.
 */
int json_events_feed(struct json_events *x, const char *text, size_t n);

/** json_events_end() - no more will come. 0, -EBADMSG (it is not whole), or as before. */
int json_events_end(struct json_events *x);
