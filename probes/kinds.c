/* The kinds of probes. */

#include "probes/probe.h"
#include "probes/probe_exec.h"
#include "probes/probe_http.h"
#include "probes/probe_tcp.h"

const struct probe_ops *const probe_kinds[] = {
        &probe_http,
        &probe_tcp,
        &probe_exec,
        NULL,
};
