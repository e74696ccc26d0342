#pragma once

/* As little of an HTTP client as a stopwatch needs: raw sockets, GET, one answer after the other. */

#include "base/cleanup.h"

#define ASK_ANSWER_BYTES_MAX (256u * 1024)
#define ASK_ETAG_MAX         80u

/** One answer; large: not for the stack of many. */
struct answer {
        char bytes[ASK_ANSWER_BYTES_MAX + 1]; /* head and body as they came, ended by NUL */
        size_t n;                             /* of these, arrived so far */
        unsigned status;
        char etag[ASK_ETAG_MAX]; /* "" when there is none */
        const char *body;
};

/** Where the time goes: CLOCK_MONOTONIC, nanoseconds. */
uint64_t now_nsec(void);
void sleep_until_nsec(uint64_t mono_nsec);

/** process_cpu_nsec() - CPU time of a process, all of its threads; 0 when there is none */
uint64_t process_cpu_nsec(int pid);

/**
 * ask_connect() - connect to "127.0.0.1:1050" or "unix:/run/diag/agentd.sock"
 * Return: a blocking socket, the caller's; -errno, -EINVAL when @address is neither.
 */
int ask_connect(const char *address);

/**
 * ask_send() - GET @target over a keep-alive connection
 * @headers: lines that end in \r\n, or ""
 */
int ask_send(int fd, const char *target, const char *headers);

/**
 * ask_take() - read what is there (at least one byte, waiting for it when the socket blocks)
 * @a: zero its n before each answer
 * Return: 1 when the answer is whole, 0 when not yet, -errno; -EBADMSG when it is not HTTP.
 */
int ask_take(int fd, struct answer *a);

/** ask_read() - the whole answer. 0 or -errno. */
int ask_read(int fd, struct answer *a);
