#pragma once

/*
 * Where this node can be asked: at the sockets that systemd passed, and at what Listen= adds to them;
 * without either, at the default addresses.
 */

#include "agentd/agent_conf.h"
#include "base/activation.h"

struct listeners {
        struct activation passed;
};

/** listeners_take_passed() - once, early: what was passed must not leak into children. */
void listeners_take_passed(struct listeners *l);
void listeners_done(struct listeners *l);

/** listeners_port() - of TCP, where the node can be asked; 0: only locally. */
uint16_t listeners_port(const struct listeners *l, const struct agent_conf *c);

/**
 * listeners_open() - hand all of them to @s
 *
 * What was asked for by name must open. What systemd passed, and what nobody asked for, is said when it
 * cannot be served, and the others serve. Return: 0 or -errno; @e names the address.
 */
int listeners_open(struct listeners *l, struct server *s, const struct agent_conf *c,
                   struct err *e);
