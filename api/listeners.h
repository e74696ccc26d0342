#pragma once

/*
 * Where a daemon can be asked: at the sockets that systemd passed, and at what Listen= adds to them;
 * without either, at the default addresses.
 */

#include "api/listen_conf.h"
#include "base/activation.h"

struct listeners {
        struct activation passed;
};

/** listeners_take_passed() - once, early: what was passed must not leak into children. */
void listeners_take_passed(struct listeners *l);
void listeners_done(struct listeners *l);

/** What a daemon does where nobody says otherwise. */
struct listeners_defaults {
        const char *const *tcp; /* "127.0.0.1", "[::1]"; ends with NULL */
        const char *unix_path;  /* "unix:/run/diag/agentd.sock" */
        const char *unit;       /* the socket unit that a daemon without rights needs */
        uint16_t port;
        /* A port that belongs to somebody else, and why; 0: none. */
        uint16_t wrong_port;
        const char *wrong_port_text;
};

/** listeners_port() - of TCP, where it can be asked; 0: only locally. */
uint16_t listeners_port(const struct listeners *l, const struct listen_conf *c,
                        uint16_t default_port);

/**
 * listeners_open() - hand all of them to @s
 *
 * What was asked for by name must open. What systemd passed, and what nobody asked for, is said when it
 * cannot be served, and the others serve. Return: 0 or -errno; @e names the address.
 */
int listeners_open(struct listeners *l, struct server *s, const struct listen_conf *c,
                   const struct listeners_defaults *defaults, struct err *e);
