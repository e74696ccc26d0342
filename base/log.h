#pragma once

/*
 * What a daemon says to the person who runs it: one line on stderr per thing worth saying, with
 * syslog's "<N>" in front when the journal is at the other end. base/, model/ and net/ never log
 * above debug; a function either logs or returns an error, never both. Any thread.
 */

#include "base/cleanup.h"

enum log_level {
        LEVEL_ERROR = 3, /* syslog's numbers */
        LEVEL_WARNING,
        LEVEL_NOTICE,
        LEVEL_INFO,
        LEVEL_DEBUG,
};

/** log_open() - name the program and find out whether the journal reads our stderr ($JOURNAL_STREAM). */
void log_open(const char *program);
void log_set_level(enum log_level max);

/** log_level_from_string() - error warning notice info debug; 0 or -EINVAL. */
int log_level_from_string(const char *s, enum log_level *ret);

void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);
#define log_error(...)   log_line(LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LEVEL_DEBUG, __VA_ARGS__)

/** One field of a structured record, as in the journal: NAME in capitals, without '='. */
struct log_field {
        const char *name, *value;
};

/**
 * log_record() - a line that a program will look for later
 * @message_id: 32 hex digits, see journalctl --catalog
 * @fields:     ends with a row whose name is NULL
 *
 * With the journal at the other end it becomes one structured record, else the message alone.
 */
void log_record(enum log_level level, const char *message_id, const struct log_field *fields,
                const char *message);

/** A warning that may come a thousand times: at most one line a minute, the others are counted. */
struct log_ratelimit {
        uint64_t next_mono_usec;
        unsigned n_held_back;
};
bool log_ratelimit_pass(struct log_ratelimit *r, unsigned *ret_n_held_back);
