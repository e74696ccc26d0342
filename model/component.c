/* A component of several parts. */

#include "model/component.h"

bool diag_component_may_be_asked(enum diag_code unit_code)
{
        switch (unit_code) {
        case DIAG_CODE_OFF:
        case DIAG_CODE_ABSENT:
        case DIAG_CODE_SKIPPED:
        case DIAG_CODE_ARMED:
        case DIAG_CODE_IDLE:
        case DIAG_CODE_DONE:
        case DIAG_CODE_WAITING:
        case DIAG_CODE_STARTING:
                return false;
        default:
                return true;
        }
}

void diag_component_weigh(struct diag_component *c, struct arena *a)
{
        for (size_t i = 0; i < c->n_probes; i++) {
                const struct diag_probe *p = &c->probes[i];

                if (p->skipped || p->health == c->health ||
                    diag_health_worse(p->health, c->health) == c->health)
                        continue;
                c->health = p->health;
                c->code = p->code;
                c->text = *p->text ? arena_printf(a, "probe %s: %s", p->name, p->text)
                                   : arena_printf(a, "probe %s", p->name);
        }
}
