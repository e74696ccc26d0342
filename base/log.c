/*
 * Logging. A record is made in one buffer and leaves in one write(), so that lines of two threads
 * never mix. sd-journal's sending half has its door here (its reading half is journalctl's).
 */

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/mono.h"

#define LINE_MAX_BYTES   2048
#define FIELDS_MAX       16
#define RATELIMIT_PERIOD USEC_PER_MIN

static _Atomic enum log_level level_max = LEVEL_INFO;
static const char *program_name = "diag";
static bool to_journal;

static const char *const level_names[] = {
        [LEVEL_ERROR] = "error", [LEVEL_WARNING] = "warning", [LEVEL_NOTICE] = "notice",
        [LEVEL_INFO] = "info",   [LEVEL_DEBUG] = "debug",
};

/* $JOURNAL_STREAM is "device:inode" of the stream that systemd made; a redirected stderr differs. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *program)
{
        program_name = program;
        to_journal = stderr_is_journal();
}

void log_set_level(enum log_level max)
{
        atomic_store_explicit(&level_max, max, memory_order_relaxed);
}

int log_level_from_string(const char *s, enum log_level *ret)
{
        for (size_t i = LEVEL_ERROR; i < ELEMENTSOF(level_names); i++)
                if (streq(s, level_names[i])) {
                        *ret = (enum log_level)i;
                        return 0;
                }
        return -EINVAL;
}

static void write_line(enum log_level level, const char *text)
{
        char line[LINE_MAX_BYTES + 128];
        int n;

        if (to_journal)
                n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
        else
                n = snprintf(line, sizeof(line), "%s: %s%s%s\n", program_name,
                             level <= LEVEL_WARNING ? level_names[level] : "",
                             level <= LEVEL_WARNING ? ": " : "", text);
        if (n < 0)
                return;
        if ((size_t)n >= sizeof(line)) {
                n = sizeof(line) - 1;
                line[n - 1] = '\n';
        }
        /* Nobody can be told when stderr is gone. */
        while (write(STDERR_FILENO, line, (size_t)n) < 0 && errno == EINTR)
                ;
}

/* A foreign newline must not forge a line of ours, nor anything else move the cursor of who reads it. */
static void mask(char *text)
{
        size_t n = strlen(text), n_harmless;

        for (size_t i = 0; i<n; i += n_harmless> 0 ? n_harmless : 1) {
                n_harmless = utf8_harmless(text + i, n - i);
                if (n_harmless == 0)
                        text[i] = ' ';
        }
}

void log_line(enum log_level level, const char *fmt, ...)
{
        char text[LINE_MAX_BYTES];
        va_list ap;

        if (level > atomic_load_explicit(&level_max, memory_order_relaxed))
                return;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        mask(text);
        write_line(level, text);
}

static bool send_record(enum log_level level, const char *message_id,
                        const struct log_field *fields, const char *message)
{
        char text[FIELDS_MAX][LINE_MAX_BYTES];
        struct iovec iov[FIELDS_MAX];
        size_t n = 0;

        (void)snprintf(text[n++], LINE_MAX_BYTES, "MESSAGE=%s", message);
        (void)snprintf(text[n++], LINE_MAX_BYTES, "PRIORITY=%d", (int)level);
        (void)snprintf(text[n++], LINE_MAX_BYTES, "MESSAGE_ID=%s", message_id);
        (void)snprintf(text[n++], LINE_MAX_BYTES, "SYSLOG_IDENTIFIER=%s", program_name);
        for (; fields->name && n < FIELDS_MAX; fields++)
                (void)snprintf(text[n++], LINE_MAX_BYTES, "%s=%s", fields->name, fields->value);
        for (size_t i = 0; i < n; i++)
                iov[i] = (struct iovec){text[i], strlen(text[i])};
        return sd_journal_sendv(iov, (int)n) >= 0;
}

void log_record(enum log_level level, const char *message_id, const struct log_field *fields,
                const char *message)
{
        if (level > atomic_load_explicit(&level_max, memory_order_relaxed))
                return;
        if (to_journal && send_record(level, message_id, fields, message))
                return;
        log_line(level, "%s", message);
}

bool log_ratelimit_pass(struct log_ratelimit *r, unsigned *ret_n_held_back)
{
        uint64_t now = now_mono_usec();

        if (now < r->next_mono_usec) {
                r->n_held_back++;
                return false;
        }
        *ret_n_held_back = r->n_held_back;
        *r = (struct log_ratelimit){.next_mono_usec = now + RATELIMIT_PERIOD};
        return true;
}
